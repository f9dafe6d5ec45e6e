// SPDX-License-Identifier: MIT
#include "ipnd/values.h"

#include <gtest/gtest.h>

namespace ipn {
namespace {

TEST(Values, ReadModes) {
  EXPECT_EQ(parse_mode("0"), 0U);
  EXPECT_EQ(parse_mode("660"), 0660U);
  EXPECT_EQ(parse_mode("0777"), 0777U);
  for (const char* bad : {"", "1000", "8", "0660x", "-1", " 660", "rw"}) {
    EXPECT_FALSE(parse_mode(bad)) << bad;
  }
  EXPECT_EQ(mode_text(0660), "0660");
  EXPECT_EQ(mode_text(7), "0007");
}

TEST(Values, ReadNumbersOfBytes) {
  EXPECT_EQ(parse_bytes("0"), 0U);
  EXPECT_EQ(parse_bytes("4096"), 4096U);
  EXPECT_EQ(parse_bytes("12B"), 12U);
  EXPECT_EQ(parse_bytes("64K"), 65536U);
  EXPECT_EQ(parse_bytes("64k"), 65536U);
  EXPECT_EQ(parse_bytes("2 MiB"), 2U << 20);
  EXPECT_EQ(parse_bytes("3G"), 3ULL << 30);
  EXPECT_EQ(parse_bytes("17179869183G"), 17179869183ULL << 30);
  for (const char* bad :
       {"", "K", "1T", "1KB", "1 ", "-1", "1.5M", "17179869184G", "1  K", "18446744073709551616"}) {
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  }
}

TEST(Values, KnowNamesForDevices) {
  for (const char* good : {"ipn", "ipn2", "_a", "9.b-c"}) EXPECT_TRUE(is_device_name(good)) << good;
  for (const char* bad : {"", ".", "..", "-a", "a/b", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(is_device_name(bad)) << bad;
  }
  EXPECT_TRUE(is_device_name(std::string(64, 'a')));
  EXPECT_FALSE(is_device_name(std::string(65, 'a')));
}

TEST(Values, FindUsersAndGroupsByNameAndByNumber) {
  EXPECT_EQ(find_user("root"), Uid{0});
  EXPECT_EQ(find_user("12345"), Uid{12345});
  EXPECT_EQ(find_group("root"), Gid{0});
  EXPECT_EQ(find_group("4294967294"), Gid{4294967294});
  EXPECT_FALSE(find_user("no such user"));
  EXPECT_FALSE(find_user("4294967296"));
  EXPECT_FALSE(find_group("no such group"));
}

}  // namespace
}  // namespace ipn
