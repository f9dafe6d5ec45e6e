/* SPDX-License-Identifier: MIT
 *
 * stream send|recv NETWORK WARM_UP COUNT: sends or receives WARM_UP numbered messages of 64
 * bytes, in place and in batches, says "warm", waits for a line on stdin, and does so with
 * COUNT more. The receiver makes sure that none is missing and that they are in order.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ipn/ipn.h>

#define BATCH 32
#define SIZE 64
#define RING_BYTES (1 << 20)

static int complain(struct ipn_node* node) {
  char text[512];

  ipn_explain(node, text, sizeof text);
  fprintf(stderr, "stream: %s\n", text);
  return 1;
}

static int send_numbers(struct ipn_node* node, uint64_t from, uint64_t to) {
  struct ipn_buf bufs[BATCH];
  int i, n;

  for (i = 0; i < BATCH; i++) bufs[i] = (struct ipn_buf){NULL, SIZE, 0, NULL};
  while (from < to) {
    n = ipn_reservemany(node, bufs, to - from < BATCH ? (unsigned)(to - from) : BATCH, 0);
    if (n < 0) return n;
    for (i = 0; i < n; i++) {
      memset(bufs[i].data, 0, SIZE);
      memcpy(bufs[i].data, &from, sizeof from);
      from++;
    }
    n = ipn_commitmany(node, (unsigned)n, 0);
    if (n < 0) return n;
  }
  return 0;
}

static int receive_numbers(struct ipn_node* node, uint64_t from, uint64_t to) {
  struct ipn_view views[BATCH];
  uint64_t number;
  int i, n;

  while (from < to) {
    n = ipn_peekmany(node, views, to - from < BATCH ? (unsigned)(to - from) : BATCH, 0);
    if (n < 0) return n;
    for (i = 0; i < n; i++, from++) {
      memcpy(&number, views[i].data, sizeof number);
      if (views[i].len == SIZE && number == from) continue;
      fprintf(stderr, "stream: message %llu came instead of %llu\n", (unsigned long long)number,
              (unsigned long long)from);
      exit(1);
    }
    n = ipn_release(node, (unsigned)n);
    if (n < 0) return n;
  }
  return 0;
}

int main(int argc, char** argv) {
  int (*work)(struct ipn_node*, uint64_t, uint64_t);
  struct ipn_node* node;
  uint64_t warm_up, count;
  int sends;

  if (argc != 5) {
    fprintf(stderr, "usage: stream send|recv NETWORK WARM_UP COUNT\n");
    return 2;
  }
  sends = strcmp(argv[1], "send") == 0;
  work = sends ? send_numbers : receive_numbers;
  warm_up = strtoull(argv[3], NULL, 10);
  count = strtoull(argv[4], NULL, 10);
  if (ipn_open(NULL, 0, &node) < 0) return complain(NULL);
  if (ipn_setopt(node, IPN_OPT_RING, RING_BYTES) < 0) return complain(node);
  if (ipn_connect(node, argv[2], IPN_ANY, sends ? IPN_ROLE_SEND : IPN_ROLE_RECV) < 0) {
    return complain(node);
  }
  if (sends && ipn_wait_peers(node, 1, -1) < 0) return complain(node);
  if (work(node, 0, warm_up) < 0) return complain(node);
  printf("warm\n");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  if (work(node, warm_up, warm_up + count) < 0) return complain(node);
  printf("done\n");
  fflush(stdout);
  (void)getchar();
  ipn_close(node);
  return 0;
}
