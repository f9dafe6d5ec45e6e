// SPDX-License-Identifier: MIT
#include "ipnctl/records.h"

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace ipnctl {
namespace {

struct Record {
  std::uint64_t id;
  std::uint64_t value;
};

ipn_list answer(std::uint32_t n, std::uint32_t rec) {
  ipn_list list{};
  list.n = n;
  list.rec = rec;
  return list;
}

/// `n` records of `stride` bytes; byte i of a record is 16 * its number + i / 8.
std::vector<std::byte> data(std::size_t n, std::size_t stride) {
  std::vector<std::byte> bytes(n * stride);
  for (std::size_t record = 0; record < n; ++record) {
    for (std::size_t i = 0; i < stride; i += 8) {
      const std::uint64_t word = record * 16 + i / 8;
      std::memcpy(bytes.data() + record * stride + i, &word, sizeof word);
    }
  }
  return bytes;
}

TEST(Records, AreReadBySteppingOverWhatIsNotKnown) {
  std::vector<Record> records;
  ASSERT_TRUE(append_records(answer(2, 24), data(2, 24), records));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].id, 0U);
  EXPECT_EQ(records[0].value, 1U);
  EXPECT_EQ(records[1].id, 16U);
  EXPECT_EQ(records[1].value, 17U);
}

TEST(Records, OfAnOlderDaemonAreCompletedWithZeros) {
  std::vector<Record> records;
  ASSERT_TRUE(append_records(answer(2, 8), data(2, 8), records));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].id, 16U);
  EXPECT_EQ(records[1].value, 0U);
}

TEST(Records, ThatDoNotFitAreRefused) {
  std::vector<Record> records;
  EXPECT_FALSE(append_records(answer(3, 16), data(2, 16), records));
  EXPECT_FALSE(append_records(answer(1, 0), data(2, 16), records));
  EXPECT_FALSE(append_records(answer(0xffffffff, 0xffffffff), data(2, 16), records));
  EXPECT_TRUE(records.empty());
}

TEST(Records, MayBeNone) {
  std::vector<Record> records;
  EXPECT_TRUE(append_records(answer(0, 0), {}, records));
  EXPECT_TRUE(records.empty());
}

TEST(Text, OfAnArrayEndsAtItsNulOrItsEnd) {
  const char ended[8] = {'a', 'b', '\0', 'c', 'd', 'e', 'f', 'g'};
  const char full[4] = {'a', 'b', 'c', 'd'};
  EXPECT_EQ(text_of(ended), "ab");
  EXPECT_EQ(text_of(full), "abcd");
}

TEST(Text, IsPutWithANulOrNotAtAll) {
  char array[4] = {'x', 'x', 'x', 'x'};
  EXPECT_TRUE(put_text(array, "ab"));
  EXPECT_EQ(std::memcmp(array, "ab\0\0", 4), 0);
  EXPECT_TRUE(put_text(array, "abc"));
  EXPECT_FALSE(put_text(array, "abcd"));
  EXPECT_FALSE(put_text(array, std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace ipnctl
