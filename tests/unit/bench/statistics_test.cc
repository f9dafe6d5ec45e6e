// SPDX-License-Identifier: MIT
#include "bench/statistics.h"

#include <gtest/gtest.h>
#include <numeric>

namespace ipn_bench {
namespace {

TEST(Median, IsTheMiddleOne) { EXPECT_EQ(median({5, 1, 3}), 3); }

TEST(Median, OfAnEvenNumberIsTheMeanOfTheMiddleTwo) { EXPECT_EQ(median({4, 1, 3, 100}), 3.5); }

TEST(Median, OfOneIsThatOne) { EXPECT_EQ(median({7}), 7); }

TEST(Percentile, IsReachedByThatPartOfTheValues) {
  std::vector<std::uint64_t> values(100);
  std::iota(values.rbegin(), values.rend(), 1);
  EXPECT_EQ(percentile(values, 50), 50u);
  EXPECT_EQ(percentile(values, 99), 99u);
  EXPECT_EQ(percentile(values, 99.5), 100u);
  EXPECT_EQ(percentile(values, 100), 100u);
}

TEST(Percentile, OfFewValuesIsOneOfThem) {
  EXPECT_EQ(percentile({30, 10, 20}, 50), 20u);
  EXPECT_EQ(percentile({30, 10, 20}, 99), 30u);
  EXPECT_EQ(percentile({30, 10, 20}, 1), 10u);
  EXPECT_EQ(percentile({4}, 99), 4u);
}

TEST(Spread, HasTheMedianWithLowestAndHighest) {
  const Spread all = spread({0.9, 0.7, 0.8, 1.2, 0.85});
  EXPECT_EQ(all.median, 0.85);
  EXPECT_EQ(all.low, 0.7);
  EXPECT_EQ(all.high, 1.2);
}

}  // namespace
}  // namespace ipn_bench
