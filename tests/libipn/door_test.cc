// SPDX-License-Identifier: MIT
//
// The way of messages: the environment, changing doors in the middle of traffic,
// fork. Suites named Fast... need shared memory and run with IPN_FASTPATH=require.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "tests/libipn/support.h"

namespace ipn::library_tests {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Another value of IPN_FASTPATH, for a while.
class Environment {
 public:
  explicit Environment(const char* value) {
    const char* before = std::getenv("IPN_FASTPATH");
    before_ = before != nullptr ? before : "";
    setenv("IPN_FASTPATH", value, 1);
  }
  ~Environment() { setenv("IPN_FASTPATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST(Door, TheEnvironmentHasToMakeSense) {
  const Environment environment("yes");
  const Node node;
  ASSERT_EQ(ipn_bind(node, new_name().c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(ipn_connect(node, nullptr, IPN_ANY, 0), -EINVAL);
  EXPECT_TRUE(contains(explain(node), "IPN_FASTPATH has another value than 0, 1 or require"))
      << explain(node);
  EXPECT_EQ(info_of(node).port, IPN_PORT_ANY) << "nothing was done";
}

TEST(Door, TheEnvironmentTurnsSharedMemoryOff) {
  const Environment environment("0");
  const Node node = member(new_name());
  EXPECT_NE(info_of(node).door, unsigned{IPN_DOOR_FAST});
  EXPECT_STREQ(info_of(node).door_reason, "IPN_FASTPATH is 0");
  EXPECT_EQ(ipn_setdoor(node, IPN_DOOR_FAST), -EOPNOTSUPP);
  EXPECT_TRUE(contains(explain(node),
                       "changing door: messages cannot go through shared memory: "
                       "IPN_FASTPATH is 0"))
      << explain(node);
  EXPECT_EQ(ipn_setdoor(node, IPN_DOOR_DEVICE), 0) << explain(node);
}

TEST(Door, IsRefusedToNodesWithoutANetworkAndForOtherDoors) {
  const Node free_node, node = member(new_name());
  EXPECT_EQ(ipn_setdoor(free_node, IPN_DOOR_FAST), -ENOTCONN);
  EXPECT_EQ(ipn_setdoor(node, IPN_DOOR_FILE), -EINVAL);
  EXPECT_EQ(ipn_setdoor(node, 99), -EINVAL);
}

TEST(Reconnecting, JoinsANewNetworkOfThatNameAfterTheEnd) {
  const std::string net = new_name();
  Node a;
  ASSERT_EQ(ipn_setopt(a, IPN_OPT_MTU, 77), 0) << explain(a);
  ASSERT_EQ(ipn_bind(a, net.c_str(), IPN_BROADCAST), 0) << explain(a);
  ASSERT_EQ(ipn_connect(a, nullptr, IPN_ANY, 0), 0) << explain(a);
  const Node b = member(net, IPN_ROLE_RECV);
  const struct ipn_info before = info_of(a);
  const std::uint32_t roles = info_of(b).roles;
  const int fd = ipn_fd(a);
  end_network_of(a);
  ASSERT_EQ(ipn_reconnect(a, 0), 0) << explain(a);
  ASSERT_EQ(ipn_reconnect(b, 0), 0) << explain(b);
  EXPECT_EQ(ipn_fd(a), fd);
  EXPECT_NE(info_of(a).net, before.net);
  EXPECT_EQ(info_of(a).port, before.port);
  EXPECT_EQ(info_of(a).door, before.door);
  EXPECT_EQ(info_of(b).roles, roles);
  std::uint32_t mtu = 0;
  EXPECT_EQ(ipn_getopt(b, IPN_OPT_MTU, &mtu), 0) << explain(b);
  EXPECT_EQ(mtu, 77U);
  send(a, "again");
  EXPECT_EQ(receive(b), "again");
}

TEST(Reconnecting, TellsWhyItFails) {
  const std::string net = new_name();
  const Node owner = member(net);
  const Node guest;
  ASSERT_EQ(ipn_connect(guest, net.c_str(), IPN_ANY, 0), 0) << explain(guest);
  end_network_of(owner);
  EXPECT_EQ(ipn_reconnect(guest, 0), -ENOENT) << "nobody has made it again";
  EXPECT_TRUE(contains(explain(guest), "connecting")) << explain(guest);
  EXPECT_EQ(ipn_reconnect(guest, 30), -ETIMEDOUT);
  EXPECT_TRUE(contains(explain(guest), "reconnecting")) << explain(guest);
  Call call([&guest] { return ipn_reconnect(guest, -1); });
  const Node maker = member(net);
  EXPECT_EQ(call.result(), 0);
  send(maker, "back");
  EXPECT_EQ(receive(guest), "back");
}

// Shared memory ---------------------------------------------------------------------

TEST(FastDoor, IsTheUsualOne) {
  const Node node = member(new_name());
  EXPECT_EQ(info_of(node).door, unsigned{IPN_DOOR_FAST});
  EXPECT_STREQ(info_of(node).door_reason, "");
  EXPECT_EQ(ipn_setdoor(node, IPN_DOOR_FAST), 0) << explain(node);
  EXPECT_EQ(ipn_setdoor(node, IPN_DOOR_DEVICE), 0) << explain(node);
  EXPECT_NE(info_of(node).door, unsigned{IPN_DOOR_FAST});
  EXPECT_STREQ(info_of(node).door_reason, "chosen by ipn_setdoor()");
  EXPECT_EQ(ipn_setdoor(node, IPN_DOOR_FAST), 0) << explain(node);
  EXPECT_EQ(info_of(node).door, unsigned{IPN_DOOR_FAST});
}

TEST(FastDoor, HasNoUseForOtherDescriptorsThanTheSocket) {
  const int before = dup(0);
  close(before);
  const Node node = member(new_name());
  const int after = dup(0);
  close(after);
  EXPECT_EQ(after, before + 2) << "the device and the socket";
}

enum class Side { kSender, kReceiver, kBoth };
struct Stream {
  Side side;
  bool lossless;
};
class FastStream : public ::testing::TestWithParam<Stream> {};

/// A stream in which a side changes its door at every message.
TEST_P(FastStream, ThatChangesDoorAtEveryMessageIsWhole) {
  constexpr unsigned kMessages = 1000;
  const Side side = GetParam().side;
  const std::string net = new_name();
  const Node a = GetParam().lossless ? lossless_member(net, 16) : member(net);
  const Node b = member(net);
  const auto change = [](ipn_node* node, unsigned i) {
    const unsigned door = i % 2 == 0 ? IPN_DOOR_DEVICE : IPN_DOOR_FAST;
    ASSERT_EQ(ipn_setdoor(node, door), 0) << explain(node);
  };
  std::thread receiver([&] {
    for (unsigned i = 0; i < kMessages; ++i) {
      if (side != Side::kSender) change(b, i);
      unsigned value = ~0U;
      ASSERT_EQ(ipn_recv(b, &value, sizeof value, 0), static_cast<ssize_t>(sizeof value))
          << explain(b);
      ASSERT_EQ(value, i);
    }
  });
  for (unsigned i = 0; i < kMessages; ++i) {
    if (side != Side::kReceiver) change(a, i + 1);
    ASSERT_EQ(ipn_send(a, &i, sizeof i, 0), static_cast<ssize_t>(sizeof i)) << explain(a);
  }
  receiver.join();
  char byte = 0;
  EXPECT_EQ(ipn_recv(b, &byte, 1, IPN_MSG_DONTWAIT), -EAGAIN);
}

std::string name_of(const ::testing::TestParamInfo<Stream>& instance) {
  const char* const sides[] = {"Sender", "Receiver", "Both"};
  return std::string(sides[static_cast<int>(instance.param.side)]) +
         (instance.param.lossless ? "Lossless" : "Lossy");
}

INSTANTIATE_TEST_SUITE_P(Sides, FastStream,
                         ::testing::Values(Stream{Side::kSender, false},
                                           Stream{Side::kReceiver, false},
                                           Stream{Side::kBoth, false}, Stream{Side::kSender, true},
                                           Stream{Side::kReceiver, true},
                                           Stream{Side::kBoth, true}),
                         name_of);

TEST(FastSwitching, WhatIsShownInPlaceIsReleasedOnce) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 16), b = member(net);
  for (const char* text : {"1", "2", "3", "4"}) send(a, text);
  drained(a);
  ipn_view views[3];
  ASSERT_EQ(ipn_peekmany(b, views, 3, 0), 3) << explain(b);
  ASSERT_EQ(ipn_setdoor(b, IPN_DOOR_DEVICE), 0) << explain(b);
  EXPECT_EQ(*static_cast<const char*>(views[2].data), '3') << "still valid";
  EXPECT_EQ(ipn_setdoor(b, IPN_DOOR_FAST), -EAGAIN) << "not while they are shown";
  EXPECT_EQ(ipn_peekmany(b, views, 3, 0), 3) << "the same again: " << explain(b);
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  EXPECT_EQ(receive(b), "2");
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  EXPECT_EQ(receive(b), "4");
  EXPECT_EQ(ipn_setdoor(b, IPN_DOOR_FAST), 0) << explain(b);
  send(a, "5");
  EXPECT_EQ(receive(b), "5");
}

TEST(FastSwitching, CopiesThatAreHeldComeFirst) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  for (const char* text : {"1", "2", "3"}) send(a, text);
  drained(a);
  ipn_view views[2];
  ASSERT_EQ(ipn_peekmany(b, views, 2, 0), 2) << explain(b);
  ASSERT_EQ(ipn_setdoor(b, IPN_DOOR_DEVICE), 0) << explain(b);
  EXPECT_EQ(receive(b), "1");
  ASSERT_EQ(ipn_setdoor(b, IPN_DOOR_FAST), 0) << explain(b);
  EXPECT_EQ(*static_cast<const char*>(views[1].data), '2');
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  EXPECT_EQ(receive(b), "3");
}

TEST(FastSwitching, CompletionsStayInOrder) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  ipn_msg header{};
  header.flags = IPN_MSG_REPORT;
  for (unsigned i = 0; i < 8; ++i) {
    ASSERT_EQ(ipn_setdoor(a, i / 2 % 2 == 0 ? IPN_DOOR_FAST : IPN_DOOR_DEVICE), 0) << explain(a);
    header.cookie = i;
    ASSERT_EQ(ipn_sendmsg(a, &header, "x", 1, 0), 1) << explain(a);
  }
  ipn_completion done[8];
  unsigned got = 0;
  while (got < 8) {
    const int more = ipn_completions(a, done + got, 8 - got, 0);
    ASSERT_GT(more, 0) << explain(a);
    got += static_cast<unsigned>(more);
  }
  for (unsigned i = 0; i < 8; ++i) {
    EXPECT_EQ(done[i].cookie, i);
    EXPECT_EQ(done[i].receivers, 1U);
    EXPECT_EQ(done[i].seq, done[0].seq + i);
  }
}

TEST(FastSwitching, WhatHasMoreToComeGoesBeforeTheDoorChanges) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  void* room = nullptr;
  ASSERT_EQ(ipn_reserve(a, 1, &room, 0), 0) << explain(a);
  *static_cast<char*>(room) = '1';
  ASSERT_EQ(ipn_commit(a, 1, IPN_MORE), 1) << explain(a);
  ASSERT_EQ(ipn_setdoor(a, IPN_DOOR_DEVICE), 0) << explain(a);
  send(a, "2");
  EXPECT_EQ(receive(b), "1");
  EXPECT_EQ(receive(b), "2");
}

TEST(FastSwitching, WhatIsReservedWhenTheRingClosesGoesByTheDevice) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  send(a, "0");
  ipn_buf bufs[3] = {{nullptr, 1, 0, nullptr}, {nullptr, 2, 0, nullptr}, {nullptr, 0, 0, nullptr}};
  ASSERT_EQ(ipn_reservemany(a, bufs, 3, 0), 3) << explain(a);
  std::memcpy(bufs[0].data, "1", 1);
  std::memcpy(bufs[1].data, "22", 2);
  ipn_attach detaching{};
  detaching.size = sizeof detaching;
  ASSERT_EQ(ipn_ioctl(a, IPN_IOC_DETACH, &detaching), 0) << explain(a);
  EXPECT_EQ(ipn_commitmany(a, 3, 0), 3) << explain(a);
  EXPECT_STREQ(info_of(a).door_reason, "moved by the daemon");
  for (const char* text : {"0", "1", "22", ""}) EXPECT_EQ(receive(b), text);
}

// A read of the device file, past the library, moves the receiving side for good.
TEST(FastSwitching, TheDaemonMovesAReaderAndTheLibraryGoesOnThere) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 64), b = member(net);
  for (unsigned i = 0; i < 6; ++i) send(a, std::to_string(i));
  drained(a);
  EXPECT_EQ(receive(b), "0");
  char raw[IPN_MSG_HDR + 8];
  ASSERT_EQ(read(ipn_fd(b), raw, sizeof raw), IPN_MSG_HDR + 1);
  EXPECT_EQ(raw[IPN_MSG_HDR], '1');
  for (unsigned i = 2; i < 6; ++i) EXPECT_EQ(receive(b), std::to_string(i));
  EXPECT_STREQ(info_of(b).door_reason, "moved by the daemon");
  // With nothing to read it attaches again, though not at once.
  EXPECT_TRUE(eventually([&] {
    char text[8];
    EXPECT_EQ(ipn_recv(b, text, sizeof text, IPN_MSG_DONTWAIT), -EAGAIN);
    return info_of(b).door_reason[0] == '\0';
  }));
  send(a, "6");
  EXPECT_EQ(receive(b), "6");
}

// Its message waits for room that only it can make.
TEST(FastSwitching, WhoHoldsItselfUpIsToldInsteadOfWaiting) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 2), b = member(net);
  send(b, "1");
  send(b, "2");
  drained(b);
  send(a, "3");
  EXPECT_EQ(ipn_setdoor(a, IPN_DOOR_DEVICE), -EAGAIN);
  EXPECT_NE(explain(a).find("wait for room"), std::string::npos) << explain(a);
  EXPECT_EQ(receive(a), "1");
  EXPECT_EQ(receive(a), "2");
  EXPECT_TRUE(eventually([&] { return ipn_setdoor(a, IPN_DOOR_DEVICE) == 0; })) << explain(a);
  EXPECT_EQ(receive(b), "3");
}

/// A policy of its own for what overflows: that node is moved to a log of its own.
int drop_newest(ipn_node* caller, std::uint64_t node) {
  ipn_nodecfg config{};
  config.size = sizeof config;
  config.flags = IPN_NODECFG_OVERFLOW;
  config.node = node;
  config.overflow = IPN_OVERFLOW_DROP_NEWEST;
  return ipn_ioctl(caller, IPN_IOC_NODE_SET, &config);
}

TEST(FastSwitching, ANodeThatGetsALogOfItsOwnReceivesNothingTwice) {
  for (const bool lossless : {true, false}) {
    const std::string net = new_name();
    const Node a = lossless ? lossless_member(net, 64) : member(net), b = member(net);
    for (unsigned i = 0; i < 6; ++i) send(a, std::to_string(i));
    drained(a);
    EXPECT_EQ(receive(b), "0");
    ipn_view views[3];
    ASSERT_EQ(ipn_peekmany(b, views, 3, 0), 3) << explain(b);
    ASSERT_EQ(drop_newest(b, 0), 0) << explain(b);
    send(a, "6");
    drained(a);
    EXPECT_EQ(std::string(static_cast<const char*>(views[2].data), views[2].len), "3");
    ASSERT_EQ(ipn_release(b, 1), 0) << explain(b);
    EXPECT_EQ(receive(b), "2") << "shown and not released";
    ASSERT_EQ(ipn_release(b, 1), 0) << explain(b);
    for (unsigned i = 4; i < 7; ++i) EXPECT_EQ(receive(b), std::to_string(i)) << lossless;
    char text[4];
    EXPECT_EQ(ipn_recv(b, text, sizeof text, IPN_MSG_DONTWAIT), -EAGAIN);
  }
}

TEST(FastSwitching, ANodeThatGetsALogOfItsOwnWhileItReceivesReceivesNothingTwice) {
  constexpr std::uint64_t kMessages = 3000;
  constexpr unsigned kRounds = 30;
  for (unsigned round = 0; round < kRounds; ++round) {
    const std::string net = new_name();
    const Node a = lossless_member(net, 512), b = member(net);
    const std::uint64_t receiver = info_of(b).node;
    std::atomic<bool> is_over{false};
    Call call([&] {
      for (std::uint64_t i = 0; i < kMessages || !is_over; ++i) {
        const std::uint64_t number = std::min(i, kMessages);  // the last one until it came
        if (ipn_send(a, &number, sizeof number, 0) < 0) return -1;
        if (i == 1000 + 20 * round && drop_newest(a, receiver) != 0) return -1;
      }
      return 0;
    });
    std::vector<std::uint64_t> numbers(100);
    std::vector<ipn_buf> bufs;
    for (auto& number : numbers) bufs.push_back({&number, sizeof number, 0, nullptr});
    for (std::uint64_t next = 0; next < kMessages;) {
      const int got = ipn_recvmany(b, bufs.data(), 100, 0);
      ASSERT_GT(got, 0) << explain(b);
      for (int i = 0; i < got && next <= kMessages; ++i) {
        const std::uint64_t number = numbers[static_cast<unsigned>(i)];
        // Some may be lost, which is what it asked for.
        ASSERT_GE(number, next) << "again, in round " << round;
        next = number + 1;
      }
    }
    is_over = true;
    EXPECT_EQ(call.result(), 0) << explain(a);
  }
}

// Epochs --------------------------------------------------------------------------

/// Somebody else who has the log in his memory is kicked: the log goes on elsewhere.
void begin_epoch(const std::string& net) {
  const Node leaver = member(net);
  ASSERT_TRUE(is_fast(leaver));
  kick(leaver);
}

class FastEpochs : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Networks, FastEpochs, ::testing::Bool(), [](const auto& instance) {
  return instance.param ? "Lossless" : "Lossy";
});

TEST_P(FastEpochs, FollowEachOtherWithoutALoss) {
  const std::string net = new_name();
  const Node a = GetParam() ? lossless_member(net, 64) : member(net), b = member(net);
  unsigned next = 0;
  for (unsigned epoch = 0; epoch < 8; ++epoch) {
    for (unsigned i = 0; i < epoch; ++i) send(a, std::to_string(epoch * 10 + i));
    drained(a);
    begin_epoch(net);
    send(a, "last");
    // Read after the next epoch has begun, or two of them later.
    if (epoch % 2 == 0) continue;
    for (unsigned old = epoch - 1; old <= epoch; ++old) {
      for (unsigned i = 0; i < old; ++i) EXPECT_EQ(receive(b), std::to_string(old * 10 + i));
      EXPECT_EQ(receive(b), "last");
      ++next;
    }
  }
  EXPECT_EQ(next, 8U);
  EXPECT_TRUE(is_fast(b)) << info_of(b).door_reason;
  EXPECT_STREQ(info_of(b).door_reason, "");
}

TEST_P(FastEpochs, WakeWhoSleepsInAnOlderOne) {
  const std::string net = new_name();
  const Node a = GetParam() ? lossless_member(net, 64) : member(net), b = member(net);
  for (int i = 0; i < 3; ++i) {
    Call call([&b] {
      char text[8];
      return ipn_recv(b, text, sizeof text, 0);
    });
    EXPECT_FALSE(call.is_done());
    begin_epoch(net);
    EXPECT_FALSE(call.is_done());
    send(a, "abc");
    EXPECT_EQ(call.result(), 3);
  }
  EXPECT_TRUE(is_fast(b)) << info_of(b).door_reason;
}

TEST_P(FastEpochs, AreReadBeforeTheDoorIsChosenAgain) {
  const std::string net = new_name();
  const Node a = GetParam() ? lossless_member(net, 64) : member(net), b = member(net);
  ASSERT_EQ(ipn_setdoor(b, IPN_DOOR_DEVICE), 0) << explain(b);
  send(a, "old");
  drained(a);
  begin_epoch(net);
  const int early = ipn_setdoor(b, IPN_DOOR_FAST);
  EXPECT_EQ(early, -EAGAIN);
  EXPECT_NE(explain(b).find("messages of an older epoch are unread"), std::string::npos)
      << explain(b);
  EXPECT_EQ(receive(b), "old");
  EXPECT_EQ(ipn_setdoor(b, IPN_DOOR_FAST), 0) << explain(b);
  send(a, "new");
  EXPECT_EQ(receive(b), "new");
}

TEST(FastEpoch, LeavesWhatIsShownWhereItIs) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 64), b = member(net);
  for (const char* text : {"1", "2", "3"}) send(a, text);
  drained(a);
  ipn_view views[4];
  ASSERT_EQ(ipn_peekmany(b, views, 2, 0), 2) << explain(b);
  begin_epoch(net);
  send(a, "4");
  drained(a);
  ASSERT_EQ(ipn_peekmany(b, views, 4, 0), 3) << "not into the next epoch";
  EXPECT_EQ(*static_cast<const char*>(views[2].data), '3');
  EXPECT_EQ(ipn_release(b, 3), 0) << explain(b);
  ASSERT_EQ(ipn_peekmany(b, views, 4, 0), 1) << explain(b);
  EXPECT_EQ(*static_cast<const char*>(views[0].data), '4');
}

// Fork ----------------------------------------------------------------------------

TEST(FastFork, TheNodeStaysWithTheParent) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  EXPECT_TRUE(holds_in_child([&] {
    char text[4];
    void* room = nullptr;
    ipn_view view;
    ipn_completion done;
    ipn_buf buf{text, sizeof text, 0, nullptr};
    std::uint32_t value = 0;
    struct ipn_info info {};
    info.size = sizeof info;
    const ssize_t results[] = {
        ipn_send(a, "x", 1, 0),
        ipn_sendmsg(a, nullptr, "x", 1, 0),
        ipn_sendmany(a, &buf, 1, 0),
        ipn_reserve(a, 1, &room, 0),
        ipn_commit(a, 0, 0),
        ipn_reservemany(a, &buf, 1, 0),
        ipn_commitmany(a, 0, 0),
        ipn_flush(a),
        ipn_completions(a, &done, 1, 0),
        ipn_recv(a, text, sizeof text, 0),
        ipn_recvmsg(a, nullptr, text, sizeof text, IPN_MSG_PEEK),
        ipn_recvmany(a, &buf, 1, 0),
        ipn_peekmany(a, &view, 1, 0),
        ipn_release(a, 0),
        ipn_setdoor(a, IPN_DOOR_DEVICE),
        ipn_reconnect(a, 0),
        ipn_bind(a, "x", IPN_ANY),
        ipn_connect(a, nullptr, IPN_ANY, 0),
        ipn_shutdown(a, IPN_SHUT_RD),
        ipn_setopt(a, IPN_OPT_MTU, 1),
        ipn_getopt(a, IPN_OPT_MTU, &value),
        ipn_wait_peers(a, 0, 0),
        ipn_ioctl(a, IPN_IOC_CHECK, nullptr),
        ipn_info(a, &info),
        ipn_fd(a),
    };
    for (const ssize_t result : results) {
      if (result != -ESTALE) return false;
    }
    return contains(explain(a), "belongs to the parent") && ipn_close(a) == 0;
  }));
  send(a, "still");
  EXPECT_EQ(receive(b), "still");
  send(b, "there");
  EXPECT_EQ(receive(a), "there");
  EXPECT_EQ(info_of(a).door, unsigned{IPN_DOOR_FAST});
}

TEST(FastFork, AChildMayHaveItsOwn) {
  const std::string net = new_name();
  const Node a = member(net);
  EXPECT_TRUE(holds_in_child([&] {
    const Node own = member(net);
    const bool sent = is_fast(own) && ipn_send(own, "kid", 3, 0) == 3;
    // And its child has not got that.
    return sent && holds_in_child([&] { return ipn_send(own, "x", 1, 0) == -ESTALE; }) &&
           ipn_send(a, "x", 1, 0) == -ESTALE;
  }));
  EXPECT_EQ(receive(a), "kid");
}

TEST(FastFork, DoesNotDisturbAThreadThatWaits) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  Call call([&] {
    char text[8];
    return ipn_recv(a, text, sizeof text, 0);
  });
  EXPECT_TRUE(holds_in_child([&] { return ipn_close(a) == 0; }));
  EXPECT_FALSE(call.is_done());
  send(b, "abc");
  EXPECT_EQ(call.result(), 3);
}

}  // namespace
}  // namespace ipn::library_tests
