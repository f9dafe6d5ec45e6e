// SPDX-License-Identifier: MIT
#include "ipnctl/messages.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

namespace ipnctl {
namespace {

ipn_msg header(std::uint32_t length) {
  ipn_msg header{};
  header.seq = 7;
  header.port = 2;
  header.len = length;
  header.count = 1;
  header.time = 5;
  return header;
}

std::string written(const MessageStyle& style, const std::string& payload) {
  std::string out;
  append_message(out, style, header(static_cast<std::uint32_t>(payload.size())), payload);
  return out;
}

TEST(Messages, AreLines) {
  EXPECT_EQ(written({}, "hello"), "hello\n");
  EXPECT_EQ(written({}, ""), "\n");
}

TEST(Messages, AreOnlyTheirBytesIfRaw) {
  MessageStyle style;
  style.raw = true;
  EXPECT_EQ(written(style, std::string("a\0b", 3)), std::string("a\0b", 3));
}

TEST(Messages, AreHexDigits) {
  MessageStyle style;
  style.hex = true;
  EXPECT_EQ(written(style, std::string("\0\xff", 2)), "00ff\n");
}

TEST(Messages, TellWhereTheyComeFrom) {
  MessageStyle style;
  style.verbose = true;
  EXPECT_EQ(written(style, "hello"), "seq=7 port=2 len=5 lost=1 hello\n");
  style.hex = true;
  EXPECT_EQ(written(style, "A"), "seq=7 port=2 len=1 lost=1 41\n");
}

TEST(Messages, AreObjectsWithTextWhereItIsText) {
  MessageStyle style;
  style.json = true;
  const std::string line = written(style, "gr\xc3\xbc\xc3\x9f\x65\n");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto form = nlohmann::json::parse(line);
  EXPECT_EQ(form["seq"], 7);
  EXPECT_EQ(form["port"], 2);
  EXPECT_EQ(form["length"], 8);
  EXPECT_EQ(form["lost"], 1);
  EXPECT_EQ(form["text"], "gr\xc3\xbc\xc3\x9f\x65\n");
  EXPECT_FALSE(form.contains("hex"));
}

TEST(Messages, AreObjectsWithHexWhereTheyAreNoText) {
  MessageStyle style;
  style.json = true;
  const auto form = nlohmann::json::parse(written(style, "\xff\x01"));
  EXPECT_EQ(form["hex"], "ff01");
  EXPECT_FALSE(form.contains("text"));
}

}  // namespace
}  // namespace ipnctl
