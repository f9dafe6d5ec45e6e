// SPDX-License-Identifier: MIT
#include "ipnctl/rates.h"

#include <gtest/gtest.h>
#include <vector>

namespace ipnctl {
namespace {

ipn_net_record network(std::uint64_t id, std::uint64_t msgs, std::uint64_t bytes,
                       std::uint64_t drops) {
  ipn_net_record record{};
  record.id = id;
  record.msgs = msgs;
  record.bytes = bytes;
  record.drops[IPN_DROP_LAPPED] = drops;
  return record;
}

TEST(Rates, AreDifferencesPerSecond) {
  const std::vector<ipn_net_record> before{network(1, 100, 1000, 5)};
  const std::vector<ipn_net_record> now{network(1, 300, 5000, 6)};
  const auto rates = network_rates(before, now, 2);
  ASSERT_EQ(rates.size(), 1U);
  EXPECT_DOUBLE_EQ(rates[0].msgs, 100);
  EXPECT_DOUBLE_EQ(rates[0].bytes, 2000);
  EXPECT_DOUBLE_EQ(rates[0].drops, 0.5);
}

TEST(Rates, BeginAtZeroForNewNetworksAndForgetEndedOnes) {
  const std::vector<ipn_net_record> before{network(1, 100, 1000, 5)};
  const std::vector<ipn_net_record> now{network(2, 10, 20, 0)};
  const auto rates = network_rates(before, now, 1);
  ASSERT_EQ(rates.size(), 1U);
  EXPECT_EQ(rates[0].network.id, 2U);
  EXPECT_DOUBLE_EQ(rates[0].msgs, 10);
  EXPECT_DOUBLE_EQ(rates[0].bytes, 20);
}

TEST(Rates, AreZeroWithoutTime) {
  const std::vector<ipn_net_record> now{network(1, 10, 20, 0)};
  EXPECT_DOUBLE_EQ(network_rates({}, now, 0)[0].msgs, 0);
}

}  // namespace
}  // namespace ipnctl
