// SPDX-License-Identifier: MIT
//
// A daemon that is killed. It is one of its own, on the same kind of device as
// that of all other tests, and nobody else's.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "tests/libipn/support.h"

namespace ipn::library_tests {
namespace {

class DaemonDeath : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ipn-death.XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    const bool cuse = info_of(Node()).door == IPN_DOOR_DEVICE;
    device_ = cuse ? "/dev/ipn-death" : directory_ + "/ipn";
    start_daemon();
  }

  void TearDown() override {
    if (pid_ > 0 && is_alive()) kill_daemon();
    // Its helper outlives it a little, and clears the device away.
    EXPECT_TRUE(eventually([this] { return !opens(); })) << device_;
    std::error_code error;
    EXPECT_TRUE(eventually([&] {
      std::filesystem::remove_all(directory_, error);
      return !error;
    })) << directory_
        << ": " << error.message();
  }

  void kill_daemon() {
    ASSERT_EQ(kill(pid_, SIGKILL), 0);
    int status = 0;
    EXPECT_EQ(waitpid(std::exchange(pid_, -1), &status, 0) > 0 && WIFSIGNALED(status), true);
  }

  void start_daemon() {
    start(device_.starts_with("/dev/"));
    const bool serves = eventually([this] { return opens() || !is_alive(); }) && is_alive();
    ASSERT_TRUE(serves) << IPN_TEST_IPND << " does not serve " << device_ << "\n" << log();
  }
  /// After kill_daemon(): another one at the same place.
  void start_another() {
    // The helper of the old one clears the device away.
    ASSERT_TRUE(eventually([this] { return !opens(); }));
    start_daemon();
  }

  /// A member of the network, on the device of the doomed daemon.
  Node doomed_member(const std::string& network) const {
    Node node(0, device_.c_str());
    EXPECT_EQ(ipn_bind(node, network.c_str(), IPN_BROADCAST), 0) << explain(node);
    EXPECT_EQ(ipn_connect(node, nullptr, IPN_ANY, 0), 0) << explain(node);
    return node;
  }

  const std::string& device() const { return device_; }

 private:
  void start(bool cuse) {
    const std::string log_path = directory_ + "/log";
    pid_ = fork();
    ASSERT_GE(pid_, 0);
    if (pid_ != 0) return;
    if (freopen(log_path.c_str(), "w", stderr) == nullptr) _exit(1);
    if (cuse) {
      execl(IPN_TEST_IPND, IPN_TEST_IPND, "--device", "cuse", "--name", "ipn-death", nullptr);
    } else {
      execl(IPN_TEST_IPND, IPN_TEST_IPND, "--path", device_.c_str(), nullptr);
    }
    _exit(1);
  }

  bool opens() const {
    ipn_node* node = nullptr;
    const int error = ipn_open(device_.c_str(), 0, &node);
    ipn_close(node);
    return error == 0;
  }

  /// Reaps it if it has ended.
  bool is_alive() {
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
    return pid_ > 0;
  }

  std::string log() const {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/log").rdbuf();
    return text.str();
  }

  std::string directory_;
  std::string device_;
  pid_t pid_ = -1;
};

TEST_F(DaemonDeath, EndsEveryCallForGood) {
  const Node a = doomed_member("doomed"), b = doomed_member("doomed");
  const Node free_node(0, device().c_str());
  std::string why;
  Call call([&] {
    char text[4];
    const ssize_t result = ipn_recv(b, text, sizeof text, 0);
    why = explain(b);
    return result;
  });
  EXPECT_FALSE(call.is_done());
  kill_daemon();
  EXPECT_EQ(call.result(), -ECONNABORTED);
  EXPECT_EQ(why, "doomed on " + device() +
                     ": receiving: the daemon is gone (start ipnd, then ipn_reconnect() or open "
                     "another node)");
  char text[4];
  for (const unsigned flags : {0U, IPN_MSG_DONTWAIT, IPN_MSG_PEEK}) {
    EXPECT_EQ(ipn_recv(b, text, sizeof text, flags), -ECONNABORTED) << flags;
  }
  EXPECT_EQ(ipn_send(a, "x", 1, 0), -ECONNABORTED);
  EXPECT_EQ(ipn_wait_peers(a, 1, 0), -ECONNABORTED);
  EXPECT_EQ(ipn_shutdown(a, IPN_SHUT_RD), -ECONNABORTED);
  EXPECT_EQ(ipn_bind(free_node, "doomed", IPN_BROADCAST), -ECONNABORTED);
  pollfd descriptor{ipn_fd(b), POLLIN, 0};
  EXPECT_EQ(poll(&descriptor, 1, 0), 1);
  EXPECT_NE(descriptor.revents & POLLERR, 0);
  EXPECT_EQ(info_of(b).network, std::string("doomed")) << "needs no daemon";
}

TEST_F(DaemonDeath, WakesASender) {
  const Node a(0, device().c_str());
  ASSERT_EQ(ipn_setopt(a, IPN_OPT_FLAGS, IPN_NET_LOSSLESS), 0) << explain(a);
  ASSERT_EQ(ipn_bind(a, "doomed", IPN_BROADCAST), 0) << explain(a);
  ASSERT_EQ(ipn_connect(a, nullptr, IPN_ANY, 0), 0) << explain(a);
  const Node b = doomed_member("doomed");
  Call call([&a] {
    ssize_t sent = 0;
    while ((sent = ipn_send(a, "x", 1, 0)) == 1) {
    }
    return sent;
  });
  EXPECT_FALSE(call.is_done());
  kill_daemon();
  EXPECT_EQ(call.result(), -ECONNABORTED);
}

TEST_F(DaemonDeath, WithoutItsSocketMessagesGoByTheDeviceUnlessTheyMustNot) {
  const char* before = std::getenv("IPN_FASTPATH");
  const std::string kept = before != nullptr ? before : "1";
  ipn_version version{};
  version.size = sizeof version;
  version.abi = IPN_ABI;
  const Node free_node(0, device().c_str());
  ASSERT_EQ(ipn_ioctl(free_node, IPN_IOC_VERSION, &version), 0) << explain(free_node);
  ASSERT_EQ(unlink(version.socket), 0) << version.socket;

  setenv("IPN_FASTPATH", "1", 1);
  const Node a = doomed_member("doomed"), b = doomed_member("doomed");
  EXPECT_NE(info_of(a).door, IPN_DOOR_FAST);
  EXPECT_STRNE(info_of(a).door_reason, "");
  send(a, "by the device");
  EXPECT_EQ(receive(b), "by the device");

  setenv("IPN_FASTPATH", "require", 1);
  const Node c(0, device().c_str());
  EXPECT_EQ(ipn_bind(c, "doomed", IPN_BROADCAST), 0) << explain(c);
  EXPECT_EQ(ipn_connect(c, nullptr, IPN_ANY, 0), -EOPNOTSUPP);
  EXPECT_NE(explain(c).find("attach socket"), std::string::npos) << explain(c);
  setenv("IPN_FASTPATH", kept.c_str(), 1);
}

TEST_F(DaemonDeath, IsNoticedByWhoNeverWaits) {
  const Node a = doomed_member("doomed");
  kill_daemon();
  char text[4];
  EXPECT_TRUE(eventually(
      [&] { return ipn_recv(a, text, sizeof text, IPN_MSG_DONTWAIT) == -ECONNABORTED; }));
}

TEST_F(DaemonDeath, IsOverWhenThereIsAnotherOne) {
  const Node a = doomed_member("doomed"), b = doomed_member("doomed");
  const int fd = ipn_fd(a);
  const std::uint32_t door = info_of(a).door;
  kill_daemon();
  char text[4];
  EXPECT_EQ(ipn_recv(a, text, sizeof text, 0), -ECONNABORTED);
  EXPECT_EQ(ipn_reconnect(a, 20), -ETIMEDOUT);
  Call call([&a] { return ipn_reconnect(a, -1); });
  start_another();
  EXPECT_EQ(call.result(), 0) << explain(a);
  ASSERT_EQ(ipn_reconnect(b, -1), 0) << explain(b);
  EXPECT_EQ(ipn_fd(a), fd);
  EXPECT_EQ(info_of(a).door, door);
  send(a, "again");
  EXPECT_EQ(receive(b), "again");
}

class FastDaemonDeath : public DaemonDeath {};

TEST_F(FastDaemonDeath, ComesAfterWhatWasPublished) {
  const Node a = doomed_member("doomed"), b = doomed_member("doomed");
  for (unsigned i = 0; i < 100; ++i) send(a, std::to_string(i));
  drained(a);
  kill_daemon();
  for (unsigned i = 0; i < 100; ++i) EXPECT_EQ(receive(b), std::to_string(i));
  char text[4];
  EXPECT_EQ(ipn_recv(b, text, sizeof text, 0), -ECONNABORTED);
  EXPECT_EQ(ipn_recv(b, text, sizeof text, IPN_MSG_DONTWAIT), -ECONNABORTED);
}

TEST_F(FastDaemonDeath, EndsCompletionsAndViews) {
  const Node a = doomed_member("doomed"), b = doomed_member("doomed");
  kill_daemon();
  ipn_view view;
  EXPECT_EQ(ipn_peekmany(b, &view, 1, 0), -ECONNABORTED);
  ipn_msg header{};
  header.flags = IPN_MSG_REPORT;
  ipn_completion done;
  // What is committed and not taken is told of as well.
  if (ipn_sendmsg(a, &header, "x", 1, 0) == 1) {
    EXPECT_EQ(ipn_completions(a, &done, 1, 0), -ECONNABORTED);
  }
  EXPECT_EQ(ipn_setdoor(a, IPN_DOOR_DEVICE), -ECONNABORTED);
}

}  // namespace
}  // namespace ipn::library_tests
