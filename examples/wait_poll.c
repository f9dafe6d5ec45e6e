/* SPDX-License-Identifier: MIT
 *
 * wait_poll NETWORK: waits with poll(2) for messages and prints them, one per
 * line, until the network ends. Makes the network if there is none.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include <ipn/ipn.h>

static int complain(struct ipn_node* node) {
  char text[512];

  ipn_explain(node, text, sizeof text);
  fprintf(stderr, "wait_poll: %s\n", text);
  return 1;
}

/* Prints all that is there. 0, or the error that ended it: -EAGAIN: no more. */
static ssize_t print_messages(struct ipn_node* node) {
  static char text[IPN_MSG_MAX];
  ssize_t length;

  while ((length = ipn_recv(node, text, sizeof text, 0)) >= 0) {
    fwrite(text, 1, (size_t)length, stdout);
    putchar('\n');
  }
  fflush(stdout);
  return length;
}

int main(int argc, char** argv) {
  struct ipn_node* node;
  ssize_t end = -EAGAIN;

  if (argc != 2) {
    fprintf(stderr, "usage: wait_poll NETWORK\n");
    return 2;
  }
  if (ipn_open(NULL, IPN_NONBLOCK, &node) < 0) return complain(NULL);
  if (ipn_bind(node, argv[1], IPN_BROADCAST) < 0) return complain(node);
  if (ipn_connect(node, NULL, IPN_BROADCAST, IPN_ROLE_RECV) < 0) return complain(node);
  while (end == -EAGAIN) {
    struct pollfd wait = {ipn_fd(node), POLLIN, 0};

    if (poll(&wait, 1, -1) < 0 && errno != EINTR) break;
    end = print_messages(node);
  }
  if (end != -ENODATA) return complain(node);
  ipn_close(node);
  return 0;
}
