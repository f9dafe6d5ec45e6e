// SPDX-License-Identifier: MIT
#include "tests/libipn/support.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace ipn::library_tests {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::microseconds kPause{200};

std::atomic<unsigned> handled = 0;

void install_handler() {
  struct sigaction action {};
  action.sa_handler = [](int) { ++handled; };
  EXPECT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);  // without SA_RESTART
}

/// The state of a thread in proc_pid_stat(5): 'S' sleeps and can be interrupted.
char state_of(pid_t tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t at = line.rfind(')');
  return at == std::string::npos || at + 2 >= line.size() ? '?' : line[at + 2];
}

}  // namespace

bool eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

std::string new_name() {
  static unsigned made = 0;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return std::string(test->name()) + "." + std::to_string(++made);
}

std::string explain(ipn_node* node) {
  char text[1024];
  EXPECT_GE(ipn_explain(node, text, sizeof text), 0);
  return text;
}

Node::Node(unsigned flags, const char* device) {
  EXPECT_EQ(ipn_open(device, flags, &node_), 0) << explain(nullptr);
}

Node::~Node() { EXPECT_EQ(ipn_close(node_), 0); }

Node::Node(Node&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}

Node member(const std::string& network, unsigned roles, unsigned flags) {
  Node node(flags);
  EXPECT_EQ(ipn_bind(node, network.c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(ipn_connect(node, nullptr, IPN_BROADCAST, roles), 0) << explain(node);
  return node;
}

Node lossless_member(const std::string& network, unsigned pool, unsigned flags) {
  Node node(flags);
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_FLAGS, IPN_NET_LOSSLESS), 0) << explain(node);
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_MSGPOOLSIZE, pool), 0) << explain(node);
  EXPECT_EQ(ipn_bind(node, network.c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(ipn_connect(node, nullptr, IPN_BROADCAST, 0), 0) << explain(node);
  return node;
}

struct ipn_info info_of(ipn_node* node) {
  struct ipn_info info {};
  info.size = sizeof info;
  EXPECT_EQ(ipn_info(node, &info), 0);
  return info;
}

bool is_fast(ipn_node* node) { return info_of(node).door == IPN_DOOR_FAST; }

ssize_t soon(ipn_node* node, const std::function<ssize_t()>& call) {
  ssize_t result = call();
  if (result != -EAGAIN || !is_fast(node)) return result;
  eventually([&] { return (result = call()) != -EAGAIN; });
  return result;
}

void end_network_of(ipn_node* node) {
  ipn_netcfg config{};
  config.size = sizeof config;
  config.net = info_of(node).net;
  const Node owner;
  EXPECT_EQ(ipn_ioctl(owner, IPN_IOC_NET_END, &config), 0) << explain(owner);
}

void kick(ipn_node* node) {
  ipn_ref reference{};
  reference.size = sizeof reference;
  reference.node = info_of(node).node;
  const Node owner;
  EXPECT_EQ(ipn_ioctl(owner, IPN_IOC_NODE_KICK, &reference), 0) << explain(owner);
}

unsigned blocked_senders(ipn_node* node) {
  struct {
    ipn_list list;
    ipn_net_record record;
  } request{};
  request.list.size = sizeof request;
  request.list.kind = IPN_LIST_NETWORKS;
  const std::uint64_t net = info_of(node).net;
  request.list.cursor = net - 1;  // records ascend by id
  const Node asker;
  EXPECT_GE(ipn_ioctl(asker, IPN_IOC_LIST(sizeof request.record), &request), 0) << explain(asker);
  EXPECT_EQ(request.record.id, net);
  return request.record.blocked_senders;
}

void send(ipn_node* node, std::string_view message) {
  EXPECT_EQ(ipn_send(node, message.data(), message.size(), 0), static_cast<ssize_t>(message.size()))
      << explain(node);
}

void drained(ipn_node* node) {
  if (!is_fast(node)) return;
  // By the device it goes behind what is in the ring.
  ASSERT_EQ(ipn_setdoor(node, IPN_DOOR_DEVICE), 0) << explain(node);
  ASSERT_EQ(ipn_setdoor(node, IPN_DOOR_FAST), 0) << explain(node);
}

unsigned fill(ipn_node* node) {
  unsigned sent = 0;
  for (bool full = false;;) {
    ssize_t result = 0;
    unsigned more = 0;
    while ((result = ipn_send(node, "f", 1, IPN_MSG_DONTWAIT)) == 1) ++more;
    EXPECT_EQ(result, -EAGAIN) << explain(node);
    sent += more;
    if (result != -EAGAIN || !is_fast(node) || (full && more == 0)) return sent;
    // As long as the network takes messages there will be room in the ring again.
    full = eventually([node] { return blocked_senders(node) == 1; });
    EXPECT_TRUE(full);
  }
}

void drain(ipn_node* node, unsigned n) {
  for (unsigned i = 0; i < n; ++i) ASSERT_EQ(receive(node), "f") << i << " of " << n;
}

bool holds_in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status == 0;
}

std::string receive(ipn_node* node) {
  std::string room(IPN_MSG_MAX, '\0');
  const ssize_t length =
      soon(node, [&] { return ipn_recv(node, room.data(), room.size(), IPN_MSG_DONTWAIT); });
  EXPECT_GE(length, 0) << explain(node);
  room.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return room;
}

Call::Call(std::function<ssize_t()> call) {
  install_handler();
  thread_ = std::thread([this, call = std::move(call)] {
    tid_ = static_cast<pid_t>(syscall(SYS_gettid));
    result_ = call();
    done_ = true;
    pthread_testcancel();
  });
  EXPECT_TRUE(settles()) << "neither sleeps nor returns";
}

Call::~Call() {
  if (!eventually([this] { return is_done(); })) {
    std::fprintf(stderr, "a call of the library does not return\n");
    std::abort();
  }
  thread_.join();
}

ssize_t Call::result() {
  EXPECT_TRUE(eventually([this] { return is_done(); })) << "the call does not return";
  return is_done() ? result_ : -ETIMEDOUT;
}

void Call::interrupt() {
  const unsigned before = handled;
  ASSERT_EQ(pthread_kill(thread_.native_handle(), SIGUSR1), 0);
  EXPECT_TRUE(eventually([&] { return handled != before; })) << "the signal is not delivered";
  EXPECT_TRUE(settles()) << "neither sleeps again nor returns";
}

bool Call::settles() {
  const bool settled =
      eventually([this] { return is_done() || (tid_ != 0 && state_of(tid_) == 'S'); });
  // Whatever the daemon answers now, it has seen the requests of before.
  const Node witness;
  return settled;
}

}  // namespace ipn::library_tests
