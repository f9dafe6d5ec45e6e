/* SPDX-License-Identifier: MIT
 *
 * in_place_send NETWORK COUNT: sends the numbers from 0 to COUNT - 1 in batches,
 * each written where it is sent from. Waits for a receiver first. The network
 * that it makes loses nothing.
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
  fprintf(stderr, "in_place_send: %s\n", text);
  return 1;
}

/* Some of the numbers from `first` to `end` - 1; how many. Waits for the room of one. */
static int send_numbers(struct ipn_node* node, uint64_t first, uint64_t end) {
  struct ipn_buf bufs[BATCH];
  int i, n, wanted = end - first < BATCH ? (int)(end - first) : BATCH;

  for (i = 0; i < wanted; i++) {
    memset(&bufs[i], 0, sizeof bufs[i]);
    bufs[i].size = sizeof first;
  }
  n = ipn_reservemany(node, bufs, (unsigned)wanted, 0);
  for (i = 0; i < n; i++, first++) memcpy(bufs[i].data, &first, sizeof first);
  return n < 0 ? n : ipn_commitmany(node, (unsigned)n, 0);
}

int main(int argc, char** argv) {
  struct ipn_node* node;
  uint64_t number, count;

  if (argc != 3) {
    fprintf(stderr, "usage: in_place_send NETWORK COUNT\n");
    return 2;
  }
  count = strtoull(argv[2], NULL, 10);
  if (ipn_open(NULL, 0, &node) < 0) return complain(NULL);
  if (ipn_setopt(node, IPN_OPT_FLAGS, IPN_NET_LOSSLESS) < 0) return complain(node);
  if (ipn_bind(node, argv[1], IPN_BROADCAST) < 0) return complain(node);
  if (ipn_connect(node, NULL, IPN_BROADCAST, IPN_ROLE_SEND) < 0) return complain(node);
  if (ipn_wait_peers(node, 1, -1) < 0) return complain(node);
  for (number = 0; number < count;) {
    int n = send_numbers(node, number, count);

    if (n < 0) return complain(node);
    number += (uint64_t)n;
  }
  ipn_close(node);
  return 0;
}
