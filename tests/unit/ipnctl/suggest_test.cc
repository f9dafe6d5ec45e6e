// SPDX-License-Identifier: MIT
#include "ipnctl/suggest.h"

#include <array>
#include <gtest/gtest.h>
#include <string>

namespace ipnctl {
namespace {

TEST(EditDistance, CountsInsertionsRemovalsChangesAndSwaps) {
  EXPECT_EQ(edit_distance("chat", "chat"), 0U);
  EXPECT_EQ(edit_distance("chatt", "chat"), 1U);
  EXPECT_EQ(edit_distance("cat", "chat"), 1U);
  EXPECT_EQ(edit_distance("chit", "chat"), 1U);
  EXPECT_EQ(edit_distance("caht", "chat"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Closest, FindsTheWordThatWasMeant) {
  const std::array<std::string, 3> words{"backup", "chat", "chart"};
  ASSERT_NE(closest("chatt", words), nullptr);
  EXPECT_EQ(*closest("chatt", words), "chat");
  EXPECT_EQ(*closest("backpu", words), "backup");
  EXPECT_EQ(*closest("bakcpu", words), "backup");
}

TEST(Closest, GivesNothingRatherThanAGuess) {
  const std::array<std::string, 2> words{"lan", "x"};
  EXPECT_EQ(closest("video", words), nullptr);
  EXPECT_EQ(closest("y", words), nullptr);
  EXPECT_EQ(closest("wan1", words), nullptr);
  EXPECT_EQ(closest("anything", {}), nullptr);
}

}  // namespace
}  // namespace ipnctl
