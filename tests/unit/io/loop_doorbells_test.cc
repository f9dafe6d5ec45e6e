// SPDX-License-Identifier: MIT
#include <deque>

#include "tests/unit/io/loop_fixture.h"

namespace ipn::io {
namespace {

using LoopDoorbells = LoopTest;
IPN_ALL_ENGINES(LoopDoorbells);

Wire make_stream() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  return Wire{Descriptor(ends[0]), Descriptor(ends[1])};
}

TEST_P(LoopDoorbells, RingForAPacket) {
  const Wire wire = make_wire();
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  for (std::size_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(wire.send("!"));
    run_until([&] { return rings.count == i; });
  }
  settle();
  EXPECT_EQ(rings.count, 100U);
  EXPECT_TRUE(rings.ends.empty());
}

TEST_P(LoopDoorbells, RingForAByteOfAStream) {
  const Wire wire = make_stream();
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  for (std::size_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(wire.send("!"));
    run_until([&] { return rings.count == i; });
  }
  EXPECT_TRUE(rings.ends.empty());
}

TEST_P(LoopDoorbells, RingOnceForBytesThatCameTogether) {
  const Wire wire = make_stream();
  ASSERT_TRUE(wire.send("!!!!!"));
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  run_until([&] { return rings.count > 0; });
  settle();
  EXPECT_EQ(rings.count, 1U);
}

TEST_P(LoopDoorbells, RingOncePerRoundUnderAFlood) {
  const Wire flood = make_wire();
  const Wire quiet = make_wire();
  Rings many;
  many.then = [&] { EXPECT_TRUE(flood.send("!")); };
  Rings single;
  add_doorbell(flood.ours.get(), many);
  add_doorbell(quiet.ours.get(), single);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(flood.send("!"));
  }
  ASSERT_TRUE(quiet.send("!"));
  for (int i = 0; i < 20; ++i) {
    const std::size_t before = many.count;
    round(now() + kPatience);
    EXPECT_LE(many.count, before + 1);
  }
  EXPECT_GE(many.count, 18U);
  EXPECT_EQ(single.count, 1U);
}

TEST_P(LoopDoorbells, TakeWhatIsLongerThanAByte) {
  const Wire wire = make_wire();
  ASSERT_TRUE(wire.send(std::string(kBufferBytes, '!')));
  ASSERT_TRUE(wire.send("!"));
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  run_until([&] { return rings.count >= 2; });
  settle();
  EXPECT_EQ(rings.count, 2U);
}

TEST_P(LoopDoorbells, ReportEndOfFileOnceAfterTheLastRing) {
  Wire wire = make_wire();
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  ASSERT_TRUE(wire.send("!"));
  wire.theirs.reset();
  run_until([&] { return !rings.ends.empty(); });
  settle();
  EXPECT_EQ(rings.count, 1U);
  EXPECT_EQ(rings.ends, std::vector<int>{0});
}

TEST_P(LoopDoorbells, ReportAnErrorOnce) {
  Wire wire = make_wire();
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  settle();
  // A peer that closes with something unread resets the connection.
  ASSERT_EQ(write(wire.ours.get(), "x", 1), 1);
  wire.theirs.reset();
  run_until([&] { return !rings.ends.empty(); });
  settle();
  EXPECT_EQ(rings.ends, std::vector<int>{ECONNRESET});
}

TEST_P(LoopDoorbells, AreRefusedOnASocketThatBlocks) {
  const Wire wire = make_wire();
  ASSERT_EQ(fcntl(wire.ours.get(), F_SETFL, 0), 0);
  Rings rings;
  const Result<SourceId> added = loop_->add_doorbell(wire.ours.get(), rings);
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code, EINVAL);
}

TEST_P(LoopDoorbells, AreSilentOnceRemoved) {
  const Wire wire = make_wire();
  Rings rings;
  const SourceId source = add_doorbell(wire.ours.get(), rings);
  settle();
  loop_->remove(source);
  ASSERT_TRUE(wire.send("!"));
  settle();
  EXPECT_EQ(rings.count, 0U);
  EXPECT_TRUE(rings.ends.empty());
}

TEST_P(LoopDoorbells, MayBeRemovedWhenTheyRing) {
  const Wire wire = make_wire();
  Rings rings;
  const SourceId source = add_doorbell(wire.ours.get(), rings);
  rings.then = [&] { loop_->remove(source); };
  ASSERT_TRUE(wire.send("!"));
  ASSERT_TRUE(wire.send("!"));
  run_until([&] { return rings.count > 0; });
  settle();
  EXPECT_EQ(rings.count, 1U);
}

TEST_P(LoopDoorbells, MayBeRemovedAndClosedWhenTheyEnd) {
  Wire wire = make_wire();
  Rings rings;
  const SourceId source = add_doorbell(wire.ours.get(), rings);
  rings.then = [&] {
    loop_->remove(source);
    wire.ours.reset();
  };
  wire.theirs.reset();
  run_until([&] { return !rings.ends.empty(); });
  settle();
  EXPECT_EQ(rings.ends, std::vector<int>{0});
}

TEST_P(LoopDoorbells, CostNothingWhileTenThousandOfThemAreIdle) {
  constexpr std::size_t kIdle = 10'000;
  if (!allow_descriptors(kIdle)) {
    GTEST_SKIP() << "needs a descriptor per doorbell: raise ulimit -Hn to 11000";
  }
  std::deque<Descriptor> sockets;
  Rings idle;
  for (std::size_t i = 0; i < kIdle; ++i) {
    sockets.emplace_back(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_GE(sockets.back().get(), 0);
    add_doorbell(sockets.back().get(), idle);
  }
  const Wire wire = make_wire();
  Rings rings;
  add_doorbell(wire.ours.get(), rings);
  ASSERT_TRUE(wire.send("!"));
  run_until([&] { return rings.count == 1; });
  settle();
  const LoopStats before = loop_->stats();
  for (std::size_t i = 2; i <= 100; ++i) {
    ASSERT_TRUE(wire.send("!"));
    run_until([&] { return rings.count == i; });
  }
  // One to hear of it, and one to fetch it or not to find another.
  EXPECT_LE(loop_->stats().system_calls - before.system_calls, 2U * 99U);
  EXPECT_EQ(idle.count, 0U);
  EXPECT_TRUE(idle.ends.empty());
}

}  // namespace
}  // namespace ipn::io
