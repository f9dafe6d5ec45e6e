// SPDX-License-Identifier: MIT
#include "libipn/ring/log_writer.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace ipn::ring {
namespace {

class LogWriterTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kRing = 1024;

  std::uint64_t append(std::string_view first, std::string_view second = {}) {
    const auto bytes = [](std::string_view text) {
      return std::as_bytes(std::span(text.data(), text.size()));
    };
    RecordHead record;
    record.node = 7;
    record.port = 3;
    record.time_us = 5;
    const std::uint64_t pos = writer_.append(record, {bytes(first), bytes(second)});
    writer_.publish(5);
    return pos;
  }
  const ipn_log_header& header() const {
    return *reinterpret_cast<const ipn_log_header*>(memory_.data());
  }
  ipn_log_record record_at(std::uint64_t pos) const {
    ipn_log_record record;
    const auto* bytes = reinterpret_cast<const std::byte*>(memory_.data());
    std::memcpy(&record, bytes + IPN_LOG_HEADER_BYTES + pos % kRing, sizeof record);
    return record;
  }
  bool fits(std::uint64_t payload_bytes) const {
    return writer_.cost(payload_bytes) <= kRing - (writer_.head_pos() - writer_.tail_pos());
  }
  std::string text_at(std::uint64_t pos, std::uint32_t len) const {
    const RecordView view = view_record(writer_.record_at(pos));
    EXPECT_EQ(view.head.len, len);
    return {reinterpret_cast<const char*>(view.payload), view.head.len};
  }

  std::vector<std::uint64_t> memory_ =
      std::vector<std::uint64_t>((IPN_LOG_HEADER_BYTES + kRing) / 8);
  LogWriter writer_{std::as_writable_bytes(std::span(memory_)), 4, 100};
};

TEST_F(LogWriterTest, DescribesItsMemoryInTheHeader) {
  EXPECT_EQ(header().layout, static_cast<unsigned>(IPN_RING_LAYOUT));
  EXPECT_EQ(header().capacity, kRing);
  EXPECT_EQ(header().epoch, 4u);
  EXPECT_EQ(header().next_epoch, 0u);
  EXPECT_EQ(header().head_seq, 100u);
  EXPECT_EQ(header().tail_seq, 100u);
  EXPECT_EQ(header().head_pos, 0u);
}

TEST_F(LogWriterTest, CountsHeaderAndAlignmentOfARecord) {
  EXPECT_EQ(record_bytes(0), 32u);
  EXPECT_EQ(record_bytes(1), 64u);
  EXPECT_EQ(record_bytes(32), 64u);
  EXPECT_EQ(record_bytes(33), 96u);
  EXPECT_EQ(writer_.cost(33), 96u);
}

TEST_F(LogWriterTest, WritesBothPiecesBehindAHeaderAndPublishesThem) {
  const std::uint64_t pos = append("hello ", "world");
  EXPECT_EQ(pos, 0u);
  EXPECT_EQ(text_at(pos, 11), "hello world");
  const ipn_log_record record = record_at(pos);
  EXPECT_EQ(record.len, 11u);
  EXPECT_EQ(record.type, IPN_RECORD_DATA);
  EXPECT_EQ(record.seq, 100u);
  EXPECT_EQ(record.node, 7u);
  EXPECT_EQ(record.port, 3u);
  EXPECT_EQ(header().head_seq, 101u);
  EXPECT_EQ(header().head_pos, 64u);
  EXPECT_EQ(header().time, 5u);
  EXPECT_EQ(append("", "x"), 64u);
  EXPECT_EQ(text_at(64, 1), "x");
}

TEST_F(LogWriterTest, FitsExactlyAsManyBytesAsTheRingHas) {
  const std::string message(224, 'm');  // 256 with its header
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(fits(message.size())) << i;
    append(message);
  }
  EXPECT_FALSE(fits(0));
  writer_.release_to(101, 256);
  EXPECT_TRUE(fits(message.size()));
  EXPECT_FALSE(fits(message.size() + 1));
}

TEST_F(LogWriterTest, PadsTheRestInsteadOfWrappingARecord) {
  append(std::string(480, 'a'));  // 512
  append(std::string(352, 'b'));  // 384: 128 bytes are left before the wrap
  writer_.release_to(101, 512);
  EXPECT_EQ(writer_.cost(96), 128u);
  EXPECT_EQ(writer_.cost(97), 128u + 160u);
  EXPECT_TRUE(fits(480));  // 128 of padding and the 512 that were released
  EXPECT_FALSE(fits(481));
  const std::uint64_t pos = append(std::string(480, 'c'));
  EXPECT_EQ(pos, 896u) << "a reader may stand in front of the padding";
  const ipn_log_record pad = record_at(896);
  EXPECT_EQ(pad.type, IPN_RECORD_PAD);
  EXPECT_EQ(pad.len, 96u);
  EXPECT_EQ(record_at(1024).seq, 102u);
  EXPECT_EQ(text_at(pos, 480), std::string(480, 'c'));
  EXPECT_EQ(text_at(512, 352), std::string(352, 'b'));
}

TEST_F(LogWriterTest, PadsAlsoWhenOnlyAHeaderWouldFit) {
  append(std::string(960, 'a'));  // 992: 32 are left
  writer_.release_to(101, 992);
  EXPECT_EQ(append("b"), 992u);
  EXPECT_EQ(record_at(992).type, IPN_RECORD_PAD);
  EXPECT_EQ(record_at(992).len, 0u);
  writer_.release_to(102, writer_.head_pos());
  EXPECT_EQ(writer_.tail_pos(), writer_.head_pos());
}

TEST_F(LogWriterTest, KeepsThePaddingInFrontOfTheFirstRecordForWhoeverStandsThere) {
  append(std::string(960, 'a'));
  writer_.release_to(101, 992);
  append("b");
  EXPECT_EQ(writer_.tail_pos(), 992u);
  EXPECT_EQ(header().tail_pos, 992u);
  EXPECT_EQ(header().tail_seq, 101u);
  EXPECT_TRUE(fits(1024 - 32 - 64 - 32));
  EXPECT_FALSE(fits(1024 - 32 - 64 - 31));
}

TEST_F(LogWriterTest, PutsAMessageWithoutBytesWhereOnlyAHeaderFits) {
  append(std::string(960, 'a'));
  EXPECT_TRUE(fits(0));
  EXPECT_FALSE(fits(1));
  EXPECT_EQ(append(""), 992u);
  EXPECT_FALSE(fits(0));
}

TEST_F(LogWriterTest, TellsReadersWhatItGaveUp) {
  append("a");
  append("b");
  writer_.release_to(101, 64);
  EXPECT_EQ(header().tail_seq, 101u);
  EXPECT_EQ(header().tail_pos, 64u);
}

TEST_F(LogWriterTest, NamesTheNextEpochAndItsOwnLastNumberAtTheEnd) {
  append("a");
  append("b");
  writer_.end(5);
  EXPECT_EQ(header().last_seq, 101u);
  EXPECT_EQ(header().next_epoch, 5u);
}

TEST_F(LogWriterTest, NeverReadsItsPositionsBackFromSharedMemory) {
  append("a");
  std::memset(memory_.data(), 0xff, IPN_LOG_HEADER_BYTES);
  EXPECT_EQ(append("b"), 64u);
  EXPECT_EQ(record_at(64).seq, 101u);
}

}  // namespace
}  // namespace ipn::ring
