// SPDX-License-Identifier: MIT
#include "bench/message.h"

#include <gtest/gtest.h>

namespace ipn_bench {
namespace {

constexpr unsigned kNoSender = kSendersMax;

class Messages : public testing::TestWithParam<std::size_t> {
 protected:
  void give(Checker& checker, std::uint64_t stamp) {
    std::vector<std::byte> message(pattern.size());
    pattern.write(message.data(), stamp);
    checker.see(message.data(), message.size());
  }

  Pattern pattern{GetParam()};
};

TEST_P(Messages, AreRightInOrder) {
  Checker checker(pattern, Reading::kAll, 2, kNoSender);
  for (std::uint64_t i = 0; i < 200; i++) {
    give(checker, stamp(0, i));
    give(checker, stamp(1, i));
  }
  EXPECT_EQ(checker.seen().deliveries, 400u);
  EXPECT_EQ(checker.seen().lost + checker.seen().repeated + checker.seen().damaged, 0u);
}

TEST_P(Messages, AreLostIfLaterOnesCome) {
  Checker checker(pattern, Reading::kAll, 1, kNoSender);
  give(checker, stamp(0, 0));
  give(checker, stamp(0, 4));
  give(checker, stamp(0, 5));
  EXPECT_EQ(checker.seen().lost, 3u);
  EXPECT_EQ(checker.seen().deliveries, 3u);
}

TEST_P(Messages, AreRepeatedIfTheyComeAgainOrTooLate) {
  Checker checker(pattern, Reading::kAll, 1, kNoSender);
  for (const unsigned number : {0u, 1u, 1u, 0u}) give(checker, stamp(0, number));
  EXPECT_EQ(checker.seen().repeated, 2u);
  EXPECT_EQ(checker.seen().deliveries, 2u);
}

TEST_P(Messages, AreDamagedIfTheyAreLongerOrShorter) {
  Checker checker(pattern, Reading::kStamp, 1, kNoSender);
  std::vector<std::byte> message(pattern.size() + 1);
  pattern.write(message.data(), stamp(0, 0));
  checker.see(message.data(), message.size());
  checker.see(message.data(), pattern.size() - 1);
  EXPECT_EQ(checker.seen().damaged, 2u);
  EXPECT_EQ(checker.seen().deliveries, 0u);
}

TEST_P(Messages, AreDamagedIfAnyByteIsAnother) {
  for (std::size_t at = kStampBytes; at < pattern.size(); at += 97) {
    Checker checker(pattern, Reading::kAll, 1, kNoSender);
    std::vector<std::byte> message(pattern.size());
    pattern.write(message.data(), stamp(0, 0));
    message[at] ^= std::byte{0x10};
    checker.see(message.data(), message.size());
    EXPECT_EQ(checker.seen().damaged, 1u) << at;
  }
}

TEST_P(Messages, OfAnUnknownSenderAreDamaged) {
  Checker checker(pattern, Reading::kStamp, 1, kNoSender);
  give(checker, stamp(1, 0));
  give(checker, stamp(kSendersMax, 0));
  EXPECT_EQ(checker.seen().damaged, 2u);
}

TEST_P(Messages, OfOneselfArePassedOver) {
  Checker checker(pattern, Reading::kAll, 2, 1);
  checker.begin(1);
  give(checker, stamp(1, 0));
  give(checker, stamp(0, 0));
  give(checker, end_stamp(1, 1, 1));
  EXPECT_FALSE(checker.is_over());
  give(checker, end_stamp(0, 1, 1));
  EXPECT_TRUE(checker.is_over());
  EXPECT_EQ(checker.seen().deliveries, 1u);
  EXPECT_EQ(checker.seen().damaged + checker.seen().repeated + checker.seen().lost, 0u);
}

TEST_P(Messages, EndARunWhenAllSendersHaveEndedIt) {
  Checker checker(pattern, Reading::kAll, 2, kNoSender);
  checker.begin(3);
  give(checker, stamp(0, 0));
  give(checker, end_stamp(0, 3, 1));
  give(checker, end_stamp(0, 3, 1));  // said again
  EXPECT_FALSE(checker.is_over());
  give(checker, end_stamp(1, 2, 0));  // of the run before
  EXPECT_FALSE(checker.is_over());
  give(checker, end_stamp(1, 3, 5));
  EXPECT_TRUE(checker.is_over());
  EXPECT_EQ(checker.seen().lost, 5u);
  EXPECT_EQ(checker.seen().deliveries, 1u);
}

TEST_P(Messages, GoOnInTheNextRunWhereTheyWere) {
  Checker checker(pattern, Reading::kAll, 1, kNoSender);
  checker.begin(1);
  give(checker, end_stamp(0, 1, 7));
  checker.begin(2);
  EXPECT_FALSE(checker.is_over());
  give(checker, stamp(0, 7));
  give(checker, end_stamp(0, 2, 8));
  EXPECT_TRUE(checker.is_over());
  EXPECT_EQ(checker.seen().lost, 7u);
  EXPECT_EQ(checker.seen().deliveries, 1u);
}

INSTANTIATE_TEST_SUITE_P(OfAllSizes, Messages,
                         testing::Values(8, 9, 15, 16, 64, 1500, 4097, 65536));

TEST(Pattern, GivesNeighbouringMessagesOtherBytes) {
  const Pattern pattern(64);
  std::vector<std::byte> one(64), two(64);
  pattern.write(one.data(), stamp(0, 5));
  pattern.write(two.data(), stamp(0, 6));
  for (std::size_t at = kStampBytes; at < one.size(); at += kStampBytes) {
    EXPECT_NE(std::memcmp(one.data() + at, two.data() + at, kStampBytes), 0) << at;
  }
}

}  // namespace
}  // namespace ipn_bench
