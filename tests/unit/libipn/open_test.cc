// SPDX-License-Identifier: MIT
// Finding and refusing devices, in words; no IPN device is needed for it.
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <grp.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <ipn/ipn.h>
#include <ipn/ipn.hpp>

namespace {

using ::testing::Test;

std::string why() {
  char text[1024];
  EXPECT_GE(ipn_explain(nullptr, text, sizeof text), 0);
  return text;
}

bool says(const std::string& part) { return why().find(part) != std::string::npos; }

// Opens `device` and returns the error; a node that opens is a failure.
int open_error(const char* device, unsigned flags = 0) {
  ipn_node* node = nullptr;
  const int error = ipn_open(device, flags, &node);
  EXPECT_EQ(node, nullptr);
  ipn_close(node);
  return error;
}

// A child that gives up its privileges; true if `check` was true in it.
bool holds_as(uid_t uid, gid_t gid, const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setgroups(0, nullptr) == 0 && setgid(gid) == 0 && setuid(uid) == 0;
    const bool good = dropped && check();
    if (!good) fprintf(stderr, "said: %s\n", why().c_str());
    _exit(good ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status == 0;
}

class OpenErrors : public Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ipn-open.XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ASSERT_EQ(chmod(pattern.c_str(), 0755), 0);
    unsetenv("IPN_DEVICE");
    unsetenv("XDG_RUNTIME_DIR");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string make_file(const std::string& name, mode_t mode) {
    std::string path = directory_ + "/" + name;
    std::ofstream(path).close();
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string directory_;
};

TEST_F(OpenErrors, ADeviceThatIsNotThereIsNamedWithTheWayToStartIt) {
  const std::string path = directory_ + "/ipn";
  EXPECT_EQ(open_error(path.c_str()), -ENOENT);
  EXPECT_EQ(why(), path + ": no such device (start ipnd: ipnd --path " + path + ")");
}

TEST_F(OpenErrors, ASystemDeviceThatIsNotThereIsStartedByTheSystem) {
  EXPECT_EQ(open_error("/dev/ipn-of-nobody"), -ENOENT);
  EXPECT_EQ(why(), "/dev/ipn-of-nobody: no such device (start ipnd: systemctl start ipnd)");
}

TEST_F(OpenErrors, AnotherDeviceIsNotIpn) {
  EXPECT_EQ(open_error("/dev/null"), -ENOTTY);
  EXPECT_TRUE(says("/dev/null: not an IPN device, but another device (")) << why();
}

TEST_F(OpenErrors, ARegularFileIsNotIpn) {
  const std::string path = make_file("ipn", 0600);
  EXPECT_EQ(open_error(path.c_str()), -ENOTTY);
  EXPECT_TRUE(says(path + ": not an IPN device, but a regular file that no ipnd serves now (start"))
      << why();
}

TEST_F(OpenErrors, ADirectoryIsNotIpn) { EXPECT_EQ(open_error(directory_.c_str()), -EISDIR); }

TEST_F(OpenErrors, TheEnvironmentNamesTheDevice) {
  setenv("IPN_DEVICE", "/dev/zero", 1);
  EXPECT_EQ(open_error(nullptr), -ENOTTY);
  EXPECT_TRUE(says("/dev/zero: not an IPN device")) << why();
}

TEST_F(OpenErrors, AnArgumentWinsOverTheEnvironment) {
  setenv("IPN_DEVICE", "/dev/zero", 1);
  EXPECT_EQ(open_error("/dev/null"), -ENOTTY);
  EXPECT_TRUE(says("/dev/null: ")) << why();
}

TEST_F(OpenErrors, TheRuntimeDirectoryIsLookedIntoWhenThereIsNoSystemDevice) {
  if (access("/dev/ipn", F_OK) == 0) GTEST_SKIP() << "this system has a /dev/ipn";
  setenv("IPN_DEVICE", "", 1);
  EXPECT_EQ(open_error(nullptr), -ENOENT);
  EXPECT_TRUE(says("/dev/ipn: no such device, and XDG_RUNTIME_DIR is not set (")) << why();

  setenv("XDG_RUNTIME_DIR", directory_.c_str(), 1);
  EXPECT_EQ(open_error(nullptr), -ENOENT);
  EXPECT_TRUE(says("/dev/ipn: no such device, and no " + directory_ + "/ipn either (")) << why();

  const std::string path = make_file("ipn", 0600);
  EXPECT_EQ(open_error(nullptr), -ENOTTY);
  EXPECT_TRUE(says(path + ": not an IPN device")) << why();
}

TEST_F(OpenErrors, WrongArgumentsAreRefused) {
  EXPECT_EQ(open_error("/dev/null", 0x80), -EINVAL);
  EXPECT_TRUE(says("ipn_open: unknown flag")) << why();
  EXPECT_EQ(ipn_open("/dev/null", 0, nullptr), -EINVAL);
}

TEST_F(OpenErrors, NoDescriptorStaysOpen) {
  const int before = dup(0);
  ASSERT_GE(before, 0);
  close(before);
  for (int i = 0; i < 10; i++) EXPECT_EQ(open_error("/dev/null"), -ENOTTY);
  const int after = dup(0);
  close(after);
  EXPECT_EQ(after, before);
}

TEST_F(OpenErrors, AStrangerIsToldWhichGroupToJoin) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const group* entry = getgrnam("daemon");
  ASSERT_NE(entry, nullptr);
  const std::string path = make_file("ipn", 0660);
  ASSERT_EQ(chown(path.c_str(), 0, entry->gr_gid), 0);
  // A uid that has no name is called by its number.
  EXPECT_TRUE(holds_as(54321, 54321, [&] {
    return open_error(path.c_str()) == -EACCES &&
           why() == path +
                        ": permission denied: you are not in group daemon (ask for membership: "
                        "usermod -aG daemon 54321, then log in again)";
  }));
}

TEST_F(OpenErrors, AMemberSinceTheLoginIsToldToLogInAgain) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  // The database says that uid 1 is in group 1; a process without it is not yet.
  const std::string path = make_file("ipn", 0660);
  ASSERT_EQ(chown(path.c_str(), 0, 1), 0);
  EXPECT_TRUE(holds_as(1, 54321, [&] {
    return open_error(path.c_str()) == -EACCES && says("after this session began (log in again)");
  }));
}

TEST_F(OpenErrors, AModeThatExcludesTheGroupIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const std::string path = make_file("ipn", 0640);
  ASSERT_EQ(chown(path.c_str(), 0, 54321), 0);
  EXPECT_TRUE(holds_as(54321, 54321, [&] {
    return open_error(path.c_str()) == -EACCES && says("you are in group 54321, but mode 0640");
  }));
  EXPECT_TRUE(holds_as(54321, 12345, [&] {
    return open_error(path.c_str()) == -EACCES && says("mode 0640 lets only its owner root");
  }));
}

TEST_F(OpenErrors, AModeThatExcludesTheOwnerIsNamed) {
  const std::string path = make_file("ipn", 0060);
  const auto refused = [&] {
    return open_error(path.c_str()) == -EACCES && says("mode 0060 does not let its owner") &&
           says("(chmod u+rw " + path + ")");
  };
  if (geteuid() == 0) {
    ASSERT_EQ(chown(path.c_str(), 54321, 54321), 0);
    EXPECT_TRUE(holds_as(54321, 54321, refused));
  } else {
    EXPECT_TRUE(refused()) << why();
  }
}

TEST_F(OpenErrors, AClosedDirectoryIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const std::string path = make_file("ipn", 0666);
  ASSERT_EQ(chmod(directory_.c_str(), 0700), 0);
  EXPECT_TRUE(holds_as(54321, 54321, [&] {
    return open_error(path.c_str()) == -EACCES && says("its directory is closed to you");
  }));
}

TEST_F(OpenErrors, EachThreadHasItsOwnExplanation) {
  EXPECT_EQ(open_error("/dev/null"), -ENOTTY);
  pthread_t other;
  const auto open_another = [](void*) -> void* {
    EXPECT_EQ(why(), "");
    EXPECT_EQ(open_error("/dev/zero"), -ENOTTY);
    EXPECT_TRUE(says("/dev/zero: "));
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&other, nullptr, open_another, nullptr), 0);
  ASSERT_EQ(pthread_join(other, nullptr), 0);
  EXPECT_TRUE(says("/dev/null: ")) << why();
}

TEST_F(OpenErrors, AnExplanationIsCutToTheBuffer) {
  EXPECT_EQ(open_error("/dev/null"), -ENOTTY);
  const std::string whole = why();
  char text[8] = "-------";
  EXPECT_EQ(ipn_explain(nullptr, text, sizeof text), static_cast<ssize_t>(whole.size()));
  EXPECT_EQ(std::string(text), whole.substr(0, sizeof text - 1));
  EXPECT_EQ(ipn_explain(nullptr, nullptr, 0), static_cast<ssize_t>(whole.size()));
  EXPECT_EQ(ipn_explain(nullptr, nullptr, 1), -EINVAL);
}

TEST(NoNode, EveryCallIsRefused) {
  char byte = 0;
  uint32_t value = 0;
  struct ipn_info info = {};
  info.size = sizeof info;
  const std::pair<const char*, ssize_t> results[] = {
      {"bind", ipn_bind(nullptr, "chat", IPN_BROADCAST)},
      {"connect", ipn_connect(nullptr, "chat", IPN_ANY, 0)},
      {"send", ipn_send(nullptr, &byte, 1, 0)},
      {"recv", ipn_recv(nullptr, &byte, 1, 0)},
      {"recvmsg", ipn_recvmsg(nullptr, nullptr, &byte, 1, 0)},
      {"sendmany", ipn_sendmany(nullptr, nullptr, 0, 0)},
      {"recvmany", ipn_recvmany(nullptr, nullptr, 0, 0)},
      {"sendmsg", ipn_sendmsg(nullptr, nullptr, &byte, 1, 0)},
      {"reserve", ipn_reserve(nullptr, 1, nullptr, 0)},
      {"commit", ipn_commit(nullptr, 1, 0)},
      {"reservemany", ipn_reservemany(nullptr, nullptr, 0, 0)},
      {"commitmany", ipn_commitmany(nullptr, 1, 0)},
      {"flush", ipn_flush(nullptr)},
      {"completions", ipn_completions(nullptr, nullptr, 0, 0)},
      {"peekmany", ipn_peekmany(nullptr, nullptr, 0, 0)},
      {"release", ipn_release(nullptr, 0)},
      {"setdoor", ipn_setdoor(nullptr, IPN_DOOR_DEVICE)},
      {"reconnect", ipn_reconnect(nullptr, 0)},
      {"setopt", ipn_setopt(nullptr, IPN_OPT_MTU, 100)},
      {"getopt", ipn_getopt(nullptr, IPN_OPT_MTU, &value)},
      {"shutdown", ipn_shutdown(nullptr, IPN_SHUT_RD)},
      {"fd", ipn_fd(nullptr)},
      {"info", ipn_info(nullptr, &info)},
      {"wait_peers", ipn_wait_peers(nullptr, 1, 0)},
      {"ioctl", ipn_ioctl(nullptr, IPN_IOC_CHECK, nullptr)},
  };
  for (const auto& [name, result] : results) EXPECT_EQ(result, -EINVAL) << name;
  EXPECT_EQ(ipn_close(nullptr), 0);
}

TEST(CppNode, FailuresAreCodesOrExceptions) {
  std::error_code error;
  EXPECT_FALSE(ipn::Node::open("/dev/null", 0, error));
  EXPECT_EQ(error, std::errc::inappropriate_io_control_operation);
  try {
    ipn::Node::open("/dev/null");
    FAIL() << "opened /dev/null";
  } catch (const ipn::Error& thrown) {
    EXPECT_EQ(thrown.code(), error);
    EXPECT_EQ(thrown.what(), why());
  }
}

TEST(CppNode, AnEmptyNodeRefusesEverything) {
  ipn::Node node;
  ipn::Node moved = std::move(node);
  std::error_code error;
  EXPECT_FALSE(moved);
  moved.bind("chat", IPN_BROADCAST, error);
  EXPECT_EQ(error, std::errc::invalid_argument);
  EXPECT_THROW(moved.send("text"), ipn::Error);
  EXPECT_EQ(moved.fd(), -EINVAL);
  EXPECT_EQ(moved.info().size, 0u);
  EXPECT_EQ(moved.explain(), "");
  error = std::make_error_code(std::errc::io_error);
  std::byte room[1];
  EXPECT_FALSE(moved.receive(room, 0, nullptr, error));
  EXPECT_EQ(error, std::errc::invalid_argument);
}

}  // namespace
