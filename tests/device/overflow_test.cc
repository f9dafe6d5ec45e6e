// SPDX-License-Identifier: MIT
//
// What a full log does: lossy networks lose and count, lossless ones wait.
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

// 60, D55
TEST_F(EveryDoor, ASlowReaderOfALossyNetworkLosesTheOldest) {
  const auto net = network({.pool = 4});
  const auto a = member(*net);
  const auto slow = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*slow, join), 0);
  const auto fast = member(*net);
  set_header_mode(*slow);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(a->write(std::to_string(i)), value(1));
    EXPECT_EQ(fast->read(9), message(std::to_string(i)));
  }
  const Received first = read_message(*slow);
  EXPECT_EQ(first.payload, "6");
  EXPECT_EQ(first.header.count, 6U) << "lost before this one";
  EXPECT_EQ(first.header.seq, join.next_seq + 6);
  for (const char* text : {"7", "8", "9"}) {
    const Received next = read_message(*slow);
    EXPECT_EQ(next.payload, text);
    EXPECT_EQ(next.header.count, 0U);
  }
  EXPECT_EQ(record_of(*a, join.node).drops[IPN_DROP_LAPPED], 6U);
  EXPECT_EQ(net->record().drops[IPN_DROP_LAPPED], 6U);
  EXPECT_EQ(net->record().overflow, std::uint32_t{IPN_OVERFLOW_DROP_OLDEST});
}

/// A policy of its own for a node that belongs to the caller.
Answer set_overflow(File& file, std::uint32_t overflow) {
  ipn_nodecfg config{};
  config.size = sizeof config;
  config.flags = IPN_NODECFG_OVERFLOW;
  config.overflow = overflow;
  return file.ioctl(IPN_IOC_NODE_SET, &config);
}

TEST_F(EveryDoor, ANodeThatDropsTheNewestHoldsUpNobody) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 4});
  const auto a = member(*net), all = member(*net);
  const auto some = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*some, join), 0);
  set_header_mode(*some);
  ASSERT_EQ(a->write("a"), value(1));
  ASSERT_EQ(a->write("b"), value(1));
  EXPECT_EQ(all->read(9), message("a"));
  EXPECT_EQ(all->read(9), message("b"));
  EXPECT_EQ(read_message(*some).payload, "a");
  ASSERT_EQ(set_overflow(*some, IPN_OVERFLOW_DROP_NEWEST), value(0));
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(a->write(std::to_string(i)), value(1));
    EXPECT_EQ(all->read(9), message(std::to_string(i)));
  }
  for (const char* text : {"b", "0", "1", "2"}) {
    const Received received = read_message(*some);
    EXPECT_EQ(received.payload, text);
    EXPECT_EQ(received.header.count, 0U);
  }
  ASSERT_EQ(a->write("last"), value(4));
  const Received last = read_message(*some);
  EXPECT_EQ(last.payload, "last");
  EXPECT_EQ(last.header.count, 7U) << "3 to 9";
  EXPECT_EQ(record_of(*a, join.node).drops[IPN_DROP_LOG_FULL], 7U);
  EXPECT_EQ(all->read(9), message("last"));
}

TEST_F(EveryDoor, ANodeThatWantsTheLatestOnlyGetsIt) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 4});
  const auto a = member(*net), all = member(*net);
  const auto latest = open();
  ASSERT_EQ(set_overflow(*latest, IPN_OVERFLOW_LATEST), value(0)) << "before it connects";
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*latest, join), 0);
  set_header_mode(*latest);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(a->write(std::to_string(i)), value(1));
    EXPECT_EQ(all->read(9), message(std::to_string(i)));
  }
  const Received received = read_message(*latest);
  EXPECT_EQ(received.payload, "9");
  EXPECT_EQ(received.header.count, 9U);
  EXPECT_EQ(record_of(*a, join.node).drops[IPN_DROP_LAPPED], 9U);
  ASSERT_EQ(set_overflow(*latest, IPN_OVERFLOW_NETWORK), value(0));
  ASSERT_EQ(a->write("next"), value(4));
  EXPECT_EQ(read_message(*latest).payload, "next");
}

TEST_F(EveryDoor, OwnMessagesAreNoLoss) {
  const auto net = network({.pool = 4});
  const auto a = member(*net);
  const auto b = member(*net);
  set_header_mode(*b);
  ASSERT_EQ(a->write("first"), value(5));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(b->write(with_header("own")), value(IPN_MSG_HDR + 3));
  ASSERT_EQ(a->write("last"), value(4));
  const Received received = read_message(*b);
  EXPECT_EQ(received.payload, "last");
  EXPECT_EQ(received.header.count, 1U) << "only the first";
}

TEST_F(EveryDoor, AConfidentialLossyNetworkLosesTheNewest) {
  const auto net = network({.nflags = IPN_NET_CONFIDENTIAL, .pool = 4});
  const auto a = member(*net);
  const auto slow = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*slow, join), 0);
  set_header_mode(*slow);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(a->write(std::to_string(i)), value(1));
  for (int i = 0; i < 4; ++i) {
    const Received received = read_message(*slow);
    EXPECT_EQ(received.payload, std::to_string(i));
    EXPECT_EQ(received.header.count, 0U);
  }
  ASSERT_EQ(a->write("late"), value(4));
  const Received late = read_message(*slow);
  EXPECT_EQ(late.payload, "late");
  EXPECT_EQ(late.header.count, 6U);
  EXPECT_EQ(late.header.seq, join.next_seq + 4) << "its own log has no gap";
  EXPECT_EQ(record_of(*a, join.node).drops[IPN_DROP_LOG_FULL], 6U);
  EXPECT_EQ(net->record().overflow, std::uint32_t{IPN_OVERFLOW_DROP_NEWEST});
}

TEST_F(EveryDoor, ALosslessNetworkHoldsItsPoolExactly) {
  for (const std::uint32_t nflags :
       {std::uint32_t{IPN_NET_LOSSLESS}, IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL}) {
    SCOPED_TRACE(nflags);
    const auto net = network({.nflags = nflags, .pool = 7});
    const auto a = member(*net);
    const auto b = member(*net);
    a->set_nonblocking(true);
    for (int i = 0; i < 7; ++i) ASSERT_EQ(a->write(std::to_string(i)), value(1));
    EXPECT_EQ(a->write("7"), failure(EAGAIN));
    EXPECT_EQ(a->poll(POLLOUT), 0U);
    EXPECT_EQ(b->read(9), message("0"));
    EXPECT_EQ(a->poll(POLLOUT), unsigned{POLLOUT});
    EXPECT_EQ(a->write("7"), value(1));
    EXPECT_EQ(a->write("8"), failure(EAGAIN));
    for (int i = 1; i < 8; ++i) EXPECT_EQ(b->read(9), message(std::to_string(i)));
    for (const std::uint64_t drops : net->record().drops) EXPECT_EQ(drops, 0U);
  }
}

TEST_F(EveryDoor, ALosslessNetworkIsFullWhenItsBytesAreUsedUp) {
  for (const std::uint32_t nflags :
       {std::uint32_t{IPN_NET_LOSSLESS}, IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL}) {
    SCOPED_TRACE(nflags);
    const auto net = network({.nflags = nflags, .mtu = 65536, .pool = 65535});
    EXPECT_EQ(net->record().log_bytes, 2U << 20);
    const auto a = member(*net);
    const auto b = member(*net);
    a->set_nonblocking(true);
    const std::string big(65536, 'b');
    int accepted = 0;
    while (a->write(big).error == 0) ++accepted;
    EXPECT_GE(accepted, 4) << "a log holds at least four messages of mtu bytes";
    EXPECT_LE(accepted, 32);
    EXPECT_EQ(a->poll(POLLOUT), 0U);
    for (int i = 0; i < accepted; ++i) EXPECT_EQ(b->read(65536), message(big));
    b->set_nonblocking(true);
    EXPECT_EQ(b->read(9), failure(EAGAIN));
    EXPECT_EQ(a->write(big), value(65536));
  }
}

TEST_F(EveryDoor, ANodeThatOnlySendsAndNeverReadsRunsForEver) {
  for (const std::uint32_t nflags :
       {std::uint32_t{IPN_NET_LOSSLESS}, IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL}) {
    SCOPED_TRACE(nflags);
    const auto net = network({.nflags = nflags, .pool = 16});
    const auto a = member(*net);  // may receive, and never does
    const auto b = member(*net, IPN_ROLE_RECV);
    const auto lonely = network({.nflags = nflags, .pool = 16}, "Lonely");
    const auto alone = member(*lonely);
    const unsigned rounds = world().kind() == DoorKind::kCuse ? 3'000 : 20'000;
    for (unsigned i = 0; i < rounds; ++i) {
      const std::string text = std::to_string(i);
      ASSERT_EQ(a->write(text), value(static_cast<long>(text.size())));
      ASSERT_EQ(b->read(20), message(text));
      ASSERT_EQ(alone->write(text), value(static_cast<long>(text.size())));
    }
    EXPECT_EQ(lonely->record().drops[IPN_DROP_NO_RECEIVER], rounds);
  }
}

TEST_F(EveryDoor, ANewcomerDoesNotSeeWhatWasSentBefore) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS});
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("early"), value(5));
  const auto late = member(*net);
  ASSERT_EQ(a->write("now"), value(3));
  EXPECT_EQ(late->read(9), message("now"));
  EXPECT_EQ(b->read(9), message("early"));
}

}  // namespace
}  // namespace ipn::scenarios
