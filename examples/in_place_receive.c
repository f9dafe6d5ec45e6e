/* SPDX-License-Identifier: MIT
 *
 * in_place_receive NETWORK COUNT: receives COUNT numbers where they lie, and
 * prints their sum.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ipn/ipn.h>

#define BATCH 32

static int complain(struct ipn_node* node) {
  char text[512];

  ipn_explain(node, text, sizeof text);
  fprintf(stderr, "in_place_receive: %s\n", text);
  return 1;
}

/* Adds what is there to the sum; waits for the first. How many that were. */
static int receive_numbers(struct ipn_node* node, uint64_t* sum) {
  struct ipn_view views[BATCH];
  int i, error, n = ipn_peekmany(node, views, BATCH, 0);

  for (i = 0; i < n; i++) {
    uint64_t number = 0;

    if (views[i].len == sizeof number) memcpy(&number, views[i].data, sizeof number);
    *sum += number;
  }
  if (n < 0) return n;
  /* Until then they take room in the network. */
  error = ipn_release(node, (unsigned)n);
  return error < 0 ? error : n;
}

int main(int argc, char** argv) {
  struct ipn_node* node;
  uint64_t count, received = 0, sum = 0;

  if (argc != 3) {
    fprintf(stderr, "usage: in_place_receive NETWORK COUNT\n");
    return 2;
  }
  count = strtoull(argv[2], NULL, 10);
  if (ipn_open(NULL, 0, &node) < 0) return complain(NULL);
  if (ipn_setopt(node, IPN_OPT_FLAGS, IPN_NET_LOSSLESS) < 0) return complain(node);
  if (ipn_bind(node, argv[1], IPN_BROADCAST) < 0) return complain(node);
  if (ipn_connect(node, NULL, IPN_BROADCAST, IPN_ROLE_RECV) < 0) return complain(node);
  while (received < count) {
    int n = receive_numbers(node, &sum);

    if (n < 0) return complain(node);
    received += (uint64_t)n;
  }
  printf("%llu\n", (unsigned long long)sum);
  ipn_close(node);
  return 0;
}
