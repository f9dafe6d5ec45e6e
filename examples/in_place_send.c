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

/* One message. All but the last of a batch wait for that one. */
static ssize_t send_number(struct ipn_node* node, uint64_t number, int more) {
  void* room;
  int error = ipn_reserve(node, sizeof number, &room, 0);

  if (error < 0) return error;
  memcpy(room, &number, sizeof number);
  return ipn_commit(node, sizeof number, more ? IPN_MORE : 0);
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
  for (number = 0; number < count; number++) {
    if (send_number(node, number, number % BATCH != BATCH - 1) < 0) return complain(node);
  }
  if (ipn_flush(node) < 0) return complain(node);
  ipn_close(node);
  return 0;
}
