// SPDX-License-Identifier: MIT
#include "libipn/ring/send_writer.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "libipn/ring/send_reader.h"

namespace ipn::ring {
namespace {

class SendWriterTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kRing = 1024;

  std::span<std::byte> ring() { return std::as_writable_bytes(std::span(memory_)); }

  /// Writes a message; false: no room.
  bool write(std::string_view text, bool report = false, std::uint64_t cookie = 0) {
    const auto room = writer_.reserve(static_cast<std::uint32_t>(text.size()));
    if (room.data() == nullptr) return false;
    std::memcpy(room.data(), text.data(), text.size());
    writer_.commit(static_cast<std::uint32_t>(text.size()), report, 0, cookie);
    return true;
  }
  bool send(std::string_view text) {
    if (!write(text)) return false;
    writer_.publish();
    return true;
  }

  /// What the daemon takes next; "-" if there is nothing.
  std::string take() {
    reader_.refresh();
    CommittedMessage message;
    const bool found = reader_.front(message);
    EXPECT_EQ(reader_.fault(), SendReader::Fault::kNone);
    if (!found) {
      reader_.publish();
      return "-";
    }
    const auto* text = reinterpret_cast<const char*>(message.data);
    std::string taken(text, message.len);
    reader_.pop();
    reader_.publish();
    return taken;
  }

  std::vector<std::uint64_t> memory_ = std::vector<std::uint64_t>(kRing / 8);
  ipn_control control_{};
  ipn_status status_{};
  SendWriter writer_{control_, status_, ring()};
  SendReader reader_{control_, status_, ring()};
};

TEST_F(SendWriterTest, MessagesComeInOrder) {
  EXPECT_TRUE(send("one"));
  EXPECT_TRUE(send(""));
  EXPECT_TRUE(send("three"));
  EXPECT_EQ(take(), "one");
  EXPECT_EQ(take(), "");
  EXPECT_EQ(take(), "three");
  EXPECT_EQ(take(), "-");
  EXPECT_TRUE(writer_.is_drained());
}

TEST_F(SendWriterTest, FieldsComeWithTheMessage) {
  const auto room = writer_.reserve(1);
  room[0] = std::byte{'x'};
  writer_.commit(1, true, 77, 88);
  writer_.publish();
  ASSERT_TRUE(reader_.refresh());
  CommittedMessage message;
  ASSERT_TRUE(reader_.front(message));
  EXPECT_TRUE(message.report);
  EXPECT_EQ(message.destination, 77u);
  EXPECT_EQ(message.cookie, 88u);
}

TEST_F(SendWriterTest, NothingIsSeenBeforeItIsPublished) {
  EXPECT_TRUE(write("one"));
  EXPECT_TRUE(write("two"));
  EXPECT_TRUE(writer_.has_unpublished());
  EXPECT_EQ(take(), "-");
  writer_.publish();
  EXPECT_FALSE(writer_.has_unpublished());
  EXPECT_EQ(take(), "one");
  EXPECT_EQ(take(), "two");
}

TEST_F(SendWriterTest, AReservationMayBeUsedInPartOrNotAtAll) {
  EXPECT_NE(writer_.reserve(500).data(), nullptr);
  EXPECT_TRUE(send("instead"));
  const auto room = writer_.reserve(500);
  room[0] = std::byte{'s'};
  writer_.commit(1);
  writer_.publish();
  EXPECT_EQ(take(), "instead");
  EXPECT_EQ(take(), "s");
}

TEST_F(SendWriterTest, GoesRoundAndRound) {
  for (unsigned i = 0; i < 1000; ++i) {
    const std::string text(i * 7 % 400, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(send(text) || (take() == "-" && send(text))) << i;
    EXPECT_EQ(take(), text) << i;
  }
}

// 640 bytes to the end of the ring and a message of 928: the padding is taken
// alone before there is room for the message.
TEST_F(SendWriterTest, PaddingAndMessageMayBeLongerThanTheRingTogether) {
  EXPECT_TRUE(send(std::string(352, 'x')));
  EXPECT_EQ(take().size(), 352u);
  const std::string longest(kRing - IPN_RECORD_HDR, 'y');
  EXPECT_TRUE(writer_.can_hold(longest.size()));
  EXPECT_FALSE(writer_.can_hold(longest.size() + 1));
  EXPECT_FALSE(write(longest));
  EXPECT_TRUE(writer_.has_unpublished()) << "the padding";
  writer_.publish();
  EXPECT_FALSE(write(longest)) << "not taken yet";
  EXPECT_EQ(take(), "-");
  EXPECT_TRUE(send(longest));
  EXPECT_EQ(take(), longest);
}

/// Writes messages that are reserved at once; how many had room.
class SendWriterBatch : public SendWriterTest {
 protected:
  unsigned write_batch(const std::vector<std::string>& texts) {
    const auto first = writer_.reserve(static_cast<std::uint32_t>(texts[0].size()));
    if (first.data() == nullptr) return 0;
    writer_.begin_batch(static_cast<std::uint32_t>(texts[0].size()));
    std::memcpy(first.data(), texts[0].data(), texts[0].size());
    unsigned done = 1;
    for (; done < texts.size(); ++done) {
      const auto room = writer_.reserve_more(static_cast<std::uint32_t>(texts[done].size()));
      if (room.data() == nullptr) break;
      std::memcpy(room.data(), texts[done].data(), texts[done].size());
    }
    return done;
  }
};

TEST_F(SendWriterBatch, ComesInOrderAndTogether) {
  EXPECT_EQ(write_batch({"one", "", std::string(100, 'x')}), 3u);
  writer_.publish();
  EXPECT_EQ(take(), "-") << "not committed";
  writer_.commit_whole_batch();
  EXPECT_EQ(take(), "-") << "not published";
  EXPECT_TRUE(send("last"));
  for (const std::string& text : {std::string("one"), std::string(), std::string(100, 'x'),
                                  std::string("last"), std::string("-")}) {
    EXPECT_EQ(take(), text);
  }
}

TEST_F(SendWriterBatch, WhatIsNotCommittedIsGivenUp) {
  EXPECT_EQ(write_batch({"one", "two", "three"}), 3u);
  writer_.commit_batch(2);
  EXPECT_TRUE(send("four"));
  EXPECT_EQ(take(), "one");
  EXPECT_EQ(take(), "two");
  EXPECT_EQ(take(), "four");
  EXPECT_EQ(take(), "-");
}

TEST_F(SendWriterBatch, GoesOnBehindTheWrapAndEndsWhereTheRingIsFull) {
  const std::string text(160, 'x');  // 192 bytes with its header: five and 64 bytes of padding
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(send(text));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take(), text);
  const std::vector<std::string> texts = {"a" + text, "b" + text, "c" + text, "d" + text, "e"};
  // 256 bytes to the wrap: "a"; then "b" and "c", up to what is not taken.
  EXPECT_EQ(write_batch(texts), 3u);
  std::uint64_t position = writer_.batch_begin();
  for (unsigned i = 0; i < 3; ++i) {
    const auto message = writer_.next_in_batch(position);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(message.data()), message.size()), texts[i]);
  }
  EXPECT_EQ(writer_.next_in_batch(position).data(), nullptr);
  writer_.commit_batch(3);
  writer_.publish();
  EXPECT_EQ(take(), text);
  for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(take(), texts[i]);
  EXPECT_EQ(take(), "-");
}

TEST_F(SendWriterBatch, GoesRoundAndRound) {
  for (unsigned i = 0; i < 1000; ++i) {
    const std::vector<std::string> texts = {
        std::string(i * 7 % 300, 'a'), std::string(i * 5 % 200, 'b'), std::string(i % 90, 'c')};
    unsigned written = write_batch(texts);
    if (written == 0) {
      EXPECT_EQ(take(), "-");
      written = write_batch(texts);
    }
    ASSERT_GT(written, 0u) << i;
    const unsigned committed = i % written + 1;
    writer_.commit_batch(committed);
    writer_.publish();
    for (unsigned n = 0; n < committed; ++n) ASSERT_EQ(take(), texts[n]) << i;
    ASSERT_EQ(take(), "-") << i;
  }
}

TEST_F(SendWriterTest, AFullRingTellsWhereThereIsRoom) {
  const std::string text(96, 'x');  // 128 bytes with its header
  for (std::uint64_t i = 0; i < kRing / 128; ++i) EXPECT_TRUE(send(text));
  EXPECT_FALSE(write(text));
  EXPECT_EQ(writer_.position_of_room(96), 128u);
  EXPECT_EQ(writer_.position_to_wait_for(96), kRing / 2);
  EXPECT_EQ(writer_.position_to_wait_for(600), 640u) << "more than half";
  take();
  EXPECT_EQ(writer_.tail(), 128u);
  EXPECT_TRUE(write(text));
  EXPECT_FALSE(write(text));
}

TEST_F(SendWriterTest, RingsOnceForEachWish) {
  EXPECT_TRUE(write("no wish"));
  EXPECT_FALSE(writer_.publish());
  status_.ring_me = 5;
  EXPECT_FALSE(writer_.publish()) << "nothing new";
  EXPECT_TRUE(write("first"));
  EXPECT_TRUE(writer_.publish());
  EXPECT_TRUE(write("second"));
  EXPECT_FALSE(writer_.publish());
  status_.ring_me = 0;
  EXPECT_TRUE(write("third"));
  EXPECT_FALSE(writer_.publish());
  status_.ring_me = 6;
  EXPECT_TRUE(write("fourth"));
  EXPECT_TRUE(writer_.publish());
}

/// What message n is: its length and its bytes follow from n.
std::string numbered_text(std::uint64_t n) {
  return std::string(n * 37 % 331, static_cast<char>(n % 251));
}

TEST_F(SendWriterTest, TwoThreadsPassWholeMessages) {
  constexpr std::uint64_t kMessages = 20'000;
  std::thread daemon([this] {
    for (std::uint64_t n = 0; n < kMessages;) {
      if (!reader_.refresh()) std::this_thread::yield();
      CommittedMessage message;
      while (reader_.front(message)) {
        const std::string expected = numbered_text(n);
        ASSERT_EQ(message.len, expected.size()) << n;
        ASSERT_EQ(std::memcmp(message.data, expected.data(), expected.size()), 0) << n;
        reader_.pop();
        ++n;
      }
      ASSERT_EQ(reader_.fault(), SendReader::Fault::kNone);
      reader_.publish();
    }
  });
  for (std::uint64_t n = 0; n < kMessages; ++n) {
    while (!write(numbered_text(n))) {
      writer_.publish();
      std::this_thread::yield();
    }
    if (n % 5 == 0) writer_.publish();
  }
  writer_.publish();
  daemon.join();
  EXPECT_TRUE(writer_.is_drained());
}

}  // namespace
}  // namespace ipn::ring
