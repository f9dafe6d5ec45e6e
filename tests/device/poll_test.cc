// SPDX-License-Identifier: MIT
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;
constexpr unsigned kMasks[] = {POLLIN,     POLLRDNORM, kReadable,        POLLOUT,
                               POLLWRNORM, kWritable,  POLLIN | POLLOUT, kReadable | kWritable,
                               0};

TEST_F(EveryDoor, PollTellsWhatWouldNotBlock) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  for (const unsigned mask : kMasks) EXPECT_EQ(b->poll(mask), mask & kWritable) << mask;
  ASSERT_EQ(a->write("x"), value(1));
  for (const unsigned mask : kMasks) {
    EXPECT_EQ(b->poll(mask), mask & kReadable) << mask;
    EXPECT_EQ(a->poll(mask), 0U) << mask;
  }
  EXPECT_EQ(b->read(9), message("x"));
  for (const unsigned mask : kMasks) {
    EXPECT_EQ(b->poll(mask), mask & kWritable) << mask;
    EXPECT_EQ(a->poll(mask), mask & kWritable) << mask;
  }
}

TEST_F(EveryDoor, PollSleepsUntilWhatItWantsHappens) {
  for (const unsigned mask : kMasks) {
    if ((mask & kWritable) != 0) continue;
    SCOPED_TRACE(mask);
    const auto net = network();
    const auto a = member(*net);
    const auto b = open();
    ipn_join join = join_of(name());
    ASSERT_EQ(connect(*b, join), 0);
    const auto poller = sleeping(b->start_poll(mask));
    ASSERT_EQ(a->write("x"), value(1));
    if (mask == 0) {
      sleeping(b->start_poll(0));
      EXPECT_FALSE(poller->is_done());
      EXPECT_EQ(kick(*a, join.node), 0);
      EXPECT_EQ(poller->wait(), value(POLLHUP));
    } else {
      EXPECT_EQ(poller->wait(), value(mask));
    }
  }
}

TEST_F(EveryDoor, PollSleepsUntilThereIsRoom) {
  for (const unsigned mask : kMasks) {
    if ((mask & kWritable) == 0) continue;
    SCOPED_TRACE(mask);
    const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 2});
    const auto a = member(*net);
    const auto b = member(*net);
    ASSERT_EQ(a->write("1"), value(1));
    ASSERT_EQ(a->write("2"), value(1));
    const auto poller = sleeping(a->start_poll(mask));
    EXPECT_EQ(b->read(9), message("1"));
    EXPECT_EQ(poller->wait(), value(mask & kWritable));
  }
}

TEST_F(EveryDoor, EveryPollerOfAFileIsWoken) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  std::vector<std::unique_ptr<Sleeper>> pollers;
  for (int i = 0; i < 4; ++i) pollers.push_back(sleeping(b->start_poll(POLLIN)));
  const auto other = sleeping(b->start_poll(POLLHUP));
  ASSERT_EQ(a->write("x"), value(1));
  for (const auto& poller : pollers) EXPECT_EQ(poller->wait(), value(POLLIN));
  EXPECT_FALSE(other->is_done());
}

TEST_F(EveryDoor, ALossyNetworkIsAlwaysWritable) {
  const auto net = network({.pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(a->poll(POLLOUT), unsigned{POLLOUT});
    ASSERT_EQ(a->write("x"), value(1));
  }
}

TEST_F(EveryDoor, WithoutOtherReceiversALosslessNetworkIsWritable) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(a->poll(POLLOUT), unsigned{POLLOUT});
    ASSERT_EQ(a->write("x"), value(1));
  }
  EXPECT_EQ(a->poll(POLLIN), 0U);
}

TEST_F(EveryDoor, ALosslessNetworkIsWritableForOneWhoseTurnItWouldBe) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .mtu = 1000, .pool = 8});
  const auto a = member(*net);
  const auto b = member(*net);
  const auto c = member(*net);
  // The pool counts messages whatever their length.
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(a->poll(POLLOUT), unsigned{POLLOUT});
    ASSERT_EQ(a->write("x"), value(1));
  }
  EXPECT_EQ(a->poll(POLLOUT), 0U);
  EXPECT_EQ(b->poll(POLLOUT), 0U);
  const auto writer = sleeping(b->start_write("y"));
  EXPECT_EQ(b->read(9), message("x"));
  EXPECT_EQ(c->poll(POLLOUT), 0U) << "somebody is queued before it";
  EXPECT_EQ(c->read(9), message("x"));
  EXPECT_EQ(writer->wait(), value(1));
  EXPECT_EQ(c->poll(POLLOUT), 0U) << "the room went to the first in the queue";
  EXPECT_EQ(b->read(9), message("x"));
  EXPECT_EQ(c->read(9), message("x"));
  EXPECT_EQ(c->poll(POLLOUT), unsigned{POLLOUT});
}

TEST_F(EveryDoor, PollOfANodeThatIsNotConnectedReportsNothingAndWakesOnConnect) {
  const auto net = network();
  const auto a = open();
  EXPECT_EQ(a->poll(kReadable | kWritable), 0U);
  const auto poller = sleeping(a->start_poll(POLLOUT));
  ASSERT_EQ(connect(*a, name()), 0);
  EXPECT_EQ(poller->wait(), value(POLLOUT));
  EXPECT_EQ(a->poll(kReadable | kWritable), kWritable);
}

TEST_F(EveryDoor, PollAfterShutdownSaysThatNothingWouldBlock) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("x"), value(1));
  EXPECT_EQ(a->poll(POLLIN | POLLOUT), 0U);
  EXPECT_EQ(shutdown(*a, IPN_SHUT_RDWR), 0);
  EXPECT_EQ(a->poll(POLLIN | POLLOUT), unsigned{POLLIN | POLLOUT});
  EXPECT_EQ(a->read(9), end_of_file());
  EXPECT_EQ(a->write("y"), failure(EPIPE));
}

TEST_F(EveryDoor, WokenPollersThatComeBackAreWokenAgain) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  for (int i = 0; i < 20; ++i) {
    const auto poller = sleeping(b->start_poll(POLLIN));
    ASSERT_EQ(a->write("x"), value(1));
    EXPECT_EQ(poller->wait(), value(POLLIN));
    EXPECT_EQ(b->read(9), message("x"));
  }
}

}  // namespace
}  // namespace ipn::scenarios
