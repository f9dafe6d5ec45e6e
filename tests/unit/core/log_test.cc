// SPDX-License-Identifier: MIT
#include "switchcore/core/log.h"

#include <deque>
#include <gtest/gtest.h>
#include <random>
#include <string>

#include "tests/unit/core/core_fixture.h"

namespace ipn::test {
namespace {

std::uint64_t append(Log& log, std::string_view text, std::uint64_t source = 1) {
  LogEntry entry;
  entry.source = NodeId{source};
  entry.port = Port{static_cast<std::uint32_t>(source)};
  entry.time = 1'700'000'000 * kSecond;
  return log.append(entry, pieces_of(text));
}

TEST(Log, NumbersFromOneAndKeepsWhatItIsGiven) {
  Log log(storage_for_ring(1024), 8);
  EXPECT_EQ(log.head_seq(), 1u);
  EXPECT_EQ(append(log, "one", 11), 1u);
  EXPECT_EQ(append(log, "", 12), 2u);
  EXPECT_EQ(log.count(), 2u);
  EXPECT_EQ(text_of(log.payload(1)), "one");
  EXPECT_EQ(log.entry(1).source, NodeId{11});
  EXPECT_EQ(log.entry(1).len, 3u);
  EXPECT_TRUE(log.payload(2).empty());
  EXPECT_EQ(log.entry(2).port, Port{12});
}

TEST(Log, IsFullWithExactlyPoolMessages) {
  for (const std::uint32_t pool : {1u, 2u, 3u, 7u, 8u, 9u, 1000u}) {
    Log log(storage_for_ring(65536), pool);
    for (std::uint32_t i = 0; i < pool; ++i) {
      ASSERT_TRUE(log.fits(10)) << pool;
      append(log, "0123456789");
    }
    EXPECT_FALSE(log.fits(0)) << pool;
    log.evict_oldest();
    EXPECT_TRUE(log.fits(10)) << pool;
    append(log, "x");
    EXPECT_FALSE(log.fits(0)) << pool;
  }
}

TEST(Log, IsFullWhenItsBytesAreUsedUp) {
  Log log(storage_for_ring(1024), 100);
  const std::string message(224, 'm');
  for (int i = 0; i < 4; ++i) append(log, message);
  EXPECT_FALSE(log.fits(0));
  EXPECT_EQ(log.used_bytes(), 1024u);
  log.release_to(2);
  EXPECT_TRUE(log.fits(224));
  EXPECT_FALSE(log.fits(225));
}

TEST(Log, CountsThePaddingBeforeAWrapAsUsed) {
  Log log(storage_for_ring(1024), 100);
  append(log, std::string(480, 'a'));
  append(log, std::string(352, 'b'));
  log.release_to(2);
  append(log, std::string(200, 'c'));  // 128 of padding, then 256
  EXPECT_EQ(log.used_bytes(), 384u + 128u + 256u);
  EXPECT_FALSE(log.fits(225));
  EXPECT_TRUE(log.fits(224));
  EXPECT_EQ(text_of(log.payload(3)), std::string(200, 'c'));
}

TEST(Log, IsEmptyAgainWhenAllIsReleased) {
  Log log(storage_for_ring(1024), 3);
  for (int i = 0; i < 3; ++i) append(log, "abc");
  log.release_to(4);
  EXPECT_EQ(log.count(), 0u);
  EXPECT_EQ(log.used_bytes(), 0u);
  EXPECT_EQ(log.tail_seq(), log.head_seq());
}

TEST(Log, KeepsUnreadMessagesOverEpochs) {
  Log log(storage_for_ring(1024), 4);
  append(log, "one");
  append(log, "two");
  log.begin_epoch(storage_for_ring(2048), 4);
  EXPECT_EQ(log.epoch(), 2u);
  EXPECT_EQ(append(log, "three"), 3u);
  log.begin_epoch(storage_for_ring(2048), 4);
  EXPECT_EQ(append(log, ""), 4u);
  for (const auto& [seq, text] : {std::pair{1u, "one"}, {2u, "two"}, {3u, "three"}, {4u, ""}}) {
    EXPECT_EQ(text_of(log.payload(seq)), text);
  }
  EXPECT_FALSE(log.is_in_epoch(3));
  EXPECT_TRUE(log.is_in_epoch(4));
}

TEST(Log, CountsMessagesOfEndedEpochsAgainstPoolAndBytes) {
  Log log(storage_for_ring(1024), 4);
  append(log, std::string(224, 'a'));
  append(log, std::string(224, 'b'));
  log.begin_epoch(storage_for_ring(1024), 3);
  EXPECT_EQ(log.used_bytes(), 512u);
  EXPECT_TRUE(log.fits(480));
  EXPECT_FALSE(log.fits(481));
  append(log, "c");
  EXPECT_FALSE(log.fits(0)) << "three messages are there";
  log.release_to(2);
  EXPECT_TRUE(log.fits(0));
  EXPECT_EQ(log.used_bytes(), 256u + 64u);
  log.release_to(4);
  EXPECT_EQ(log.used_bytes(), 0u);
}

TEST(Log, HoldsMoreThanItsPoolAfterItShrank) {
  Log log(storage_for_ring(1024), 8);
  for (int i = 0; i < 8; ++i) append(log, std::to_string(i));
  log.begin_epoch(storage_for_ring(1024), 2);
  for (std::uint64_t seq = 1; seq <= 8; ++seq) {
    EXPECT_EQ(text_of(log.payload(seq)), std::to_string(seq - 1));
  }
  log.release_to(7);
  EXPECT_FALSE(log.fits(0));
  log.release_to(8);
  EXPECT_TRUE(log.fits(0));
}

TEST(Log, FindsUnreadMessagesThroughEpochsWithoutAny) {
  Log log(storage_for_ring(1024), 4);
  append(log, "kept");
  append(log, "");
  for (int i = 0; i < 5; ++i) log.begin_epoch(storage_for_ring(1024), 4);
  EXPECT_EQ(text_of(log.payload(1)), "kept");
  EXPECT_TRUE(log.payload(2).empty());
  append(log, "new");
  EXPECT_EQ(text_of(log.payload(3)), "new");
}

TEST(Log, AgreesWithAQueueInALongRandomHistory) {
  std::mt19937 random(7);
  Log log(storage_for_ring(2048), 20);
  std::deque<std::string> model;
  std::uint32_t pool = 20;
  for (int step = 0; step < 20'000; ++step) {
    const auto dice = random() % 100;
    if (dice < 55) {
      std::string text(random() % 300, static_cast<char>('a' + step % 26));
      if (!log.fits(text.size())) {
        ASSERT_FALSE(model.empty()) << "an empty log takes anything up to a quarter";
        continue;
      }
      ASSERT_LT(model.size(), pool);
      append(log, text);
      model.push_back(std::move(text));
    } else if (dice < 99) {
      if (model.empty()) continue;
      model.pop_front();
      log.evict_oldest();
    } else if (log.used_bytes() <= 1024) {
      pool = static_cast<std::uint32_t>(1 + random() % 30);
      log.begin_epoch(storage_for_ring(random() % 2 == 0 ? 1024 : 2048), pool);
    }
    ASSERT_EQ(log.count(), model.size());
    for (std::uint64_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(text_of(log.payload(log.tail_seq() + i)), model[i]) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace ipn::test
