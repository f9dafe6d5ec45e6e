/* SPDX-License-Identifier: MIT
 *
 * chat NETWORK: sends each line of standard input to the network and prints
 * what the others send, until either ends. Makes the network if there is none.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ipn/ipn.h>

static int complain(struct ipn_node* node) {
  char text[512];

  ipn_explain(node, text, sizeof text);
  fprintf(stderr, "chat: %s\n", text);
  return 1;
}

static int join(struct ipn_node* node, const char* network) {
  int error = ipn_connect(node, network, IPN_ANY, 0);

  if (error != -ENOENT) return error;
  error = ipn_bind(node, network, IPN_BROADCAST);
  return error ? error : ipn_connect(node, NULL, IPN_BROADCAST, 0);
}

/* Sends the complete lines of standard input. Returns 1 to go on, 0 at the end
 * of the input, -errno if the network did not take a line. */
static ssize_t send_lines(struct ipn_node* node) {
  static char text[IPN_MSG_MAX];
  static size_t used;
  char *line = text, *newline;
  ssize_t sent = 0;
  ssize_t got = read(STDIN_FILENO, text + used, sizeof text - used);

  if (got <= 0) return 0;
  used += (size_t)got;
  while (sent >= 0 && (newline = memchr(line, '\n', used)) != NULL) {
    sent = ipn_send(node, line, (size_t)(newline - line), 0);
    used -= (size_t)(newline + 1 - line);
    line = newline + 1;
  }
  if (sent >= 0 && used == sizeof text) {
    sent = ipn_send(node, text, used, 0);
    used = 0;
  }
  memmove(text, line, used);
  return sent < 0 ? sent : 1;
}

static ssize_t print_message(struct ipn_node* node) {
  static char text[IPN_MSG_MAX];
  ssize_t length = ipn_recv(node, text, sizeof text, 0);

  if (length < 0) return length == -ENODATA ? 0 : length;
  fwrite(text, 1, (size_t)length, stdout);
  putchar('\n');
  fflush(stdout);
  return 1;
}

static ssize_t chat(struct ipn_node* node) {
  struct pollfd wait[] = {{ipn_fd(node), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  ssize_t more = 1;

  while (more > 0 && poll(wait, 2, -1) > 0) {
    if (wait[0].revents)
      more = print_message(node);
    else if (wait[1].revents)
      more = send_lines(node);
  }
  return more;
}

int main(int argc, char** argv) {
  struct ipn_node* node;
  int status = 0;

  if (argc != 2) {
    fprintf(stderr, "usage: chat NETWORK\n");
    return 2;
  }
  if (ipn_open(NULL, 0, &node) < 0) return complain(NULL);
  if (join(node, argv[1]) < 0 || chat(node) < 0) status = complain(node);
  ipn_close(node);
  return status;
}
