// SPDX-License-Identifier: MIT
//
// What needs descriptors and processes: epoll, dup, fork, kill -9, namespaces.
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "tests/device/process.h"
#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

class Epoll {
 public:
  Epoll() : fd_(epoll_create1(EPOLL_CLOEXEC)) { EXPECT_GE(fd_, 0); }
  ~Epoll() { close(fd_); }
  void control(int operation, const File& file, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    EXPECT_EQ(epoll_ctl(fd_, operation, file.descriptor(), &event), 0);
  }
  void add(const File& file, std::uint32_t events) const { control(EPOLL_CTL_ADD, file, events); }
  /// The events of the one file, 0 if there are none now.
  std::uint32_t now() const { return wait(0); }
  /// The same, but something has to come.
  std::uint32_t later() const {
    constexpr int kMilliseconds = 30'000;
    const std::uint32_t events = wait(kMilliseconds);
    EXPECT_NE(events, 0U) << "nothing comes";
    return events;
  }

 private:
  std::uint32_t wait(int milliseconds) const {
    epoll_event event{};
    const int ready = epoll_wait(fd_, &event, 1, milliseconds);
    EXPECT_GE(ready, 0);
    return ready > 0 ? event.events : 0;
  }
  const int fd_;
};

constexpr std::uint32_t kMasks[] = {
    EPOLLIN,  EPOLLRDNORM,        EPOLLIN | EPOLLRDNORM,
    EPOLLOUT, EPOLLWRNORM,        EPOLLOUT | EPOLLWRNORM,
    EPOLLHUP, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM};
constexpr std::uint32_t kIn = EPOLLIN | EPOLLRDNORM;
constexpr std::uint32_t kOut = EPOLLOUT | EPOLLWRNORM;

TEST_F(SystemCalls, LevelTriggeredEpollReportsWhatIsThereAsLongAsItIs) {
  for (const std::uint32_t mask : kMasks) {
    SCOPED_TRACE(mask);
    const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
    const auto a = member(*net);
    const auto b = member(*net);
    const Epoll of_a, of_b;
    of_a.add(*a, mask);
    of_b.add(*b, mask);
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(of_b.now(), mask & kOut);
      ASSERT_EQ(a->write("x"), value(1));
      if ((mask & kIn) != 0) {
        EXPECT_EQ(of_b.later(), mask & kIn);
      }
      for (int again = 0; again < 2; ++again) {
        EXPECT_EQ(of_b.now(), mask & kIn);
        EXPECT_EQ(of_a.now(), 0U);
      }
      EXPECT_EQ(b->read(9), message("x"));
      if ((mask & kOut) != 0) {
        EXPECT_EQ(of_a.later(), mask & kOut);
      }
      EXPECT_EQ(of_a.now(), mask & kOut);
    }
  }
}

TEST_F(SystemCalls, EdgeTriggeredEpollReportsEveryNewMessageOnce) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const Epoll epoll;
  epoll.add(*b, EPOLLIN | EPOLLET);
  EXPECT_EQ(epoll.now(), 0U);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(a->write("x"), value(1));
    EXPECT_EQ(epoll.later(), std::uint32_t{EPOLLIN});
    EXPECT_EQ(epoll.now(), 0U) << "reported, and nothing is new";
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(b->read(9), message("x"));
  ASSERT_EQ(a->write("x"), value(1));
  EXPECT_EQ(epoll.later(), std::uint32_t{EPOLLIN});
}

TEST_F(SystemCalls, EdgeTriggeredEpollReportsNewRoom) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  a->set_nonblocking(true);
  const Epoll epoll;
  epoll.add(*a, EPOLLIN | EPOLLOUT | EPOLLET);
  EXPECT_EQ(epoll.now(), std::uint32_t{EPOLLOUT});
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(a->write("x"), value(1));
    // As epoll(7) says: to the end, and then wait.
    EXPECT_EQ(a->write("y"), failure(EAGAIN));
    EXPECT_EQ(epoll.now(), 0U);
    EXPECT_EQ(b->read(9), message("x"));
    EXPECT_EQ(epoll.later(), std::uint32_t{EPOLLOUT});
  }
}

TEST_F(SystemCalls, OneshotEpollReportsOnceAndAgainWhenArmed) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const Epoll epoll;
  epoll.add(*b, EPOLLIN | EPOLLONESHOT);
  ASSERT_EQ(a->write("x"), value(1));
  EXPECT_EQ(epoll.later(), std::uint32_t{EPOLLIN});
  ASSERT_EQ(a->write("y"), value(1));
  EXPECT_EQ(epoll.now(), 0U);
  epoll.control(EPOLL_CTL_MOD, *b, EPOLLIN | EPOLLONESHOT);
  EXPECT_EQ(epoll.later(), std::uint32_t{EPOLLIN});
}

TEST_F(SystemCalls, EpollReportsTheEndWhateverTheMask) {
  auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const Epoll level, edge;
  level.add(*a, 0);
  edge.add(*b, EPOLLET);
  EXPECT_EQ(net_end(net->admin(), name()), 0);
  EXPECT_EQ(level.later(), std::uint32_t{EPOLLHUP});
  EXPECT_EQ(edge.later(), std::uint32_t{EPOLLHUP});
}

TEST_F(SystemCalls, ManyPollersInManyPlacesAllWake) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const std::array<Epoll, 4> epolls;
  for (const Epoll& epoll : epolls) epoll.add(*b, EPOLLIN);
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  for (int i = 0; i < 4; ++i) sleepers.push_back(sleeping(b->start_poll(POLLIN)));
  ASSERT_EQ(a->write("x"), value(1));
  for (const auto& sleeper : sleepers) EXPECT_EQ(sleeper->wait(), value(POLLIN));
  for (const Epoll& epoll : epolls) EXPECT_EQ(epoll.later(), std::uint32_t{EPOLLIN});
}

TEST_F(SystemCalls, DescriptorsOfOneFileAreOneNode) {
  const auto net = network();
  const auto a = member(*net);
  auto b = member(*net);
  const int copy = dup(b->descriptor());
  ASSERT_GE(copy, 0);
  EXPECT_EQ(net->record().nodes, 2U);
  ASSERT_EQ(a->write("1"), value(1));
  ASSERT_EQ(a->write("2"), value(1));
  char byte = 0;
  EXPECT_EQ(::read(copy, &byte, 1), 1);
  EXPECT_EQ(byte, '1');
  EXPECT_EQ(b->read(9), message("2"));
  b.reset();
  ASSERT_EQ(a->write("3"), value(1));
  EXPECT_EQ(::read(copy, &byte, 1), 1) << "the node lives until its last descriptor";
  EXPECT_EQ(byte, '3');
  close(copy);
  EXPECT_TRUE(world().eventually([&] { return net->record().nodes == 1; }));
}

TEST_F(SystemCalls, AForkedChildSharesTheNode) {
  const auto net = network();
  const auto a = member(*net);
  auto b = member(*net);
  ASSERT_EQ(a->write("for the child"), value(13));
  Process child([&] {
    std::array<char, 100> buffer;
    const ssize_t got = ::read(b->descriptor(), buffer.data(), buffer.size());
    return got == 13 && ::write(b->descriptor(), "thanks", 6) == 6 ? 0 : 1;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(a->read(100), message("thanks"));
  EXPECT_EQ(net->record().nodes, 2U) << "the child's end is not the node's";
}

TEST_F(SystemCalls, ClosingADescriptorInTheMiddleOfAReadDoesNotDisturbIt) {
  const auto net = network();
  const auto a = member(*net);
  auto b = member(*net);
  const auto reader = sleeping(b->start_read(100));
  const int other = raw_open();
  ASSERT_EQ(dup2(other, b->descriptor()), b->descriptor()) << "closes the node's descriptor";
  close(other);
  EXPECT_EQ(net->record().nodes, 2U) << "the read holds the file";
  ASSERT_EQ(a->write("late"), value(4));
  EXPECT_EQ(reader->wait(), message("late"));
  EXPECT_TRUE(world().eventually([&] { return net->record().nodes == 1; }));
}

TEST_F(SystemCalls, AKilledClientLeavesNothingBehind) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net, IPN_ROLE_RECV);
  const auto lonely = network({}, "Lonely");
  std::vector<std::unique_ptr<Process>> processes;
  const auto client = [&](const std::function<void(int)>& body) {
    processes.push_back(std::make_unique<Process>([&] {
      const int fd = raw_open();
      if (fd < 0) return 1;
      body(fd);
      return 1;  // not killed: the body must not return
    }));
  };
  const auto filler = member(*net);
  ASSERT_EQ(filler->write("full"), value(4));
  std::array<char, 100> buffer;
  client([&](int fd) {
    if (raw_connect(fd, "Lonely")) (void)!::read(fd, buffer.data(), buffer.size());
  });
  client([&](int fd) {
    if (raw_connect(fd, name(), IPN_ROLE_SEND)) (void)!::write(fd, "more", 4);
  });
  client([&](int fd) {
    ipn_wait_peers request = wait_peers_of(99, 0);
    if (raw_connect(fd, "Lonely")) ioctl(fd, IPN_IOC_WAIT_PEERS, &request);
  });
  client([&](int fd) {
    pollfd entry{fd, POLLIN, 0};
    if (raw_connect(fd, "Lonely")) ::poll(&entry, 1, -1);
  });
  EXPECT_TRUE(world().eventually(
      [&] { return net->record().blocked_senders == 1 && lonely->record().nodes == 3; }));
  for (const auto& process : processes) process->kill_and_reap();
  EXPECT_TRUE(world().eventually([&] {
    return net->record().blocked_senders == 0 && net->record().nodes == 2 &&
           lonely->record().nodes == 0 && stats(*a).uid_parked_bytes == 0;
  }));
  EXPECT_EQ(a->read(9), message("full"));
  EXPECT_EQ(filler->write("next"), value(4));
  EXPECT_EQ(a->read(9), message("next")) << "what was parked went with its sender";
}

TEST_F(SystemCalls, AKilledReceiverLetsSendersGo) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net, IPN_ROLE_SEND);
  Process receiver([&] {
    const int fd = raw_open();
    if (fd >= 0 && raw_connect(fd, name())) pause();
    return 1;
  });
  EXPECT_TRUE(world().eventually([&] { return net->record().readers == 1; }));
  ASSERT_EQ(a->write("1"), value(1));
  const auto writer = sleeping(a->start_write("2"));
  receiver.kill_and_reap();
  EXPECT_EQ(writer->wait(), value(1));
}

TEST_F(SystemCalls, ANodeRecordNamesItsProcess) {
  const auto net = network();
  const auto a = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*a, join), 0);
  EXPECT_EQ(record_of(*a, join.node).pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(std::string(record_of(*a, join.node).program), "ipn-scenarios");
}

TEST_F(SystemCalls, PiecesOfAWritevAreOneMessage) {
  const auto net = network({.mtu = 65536});
  const auto a = member(*net);
  const auto b = member(*net);
  std::string first(1000, '1'), second(30'000, '2');
  std::array<iovec, 2> parts = {iovec{first.data(), first.size()},
                                iovec{second.data(), second.size()}};
  EXPECT_EQ(writev(a->descriptor(), parts.data(), 2), 31'000);
  EXPECT_EQ(b->read(65536), message(first + second));
  ASSERT_EQ(a->write("x"), value(1));
  std::array<char, 2> head{}, tail{};
  parts = {iovec{head.data(), 2}, iovec{tail.data(), 2}};
  EXPECT_EQ(readv(b->descriptor(), parts.data(), 2), 1);
}

TEST_F(SystemCalls, AWriteLongerThanTheKernelsPiecesIsRefusedWhole) {
  const auto net = network({.mtu = 65536});
  const auto a = member(*net);
  const auto b = member(*net);
  for (const std::size_t size : {65793U, 126977U, 200'000U, 1'000'000U}) {
    EXPECT_EQ(a->write(std::string(size, 'x')), failure(EMSGSIZE)) << size;
  }
  b->set_nonblocking(true);
  EXPECT_EQ(b->read(1'000'000), failure(EAGAIN));
}

TEST_F(SystemCalls, ALongReadReturnsOneMessage) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("one"), value(3));
  ASSERT_EQ(a->write("two"), value(3));
  EXPECT_EQ(b->read(1'000'000), message("one"));
  EXPECT_EQ(b->read(1'000'000), message("two"));
}

TEST_F(SystemCalls, ABadAddressIsRefusedAndNothingIsSent) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  void* hole = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(hole, MAP_FAILED);
  EXPECT_EQ(::write(a->descriptor(), hole, 10), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(ioctl(a->descriptor(), IPN_IOC_STATS, hole), -1);
  EXPECT_EQ(errno, EFAULT);
  munmap(hole, 4096);
  b->set_nonblocking(true);
  EXPECT_EQ(b->read(9), failure(EAGAIN));
}

/// In a user namespace of its own everybody has all capabilities, and is root.
TEST_F(SystemCalls, AUserNamespaceGivesNoRights) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network({.mode = 0700});
  enum { kGood = 0, kNoNamespace = 42 };
  Process child([&] {
    if (setgid(somebody().gid) != 0 || setgroups(0, nullptr) != 0) return 2;
    if (setuid(somebody().uid) != 0) return 3;
    prctl(PR_SET_DUMPABLE, 1);  // /proc/self is ours again
    if (unshare(CLONE_NEWUSER) != 0) return int{kNoNamespace};
    const int map = ::open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    const std::string line = "0 " + std::to_string(somebody().uid) + " 1";
    if (map < 0 || ::write(map, line.data(), line.size()) < 0 || geteuid() != 0) return 4;
    const int fd = raw_open();
    if (fd < 0) return 5;
    if (raw_connect(fd, name()) || errno != EACCES) return 6;
    ipn_netcfg config = config_of(name());
    if (ioctl(fd, IPN_IOC_NET_GET, &config) == 0 || errno != EACCES) return 7;
    if (ioctl(fd, IPN_IOC_NET_END, &config) == 0 || errno != EACCES) return 8;
    auto mine = sized<ipn_stats>();
    if (ioctl(fd, IPN_IOC_STATS, &mine) != 0) return 9;
    return mine.uid == somebody().uid && mine.exempt == 0 ? int{kGood} : 10;
  });
  const int status = child.wait();
  if (status == kNoNamespace) GTEST_SKIP() << "this kernel gives users no namespaces";
  EXPECT_EQ(status, int{kGood});
}

}  // namespace
}  // namespace ipn::scenarios
