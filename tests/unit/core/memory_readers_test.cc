// SPDX-License-Identifier: MIT
// Nodes that read their log by themselves: the core sees their claims only.
#include <array>
#include <gtest/gtest.h>

#include "switchcore/core/send_run.h"
#include "tests/unit/core/core_fixture.h"

namespace ipn::test {
namespace {

/// The program's end: says what the test has it say, and keeps what it is told.
class Reader final : public Attachment {
 public:
  std::uint64_t read_seq() const override { return claim.read_seq; }
  ReaderClaims claims() const override {
    // It reads on between two looks at it.
    if (looks_until_news > 0 && --looks_until_news == 0) {
      claim.read_seq += news;
      claim.msgs += news;
    }
    return claim;
  }
  void on_published(std::uint64_t head_seq) override { published = head_seq; }
  void set_wake_at(std::uint64_t seq) override { wake_at = seq; }
  bool on_epoch(const LogPlace& place) override {
    epochs.push_back(place.epoch);
    return takes_epochs;
  }
  void on_own_evicted(std::uint64_t, std::uint64_t count) override { own_evicted = count; }
  void on_last_message() override { ended = true; }
  void on_receive_stopped(bool to_device) override {
    stopped = true;
    moved = to_device;
  }
  void on_send_stopped(int error) override { send_error = error; }
  void on_mtu(std::uint32_t) override {}

  mutable ReaderClaims claim;
  mutable unsigned looks_until_news = 0;
  std::uint64_t news = 0;
  std::uint64_t published = 0, wake_at = 0, own_evicted = 0;
  std::vector<std::uint64_t> epochs;
  bool takes_epochs = true, ended = false, stopped = false, moved = false;
  int send_error = 0;
};

class MemoryReaders : public BothKinds {
 protected:
  void make(NetworkConfig config, std::uint32_t pool) {
    config.pool = pool;
    world.add(config);
    sender = &world.join("net");
    member = &world.join("net");
  }
  LogPlace attach(Member& node, Reader& end) {
    auto place = world.core.attach(*node, end, 100);
    EXPECT_TRUE(place) << (place ? "" : place.error().text);
    end.claim.read_seq = place->next_seq;
    return *place;
  }
  void claim(Reader& end, std::uint64_t messages) {
    end.claim.read_seq += messages;
    end.claim.msgs += messages;
  }
  void TearDown() override {
    for (Member& each : world.members) {
      if (each.node != nullptr) world.core.detach(*each);
    }
  }
  void look() {
    world.core.look_for_room();
    world.core.dispatch();
  }
  Reader reader, stays;
  Member* sender = nullptr;
  Member* member = nullptr;
};
IPN_BOTH_KINDS(MemoryReaders);

TEST_P(MemoryReaders, MakeRoomByWhatTheyClaim) {
  make(lossless("net"), 2);
  attach(*member, reader);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  ASSERT_EQ(world.send(*sender, "2"), 0);
  EXPECT_EQ(world.send(*sender, "3"), EAGAIN);
  claim(reader, 1);
  EXPECT_EQ(world.send(*sender, "3"), 0);
  EXPECT_EQ(world.send(*sender, "4"), EAGAIN);
  EXPECT_EQ(world.core.view(**member).queue, 2u);
  EXPECT_EQ((*member)->counters().msgs_out, 1u);
}

TEST_P(MemoryReaders, LetSendersGoThatWaitedBeforeTheyAttached) {
  make(lossless("net"), 1);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  Parked waits("2");
  world.park(*sender, waits);
  attach(*member, reader);
  look();
  EXPECT_TRUE(sender->done.empty());
  claim(reader, 1);
  look();
  EXPECT_EQ(sender->done.size(), 1u);
}

TEST_P(MemoryReaders, LetSendersGoWhoeverLooksFirst) {
  make(lossless("net"), 1);
  attach(*member, reader);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  Parked waits("2");
  world.park(*sender, waits);
  claim(reader, 1);
  world.core.view(**member);
  world.core.readiness(**sender);
  look();
  EXPECT_EQ(sender->done.size(), 1u);
}

// Messages in a row: one finds room that was not there when it was looked for just before. What
// was known of the rest of the log is not true any more.
TEST_P(MemoryReaders, MakeRoomBetweenTwoLooks) {
  if (!is_shared()) return;                        // a run is nothing special there
  constexpr std::array<std::byte, 32> kSmall{};    // 64 bytes of a log
  constexpr std::array<std::byte, 3008> kLarge{};  // 3040
  NetworkConfig config = lossless("net");
  config.mtu = 60'000;
  make(config, 60'000);
  attach(*member, reader);
  SendRun run(world.core, **sender);
  std::uint64_t all = 0;
  while (run.send_plain(kSmall)) ++all;
  claim(reader, all);
  for (std::uint64_t i = 0; i + 1 < all; ++i) ASSERT_TRUE(run.send_plain(kSmall));
  // 64 bytes are left, which will be padding, and 3072 come at the third look.
  reader.news = 48;
  reader.looks_until_news = 3;
  ASSERT_FALSE(run.send_plain(kLarge));
  SendOutcome outcome;
  run.send({{kLarge, {}}}, outcome);
  ASSERT_EQ(outcome.kind, SendOutcome::Kind::kSent);
  EXPECT_FALSE(run.send_plain(kSmall)) << "32 bytes are left";
  run.finish();
  EXPECT_EQ(world.core.view(**member).queue, all - 1 - 48 + 1);
}

TEST_P(MemoryReaders, RingWhenHalfIsRead) {
  make(lossless("net"), 8);
  attach(*member, reader);
  const std::uint64_t first = reader.claim.read_seq;
  for (int i = 0; i < 8; ++i) ASSERT_EQ(world.send(*sender, "x"), 0);
  Parked waits("y");
  world.park(*sender, waits);
  EXPECT_FALSE(world.core.arm_gates());
  EXPECT_EQ(reader.wake_at, first + 4);
  EXPECT_TRUE(world.core.has_gates());
  claim(reader, 4);
  EXPECT_TRUE(world.core.arm_gates());
  world.core.dispatch();
  look();
  EXPECT_FALSE(world.core.has_gates());
  EXPECT_EQ(reader.wake_at, 0u);
}

TEST_P(MemoryReaders, AreCutOffForAClaimAheadAndNobodyElseNotices) {
  make(lossless("net"), 4);
  Member& other = world.join("net");
  attach(*member, reader);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  reader.claim.read_seq += 2;
  world.core.view(**member);
  world.core.dispatch();
  EXPECT_EQ(world.observer.cut_off.size(), 1u);
  EXPECT_EQ((*member)->state(), Node::State::kEnded);
  EXPECT_TRUE(reader.stopped);
  EXPECT_FALSE(reader.moved);
  EXPECT_EQ(reader.send_error, ECONNRESET);
  EXPECT_EQ(world.receive(other), "1");
  ASSERT_EQ(world.send(*sender, "2"), 0);
  EXPECT_EQ(world.receive(other), "2");
}

TEST_P(MemoryReaders, AreCutOffForAClaimThatGoesBack) {
  make(lossless("net"), 4);
  attach(*member, reader);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  claim(reader, 1);
  world.core.view(**member);
  --reader.claim.read_seq;
  world.core.view(**member);
  world.core.dispatch();
  EXPECT_EQ(world.observer.cut_off.size(), 1u);
}

TEST_P(MemoryReaders, GoOnByCallsWhereTheirClaimIs) {
  make(lossless("net"), 8);
  attach(*member, reader);
  for (const char* text : {"1", "2", "3"}) ASSERT_EQ(world.send(*sender, text), 0);
  claim(reader, 2);
  EXPECT_EQ(world.receive(*member), "3") << "a call moves it";
  EXPECT_TRUE(reader.stopped);
  EXPECT_TRUE(reader.moved);
  EXPECT_TRUE((*member)->is_attached());
  world.core.detach(**member);
  EXPECT_FALSE((*member)->is_attached());
  EXPECT_EQ((*member)->counters().msgs_out, 3u);
}

TEST_P(MemoryReaders, AClaimCountsNoMoreThanThereWas) {
  make(lossless("net"), 8);
  attach(*member, reader);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  claim(reader, 1);
  reader.claim.msgs = reader.claim.lost = 1'000'000;
  world.core.view(**member);
  EXPECT_EQ((*member)->counters().msgs_out, 1u);
  EXPECT_LE((*member)->counters().drops[DropReason::kLapped], 1u);
}

TEST_P(MemoryReaders, SeeNothingOfWhatIsSentAfterAKick) {
  make(lossless("net"), 8);
  Member& other = world.join("net");
  attach(*member, reader);
  const LogPlace place = attach(other, stays);
  ASSERT_EQ(world.core.kick((*member)->id(), user(0)).has_value(), true);
  EXPECT_EQ(reader.epochs.size(), 0u);
  EXPECT_TRUE(reader.stopped);
  if (is_shared()) {
    EXPECT_EQ(stays.epochs, std::vector<std::uint64_t>{place.epoch + 1});
  } else {
    EXPECT_TRUE(stays.epochs.empty()) << "its log is its own";
  }
  EXPECT_FALSE(stays.stopped);
  ASSERT_EQ(world.send(*sender, "later"), 0);
  EXPECT_EQ(stays.published, stays.claim.read_seq + 1);
  EXPECT_EQ(reader.published, 0u);
}

TEST_P(MemoryReaders, WhoTakesNoNewMemoryReadsByCalls) {
  make(lossless("net"), 8);
  attach(*member, reader);
  reader.takes_epochs = false;
  NetworkChange change;
  change.pool = 16;
  const NetworkId net = (*member)->network()->id();
  ASSERT_TRUE(world.core.change_network(net, change, 0, user(0)));
  EXPECT_TRUE(reader.stopped && reader.moved);
  ASSERT_EQ(world.send(*sender, "1"), 0);
  EXPECT_EQ(world.receive(*member), "1");
}

TEST_P(MemoryReaders, ReadAllBeforeTheEnd) {
  make(lossless("net"), 8);
  attach(*member, reader);
  ASSERT_EQ(world.core.send(**sender, {pieces_of("1"), 0, 0}).kind, SendOutcome::Kind::kSent);
  const NetworkId net = (*member)->network()->id();
  ASSERT_TRUE(world.core.end_network(net, user(0)));
  EXPECT_TRUE(reader.ended);
  EXPECT_FALSE(reader.stopped);
  EXPECT_EQ(reader.send_error, ECONNRESET);
}

}  // namespace
}  // namespace ipn::test
