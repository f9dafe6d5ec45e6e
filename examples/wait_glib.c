/* SPDX-License-Identifier: MIT
 *
 * wait_glib NETWORK: waits in a glib main loop for messages and prints them, one per
 * line, until the network ends. Makes the network if there is none.
 */
#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>

#include <ipn/ipn.h>

static int complain(struct ipn_node* node) {
  char text[512];

  ipn_explain(node, text, sizeof text);
  fprintf(stderr, "wait_glib: %s\n", text);
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

struct waiting {
  GMainLoop* loop;
  struct ipn_node* node;
  ssize_t end;
};

/* What the loop calls when there is something. FALSE takes it out of the loop. */
static gboolean on_ready(gint fd, GIOCondition condition, gpointer data) {
  struct waiting* waiting = data;

  (void)fd;
  (void)condition;
  waiting->end = print_messages(waiting->node);
  if (waiting->end == -EAGAIN) return TRUE;
  g_main_loop_quit(waiting->loop);
  return FALSE;
}

int main(int argc, char** argv) {
  struct ipn_node* node;
  struct waiting waiting = {0};

  if (argc != 2) {
    fprintf(stderr, "usage: wait_glib NETWORK\n");
    return 2;
  }
  if (ipn_open(NULL, IPN_NONBLOCK, &node) < 0) return complain(NULL);
  if (ipn_bind(node, argv[1], IPN_BROADCAST) < 0) return complain(node);
  if (ipn_connect(node, NULL, IPN_BROADCAST, IPN_ROLE_RECV) < 0) return complain(node);
  waiting.loop = g_main_loop_new(NULL, FALSE);
  waiting.node = node;
  g_unix_fd_add(ipn_fd(node), G_IO_IN | G_IO_HUP | G_IO_ERR, on_ready, &waiting);
  g_main_loop_run(waiting.loop);
  g_main_loop_unref(waiting.loop);
  if (waiting.end != -ENODATA) return complain(node);
  ipn_close(node);
  return 0;
}
