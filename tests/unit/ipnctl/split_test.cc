// SPDX-License-Identifier: MIT
#include "ipnctl/split.h"

#include <gtest/gtest.h>
#include <string_view>
#include <vector>

namespace ipnctl {
namespace {

using Views = std::vector<std::string_view>;

TEST(SplitLines, MakesALineAMessage) {
  const Split split = split_lines("one\ntwo\n", false);
  EXPECT_EQ(split.messages, (Views{"one", "two"}));
  EXPECT_EQ(split.used, 8U);
}

TEST(SplitLines, MakesAnEmptyLineAnEmptyMessage) {
  EXPECT_EQ(split_lines("\n\nx\n", true).messages, (Views{"", "", "x"}));
}

TEST(SplitLines, KeepsALineThatIsNotComplete) {
  const Split split = split_lines("one\ntw", false);
  EXPECT_EQ(split.messages, (Views{"one"}));
  EXPECT_EQ(split.used, 4U);
}

TEST(SplitLines, TakesTheLastLineWithoutNewline) {
  const Split split = split_lines("one\ntw", true);
  EXPECT_EQ(split.messages, (Views{"one", "tw"}));
  EXPECT_EQ(split.used, 6U);
}

TEST(SplitLines, FindsNothingInNothing) { EXPECT_TRUE(split_lines("", true).messages.empty()); }

TEST(SplitPieces, CutsWholePieces) {
  const Split split = split_pieces("abcdefgh", 3, false);
  EXPECT_EQ(split.messages, (Views{"abc", "def"}));
  EXPECT_EQ(split.used, 6U);
}

TEST(SplitPieces, TakesTheRestAtTheEnd) {
  const Split split = split_pieces("abcdefgh", 3, true);
  EXPECT_EQ(split.messages, (Views{"abc", "def", "gh"}));
  EXPECT_EQ(split.used, 8U);
  EXPECT_EQ(split_pieces("abc", 3, true).messages, (Views{"abc"}));
  EXPECT_TRUE(split_pieces("", 3, true).messages.empty());
}

}  // namespace
}  // namespace ipnctl
