// SPDX-License-Identifier: MIT
#include "bench/times.h"

#include <gtest/gtest.h>
#include <memory>

namespace ipn_bench {
namespace {

TEST(Times, AreExactWhileTheyAreShort) {
  const auto times = std::make_unique<Times>();
  for (std::uint64_t ns = 1; ns <= 1000; ns++) times->add(ns);
  EXPECT_EQ(times->count(), 1000u);
  EXPECT_EQ(times->percentile(50), 500u);
  EXPECT_EQ(times->percentile(99), 990u);
  EXPECT_EQ(times->percentile(100), 1000u);
}

TEST(Times, AreExactToAThousandthWhateverTheyAre) {
  for (std::uint64_t ns = 1; ns < 1'000'000'000'000; ns = ns * 3 + 1) {
    const auto times = std::make_unique<Times>();
    times->add(ns);
    const std::uint64_t told = times->percentile(50);
    EXPECT_LE(told, ns);
    EXPECT_GE(static_cast<double>(told) * 1.001, static_cast<double>(ns)) << ns;
  }
}

TEST(Times, KeepTheirOrderOverAllBins) {
  const auto times = std::make_unique<Times>();
  times->add(3'000'000);
  times->add(5);
  times->add(40'000);
  EXPECT_EQ(times->percentile(33), 5u);
  EXPECT_NEAR(static_cast<double>(times->percentile(66)), 40'000, 40);
  EXPECT_NEAR(static_cast<double>(times->percentile(100)), 3'000'000, 3000);
}

TEST(Times, HoldWhatIsTooLongInTheLastBin) {
  const auto times = std::make_unique<Times>();
  times->add(~std::uint64_t{0});
  EXPECT_GT(times->percentile(50), 1'000'000'000'000u);
}

TEST(Times, AreNothingAfterAClear) {
  const auto times = std::make_unique<Times>();
  times->add(7);
  times->clear();
  EXPECT_EQ(times->count(), 0u);
  EXPECT_EQ(times->percentile(50), 0u);
}

}  // namespace
}  // namespace ipn_bench
