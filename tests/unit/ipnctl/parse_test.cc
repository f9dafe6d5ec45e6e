// SPDX-License-Identifier: MIT
#include "ipnctl/parse.h"

#include <gtest/gtest.h>
#include <optional>
#include <string>

#include <ipn/ioctl.h>

namespace ipnctl {
namespace {

TEST(ParseCount, TakesDecimalNumbersOf32Bits) {
  EXPECT_EQ(parse_count("0"), 0U);
  EXPECT_EQ(parse_count("4294967295"), 4294967295U);
  for (const char* wrong : {"", "4294967296", "-1", "+1", " 1", "1 ", "1k", "0x10", "1.5"}) {
    EXPECT_EQ(parse_count(wrong), std::nullopt) << wrong;
  }
}

TEST(ParseId, Takes64Bits) {
  EXPECT_EQ(parse_id("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(parse_id("18446744073709551616"), std::nullopt);
}

TEST(ParseSize, CountsIn1024s) {
  EXPECT_EQ(parse_size("65536"), 65536U);
  EXPECT_EQ(parse_size("64K"), 65536U);
  EXPECT_EQ(parse_size("64k"), 65536U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("2M"), 2U << 20);
  EXPECT_EQ(parse_size("1G"), 1U << 30);
  EXPECT_EQ(parse_size("7B"), 7U);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* wrong : {"", "K", "1T", "1KB", "1 K", "-1", "1.5M", "18014398509481984K",
                            "17179869184G", "99999999999999999999"}) {
    EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(parse_size("17179869183G"), 17179869183ULL << 30);
}

TEST(ParseMode, IsOctalWithOrWithoutZero) {
  EXPECT_EQ(parse_mode("0750"), 0750U);
  EXPECT_EQ(parse_mode("750"), 0750U);
  EXPECT_EQ(parse_mode("0"), 0U);
  EXPECT_EQ(parse_mode("777"), 0777U);
  for (const char* wrong : {"", "8", "1000", "4755", "u+r", "-1", "0x1f"}) {
    EXPECT_EQ(parse_mode(wrong), std::nullopt) << wrong;
  }
}

TEST(ParseNodeOverflow, KnowsWhatANodeCanHave) {
  EXPECT_EQ(parse_node_overflow("network"), IPN_OVERFLOW_NETWORK);
  EXPECT_EQ(parse_node_overflow("drop-newest"), IPN_OVERFLOW_DROP_NEWEST);
  EXPECT_EQ(parse_node_overflow("latest"), IPN_OVERFLOW_LATEST);
  for (const char* wrong : {"", "block", "drop-oldest", "Latest", "latest ", "1"}) {
    EXPECT_EQ(parse_node_overflow(wrong), std::nullopt) << wrong;
  }
}

TEST(ParseSeconds, GivesMilliseconds) {
  EXPECT_EQ(parse_seconds("30"), 30000U);
  EXPECT_EQ(parse_seconds("0"), 0U);
  EXPECT_EQ(parse_seconds("0.25"), 250U);
  EXPECT_EQ(parse_seconds("1.5s"), 1500U);
  EXPECT_EQ(parse_seconds("0.0001"), 1U);
}

TEST(ParseSeconds, RefusesWhatIsNoTime) {
  for (const char* wrong : {"", "s", "-1", "1e3", "inf", "nan", "1m", ".", "4294968", "1 s"}) {
    EXPECT_EQ(parse_seconds(wrong), std::nullopt) << wrong;
  }
}

TEST(ParsePolicy, KnowsNamesAndNumbers) {
  EXPECT_EQ(parse_policy("broadcast"), unsigned{IPN_BROADCAST});
  EXPECT_EQ(parse_policy("hub"), unsigned{IPN_BROADCAST});
  EXPECT_EQ(parse_policy("ethernet"), unsigned{IPN_VDESWITCH});
  EXPECT_EQ(parse_policy("l3"), unsigned{IPN_VDESWITCH_L3});
  EXPECT_EQ(parse_policy("bus"), unsigned{IPN_BUS});
  EXPECT_EQ(parse_policy("63"), 63U);
  for (const char* wrong : {"", "any", "0", "64", "Broadcast"}) {
    EXPECT_EQ(parse_policy(wrong), std::nullopt) << wrong;
  }
}

TEST(ParseUser, KnowsNamesAndNumbers) {
  EXPECT_EQ(parse_user("root"), 0U);
  EXPECT_EQ(parse_user("4000123456"), 4000123456U);
  EXPECT_EQ(parse_user("nobody of this name"), std::nullopt);
  EXPECT_EQ(parse_group("root"), 0U);
  EXPECT_EQ(parse_group("nobody of this name"), std::nullopt);
}

TEST(Hex, BecomesBytes) {
  EXPECT_EQ(parse_hex("00fF7a"), std::string("\x00\xff\x7a", 3));
  EXPECT_EQ(parse_hex("48 65\t6c"), "Hel");
  EXPECT_EQ(parse_hex("41\r"), "A");
  EXPECT_EQ(parse_hex(""), "");
}

TEST(Hex, RefusesWhatIsNotInPairs) {
  for (const char* wrong : {"0", "000", "0g", "0x41", "4 1", "41 5"}) {
    EXPECT_EQ(parse_hex(wrong), std::nullopt) << wrong;
  }
}

TEST(Hex, ComesBackAsItWas) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(parse_hex(to_hex(all)), all);
  EXPECT_EQ(to_hex(std::string("\x00\xab", 2)), "00ab");
}

}  // namespace
}  // namespace ipnctl
