// SPDX-License-Identifier: MIT
// The shared log through the networks that use it: own messages, who stands at
// the tail, what a lapped reader has lost, lengths of queues.
#include "switchcore/core/shared_log.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

#include "tests/unit/core/core_fixture.h"

namespace ipn::test {
namespace {

class SharedLogTest : public testing::Test {
 protected:
  void make(std::uint32_t flags, std::uint32_t pool) {
    NetworkConfig config = config_of("net", flags);
    config.pool = pool;
    world.add(config);
  }
  std::uint64_t queue(Member& member) { return world.core.view(*member).queue; }
  std::uint64_t queue_max(Member& member) { return world.core.view(*member).queue_max; }
  std::uint64_t lapped(Member& member) { return member->counters().drops[DropReason::kLapped]; }
  World world;
};

TEST_F(SharedLogTest, OwnMessagesNeverStandInTheOwnWay) {
  make(IPN_NET_LOSSLESS, 4);
  Member& talker = world.join("net");
  Member& listener = world.join("net");
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(world.send(talker, std::to_string(i)), 0) << i;
    ASSERT_EQ(queue(talker), 0u);
    ASSERT_FALSE(world.core.readiness(*talker).readable);
    ASSERT_EQ(world.receive(listener), std::to_string(i));
  }
  EXPECT_EQ(world.receive(talker), "<empty>");
}

TEST_F(SharedLogTest, ASenderWhoHasSomethingToReadKeepsItAndSkipsItsOwn) {
  make(IPN_NET_LOSSLESS, 5);
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.send(a, "a1"), 0);
  ASSERT_EQ(world.send(b, "b1"), 0);
  ASSERT_EQ(world.send(a, "a2"), 0);
  ASSERT_EQ(world.send(a, "a3"), 0);
  ASSERT_EQ(world.send(b, "b2"), 0);
  EXPECT_EQ(queue(a), 2u);
  EXPECT_EQ(queue(b), 3u);
  EXPECT_EQ(world.receive_all(a), (std::vector<std::string>{"b1", "b2"}));
  EXPECT_EQ(world.receive_all(b), (std::vector<std::string>{"a1", "a2", "a3"}));
}

TEST_F(SharedLogTest, NumbersAscendWithoutGapButTheOwnMessages) {
  make(IPN_NET_LOSSLESS, 64);
  Member& a = world.join("net");
  Member& b = world.join("net");
  std::set<std::uint64_t> seen_by_a, seen_by_b;
  for (int i = 0; i < 30; ++i) ASSERT_EQ(world.send(i % 3 == 0 ? a : b, "m"), 0);
  while (world.receive(a) != "<empty>") seen_by_a.insert(world.received.seq);
  while (world.receive(b) != "<empty>") seen_by_b.insert(world.received.seq);
  EXPECT_EQ(seen_by_a.size(), 20u);
  EXPECT_EQ(seen_by_b.size(), 10u);
  for (std::uint64_t seq = 1; seq <= 30; ++seq) {
    EXPECT_NE(seen_by_a.contains(seq), seen_by_b.contains(seq)) << seq;
  }
}

TEST_F(SharedLogTest, TheTailFollowsTheLastOfItsHolders) {
  make(IPN_NET_LOSSLESS, 2);
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& a = world.join("net");
  Member& b = world.join("net");
  Member& c = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), 0);
  ASSERT_EQ(world.send(sender, "3"), EAGAIN);
  world.receive(a);
  world.receive(b);
  EXPECT_EQ(world.send(sender, "3"), EAGAIN) << "c holds the tail";
  world.receive(c);
  EXPECT_EQ(world.send(sender, "3"), 0);
  EXPECT_EQ(world.send(sender, "4"), EAGAIN);
}

TEST_F(SharedLogTest, AHolderOfTheTailLetsItGoWhenItLeaves) {
  make(IPN_NET_LOSSLESS, 2);
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& reader = world.join("net");
  Member& idle = world.join("net");
  Member& idle_too = world.join("net");
  for (int i = 0; i < 2; ++i) ASSERT_EQ(world.send(sender, "m"), 0);
  world.receive_all(reader);
  world.close(idle);
  EXPECT_EQ(world.send(sender, "m"), EAGAIN);
  world.close(idle_too);
  EXPECT_EQ(world.send(sender, "m"), 0);
  world.close(reader);
  EXPECT_EQ(world.send(sender, "m"), 0);
  EXPECT_EQ(sender->counters().drops[DropReason::kNoReceiver], 1u);
}

TEST_F(SharedLogTest, ANewcomerGetsOnlyWhatIsSentAfterItCame) {
  make(IPN_NET_LOSSLESS, 8);
  Member& sender = world.join("net");
  Member& old = world.join("net");
  ASSERT_EQ(world.send(sender, "before"), 0);
  Member& late = world.join("net");
  ASSERT_EQ(world.send(sender, "after"), 0);
  EXPECT_EQ(world.receive_all(old), (std::vector<std::string>{"before", "after"}));
  EXPECT_EQ(world.receive_all(late), (std::vector<std::string>{"after"}));
}

TEST_F(SharedLogTest, ALappedReaderGoesOnAtTheOldestAndLearnsHowManyItLost) {
  make(0, 4);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 10; ++i) ASSERT_EQ(world.send(sender, std::to_string(i)), 0);
  EXPECT_EQ(world.receive(reader), "6");
  EXPECT_EQ(world.received.lost, 6u);
  EXPECT_EQ(world.receive(reader), "7");
  EXPECT_EQ(world.received.lost, 0u);
  EXPECT_EQ(lapped(reader), 6u);
  EXPECT_EQ(reader->network()->drops()[DropReason::kLapped], 6u);
}

TEST_F(SharedLogTest, OwnMessagesThatWereOverwrittenAreNoLoss) {
  make(0, 4);
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.send(b, "b1"), 0);  // a's cursor stays here
  ASSERT_EQ(world.send(a, "a1"), 0);
  ASSERT_EQ(world.send(b, "b2"), 0);
  ASSERT_EQ(world.send(a, "a2"), 0);
  for (int i = 3; i <= 5; ++i) ASSERT_EQ(world.send(a, "a" + std::to_string(i)), 0);
  // b1, a1 and b2 are overwritten; a2 to a5 are a's own.
  EXPECT_EQ(queue(a), 0u);
  EXPECT_EQ(lapped(a), 2u);
  EXPECT_EQ(world.receive(a), "<empty>");
  EXPECT_EQ(queue(b), 4u);
  EXPECT_EQ(lapped(b), 1u);
  EXPECT_EQ(world.receive_all(b), (std::vector<std::string>{"a2", "a3", "a4", "a5"}));
}

TEST_F(SharedLogTest, LostCountsAndQueueLengthsAgreeWithAModelInALongHistory) {
  std::mt19937 random(11);
  constexpr std::uint32_t kPool = 16;
  make(0, kPool);
  std::vector<Member*> members;
  for (int i = 0; i < 5; ++i) members.push_back(&world.join("net"));
  struct Record {
    std::size_t from;
    std::string text;
  };
  std::deque<Record> log;  // the newest kPool
  std::uint64_t head = 1;  // number of the next one
  std::vector<std::uint64_t> cursor(5, 1), total_lost(5, 0);
  std::vector<std::vector<bool>> own(5, std::vector<bool>(1));  // by number
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t who = random() % 5;
    Member& member = *members[who];
    const std::uint64_t tail = head - log.size();
    if (random() % 100 < 60) {
      const std::string text = std::to_string(step);
      ASSERT_EQ(world.send(member, text), 0);
      log.push_back({who, text});
      if (log.size() > kPool) log.pop_front();
      for (std::size_t i = 0; i < 5; ++i) own[i].push_back(i == who);
      ++head;
      continue;
    }
    std::uint64_t lost = 0, queued = 0;
    for (; cursor[who] < tail; ++cursor[who]) lost += own[who][cursor[who]] ? 0 : 1;
    for (std::uint64_t seq = cursor[who]; seq < head; ++seq) queued += own[who][seq] ? 0 : 1;
    while (cursor[who] < head && own[who][cursor[who]]) ++cursor[who];
    total_lost[who] += lost;
    ASSERT_EQ(queue(member), queued) << "step " << step;
    ASSERT_EQ(lapped(member), total_lost[who]) << "step " << step;
    if (queued == 0) {
      ASSERT_EQ(world.receive(member), "<empty>");
      continue;
    }
    ASSERT_EQ(world.receive(member), log[cursor[who] - tail].text) << "step " << step;
    ASSERT_EQ(world.received.seq, cursor[who]);
    ++cursor[who];
  }
}

TEST_F(SharedLogTest, RemembersTheLongestQueue) {
  make(IPN_NET_LOSSLESS, 8);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(world.send(sender, "m"), 0);
  world.receive_all(reader);
  EXPECT_EQ(queue(reader), 0u);
  EXPECT_EQ(queue_max(reader), 3u);
  ASSERT_EQ(world.send(sender, "m"), 0);
  world.receive_all(reader);
  EXPECT_EQ(queue_max(reader), 3u);
}

TEST_F(SharedLogTest, ALongQueueOfALappedReaderIsWhatTheLogHolds) {
  NetworkConfig config = config_of("net");
  config.mtu = 224;
  config.log_bytes = 2048;  // eight messages, far below the pool
  world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(world.send(sender, std::string(224, 'x')), 0);
  EXPECT_EQ(queue(reader), 8u);
  EXPECT_EQ(queue_max(reader), 8u);
  EXPECT_EQ(lapped(reader), 92u);
}

TEST_F(SharedLogTest, APoolThatShrinksLosesTheOldestOfALossyNetwork) {
  make(0, 16);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 10; ++i) ASSERT_EQ(world.send(sender, std::to_string(i)), 0);
  NetworkChange change;
  change.pool = 4;
  ASSERT_TRUE(world.core.change_network(reader->network()->id(), change, 0, user(0)));
  EXPECT_EQ(world.receive_all(reader), (std::vector<std::string>{"6", "7", "8", "9"}));
  EXPECT_EQ(lapped(reader), 6u);
}

}  // namespace
}  // namespace ipn::test
