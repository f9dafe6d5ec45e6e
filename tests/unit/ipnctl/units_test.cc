// SPDX-License-Identifier: MIT
#include "ipnctl/units.h"

#include <gtest/gtest.h>

namespace ipnctl {
namespace {

TEST(Units, AreExactUnlessAskedFor) {
  const Units exact{false};
  EXPECT_EQ(exact.count(1234567), "1234567");
  EXPECT_EQ(exact.bytes(1048576), "1048576");
  EXPECT_EQ(exact.rate(1234.4), "1234");
  EXPECT_EQ(exact.byte_rate(1234.5678), "1235");
}

TEST(Units, AreShortForPeople) {
  const Units human{true};
  EXPECT_EQ(human.count(999), "999");
  EXPECT_EQ(human.count(1000), "1.0k");
  EXPECT_EQ(human.count(1234567), "1.2M");
  EXPECT_EQ(human.count(999999), "1.0M");
  EXPECT_EQ(human.bytes(0), "0B");
  EXPECT_EQ(human.bytes(1536), "1.5KiB");
  EXPECT_EQ(human.bytes(2097152), "2.0MiB");
  EXPECT_EQ(human.count(18446744073709551615U), "18.4E");
  EXPECT_EQ(human.rate(0.5), "0.5");
  EXPECT_EQ(human.byte_rate(2048), "2.0KiB");
}

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(Duration, HasTheTwoUnitsThatMatter) {
  EXPECT_EQ(duration(250'000'000), "0.25 s");
  EXPECT_EQ(duration(12 * kSecond), "12 s");
  EXPECT_EQ(duration(185 * kSecond), "3 min 5 s");
  EXPECT_EQ(duration(7800 * kSecond), "2 h 10 min");
  EXPECT_EQ(duration(7200 * kSecond), "2 h");
  EXPECT_EQ(duration((4 * 86400 + 2 * 3600) * kSecond), "4 d 2 h");
}

TEST(Counted, HasTheRightNumber) {
  EXPECT_EQ(counted(1, "node"), "1 node");
  EXPECT_EQ(counted(0, "node"), "0 nodes");
}

}  // namespace
}  // namespace ipnctl
