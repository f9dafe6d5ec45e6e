// SPDX-License-Identifier: MIT
#include "ipnd/rate_limit.h"

#include <gtest/gtest.h>

namespace ipn {
namespace {

TEST(RateLimit, SaysTheFirstAndCountsTheRestOfThePeriod) {
  RateLimit limit;
  EXPECT_EQ(limit.admit(1, "evicted", 0), 0U);
  EXPECT_EQ(limit.admit(1, "evicted", 1), std::nullopt);
  EXPECT_EQ(limit.admit(1, "evicted", RateLimit::kPeriod - 1), std::nullopt);
  EXPECT_EQ(limit.admit(1, "evicted", RateLimit::kPeriod), 2U);
  EXPECT_EQ(limit.admit(1, "evicted", 2 * RateLimit::kPeriod), 0U);
}

TEST(RateLimit, KeepsSubjectsAndReasonsApart) {
  RateLimit limit;
  EXPECT_EQ(limit.admit(1, "evicted", 0), 0U);
  EXPECT_EQ(limit.admit(2, "evicted", 0), 0U);
  EXPECT_EQ(limit.admit(1, "malformed", 0), 0U);
}

TEST(RateLimit, NeedsNoMoreMemoryForManySubjects) {
  RateLimit limit;
  std::uint64_t admitted = 0;
  for (std::uint64_t subject = 0; subject < 100'000; ++subject) {
    if (limit.admit(subject, "evicted", 0)) ++admitted;
  }
  EXPECT_LE(admitted, 1024U);
  EXPECT_GE(admitted, 1U);
  EXPECT_EQ(limit.admit(1'000'000, "evicted", RateLimit::kPeriod), 0U);
}

}  // namespace
}  // namespace ipn
