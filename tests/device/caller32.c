/* SPDX-License-Identifier: MIT */
/* A 32-bit program on the device of a 64-bit daemon, with nothing but the
 * public header: makes a network, joins it twice, exchanges messages, looks at
 * lists and errors. The path of the device is in IPN_DEVICE. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ipn/ioctl.h>

static const char kNet[] = "caller32";

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: not true: %s (%s)\n", __FILE__, __LINE__, #condition, \
              strerror(errno));                                                     \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

static int open_device(void) {
  const char* path = getenv("IPN_DEVICE");
  CHECK(path != NULL);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  CHECK(fd >= 0);
  return fd;
}

static struct ipn_join join(int fd, unsigned long command, const char* name) {
  struct ipn_join join;
  memset(&join, 0, sizeof join);
  join.size = sizeof join;
  join.policy = IPN_BROADCAST;
  join.port = IPN_PORT_ANY;
  strcpy(join.name, name);
  CHECK(ioctl(fd, command, &join) == 0);
  CHECK(join.size == sizeof join);
  return join;
}

static void check_errors(int fd) {
  struct ipn_join again;
  memset(&again, 0, sizeof again);
  again.size = sizeof again;
  again.port = IPN_PORT_ANY;
  strcpy(again.name, kNet);
  CHECK(ioctl(fd, IPN_IOC_CONNECT, &again) == -1 && errno == EISCONN);
  struct ipn_explain explain;
  memset(&explain, 0, sizeof explain);
  explain.size = sizeof explain;
  CHECK(ioctl(fd, IPN_IOC_EXPLAIN, &explain) == 0);
  CHECK(explain.error == EISCONN && explain.text[0] != '\0');
  CHECK(ioctl(fd, _IO(IPN_IOC_MAGIC, 0x7e)) == -1 && errno == ENOTTY);
}

static void exchange_plainly(int from, int to) {
  char buffer[100];
  CHECK(write(from, "hello", 5) == 5);
  CHECK(read(to, buffer, sizeof buffer) == 5 && memcmp(buffer, "hello", 5) == 0);
}

static void exchange_by_ioctl(int from, int to, __u64 sender) {
  struct {
    struct ipn_msg header;
    char payload[200];
  } message;
  memset(&message, 0, sizeof message);
  message.header.hdr = IPN_MSG_HDR;
  message.header.len = 7;
  memcpy(message.payload, "by call", 7);
  CHECK(ioctl(from, IPN_IOC_SEND(200), &message) == 0);
  CHECK(message.header.count == 1);
  __u64 seq = message.header.seq;
  memset(&message, 0, sizeof message);
  message.header.hdr = IPN_MSG_HDR;
  CHECK(ioctl(to, IPN_IOC_RECV(200), &message) == 0);
  CHECK(message.header.len == 7 && memcmp(message.payload, "by call", 7) == 0);
  CHECK(message.header.seq == seq && message.header.peer == sender);
  CHECK(message.header.time > 1600000000ull * 1000000000ull);
}

static void look_at_lists(int fd, __u64 net) {
  struct {
    struct ipn_list head;
    struct ipn_node_record nodes[4];
  } list;
  memset(&list, 0, sizeof list);
  list.head.size = sizeof list;
  list.head.kind = IPN_LIST_NODES;
  list.head.net = net;
  CHECK(ioctl(fd, IPN_IOC_LIST(sizeof list.nodes), &list) == 0);
  CHECK(list.head.n == 2 && list.head.rec == sizeof list.nodes[0]);
  CHECK(list.nodes[0].net == net && list.nodes[0].pid == (__u32)getpid());
  CHECK(list.nodes[0].msgs_in == 2 && list.nodes[1].msgs_out == 2);
  struct ipn_netcfg config;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.net = net;
  CHECK(ioctl(fd, IPN_IOC_NET_GET, &config) == 0);
  CHECK(strcmp(config.name, kNet) == 0 && config.mtu == 600);
}

static void set_mtu(int fd) {
  struct {
    struct ipn_opt option;
    __u32 value;
  } mtu;
  CHECK(sizeof mtu.option + sizeof mtu.value == 36);
  memset(&mtu, 0, sizeof mtu);
  mtu.option.size = 36;
  mtu.option.name = IPN_OPT_MTU;
  mtu.option.len = 4;
  mtu.value = 600;
  CHECK(ioctl(fd, IPN_IOC_SETOPT(4), &mtu) == 0);
  mtu.value = 0;
  CHECK(ioctl(fd, IPN_IOC_GETOPT(4), &mtu) == 0 && mtu.value == 600);
}

int main(void) {
  CHECK(sizeof(void*) == 4);
  int a = open_device();
  int b = open_device();
  CHECK(ioctl(a, IPN_IOC_CHECK) == (int)IPN_IOC_CHECK);
  set_mtu(a);
  struct ipn_join bound = join(a, IPN_IOC_BIND, kNet);
  struct ipn_join joined = join(a, IPN_IOC_CONNECT, "");
  join(b, IPN_IOC_CONNECT, kNet);
  check_errors(a);
  exchange_plainly(a, b);
  exchange_by_ioctl(a, b, joined.node);
  look_at_lists(b, bound.net);
  CHECK(close(a) == 0 && close(b) == 0);
  puts("a 32-bit program and the daemon understand each other");
  return 0;
}
