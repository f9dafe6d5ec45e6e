/* SPDX-License-Identifier: MIT
 *
 * wait_uring NETWORK: waits with io_uring for messages and prints them, one per
 * line, until the network ends. Makes the network if there is none.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <ipn/ipn.h>

static int complain(struct ipn_node* node) {
  char text[512];

  ipn_explain(node, text, sizeof text);
  fprintf(stderr, "wait_uring: %s\n", text);
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

/* One POLL_ADD, which completes once. A program with other work for the ring
 * submits this together with it. */
static int wait_readable(struct io_uring* ring, int fd) {
  struct io_uring_cqe* done;
  int error;

  io_uring_prep_poll_add(io_uring_get_sqe(ring), fd, POLLIN);
  error = io_uring_submit_and_wait(ring, 1);
  if (error < 0) return error;
  error = io_uring_wait_cqe(ring, &done);
  if (error == 0) io_uring_cqe_seen(ring, done);
  return error;
}

int main(int argc, char** argv) {
  struct ipn_node* node;
  struct io_uring ring;
  ssize_t end = -EAGAIN;
  int error;

  if (argc != 2) {
    fprintf(stderr, "usage: wait_uring NETWORK\n");
    return 2;
  }
  if (ipn_open(NULL, IPN_NONBLOCK, &node) < 0) return complain(NULL);
  if (ipn_bind(node, argv[1], IPN_BROADCAST) < 0) return complain(node);
  if (ipn_connect(node, NULL, IPN_BROADCAST, IPN_ROLE_RECV) < 0) return complain(node);
  if ((error = io_uring_queue_init(4, &ring, 0)) < 0) {
    fprintf(stderr, "wait_uring: io_uring: %s (a system may forbid it)\n", strerror(-error));
    return 1;
  }
  while (end == -EAGAIN) {
    error = wait_readable(&ring, ipn_fd(node));
    if (error < 0 && error != -EINTR) break;
    end = print_messages(node);
  }
  io_uring_queue_exit(&ring);
  if (end != -ENODATA) return complain(node);
  ipn_close(node);
  return 0;
}
