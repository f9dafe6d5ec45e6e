// SPDX-License-Identifier: MIT
#include "libipn/ring/log_reader.h"

#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ipn::ring {
namespace {

constexpr std::uint64_t kRing = 1024;
constexpr std::uint64_t kFirst = 100;  // number of the first message
constexpr std::uint64_t kOwn = 7, kOther = 8;
using Found = LogReader::Found;

/// The daemon's side of one reader: what the core does, as simple as can be.
class Daemon {
 public:
  explicit Daemon(bool overwrites, std::uint64_t first = kFirst)
      : overwrites_(overwrites), writer_(bytes(), 1, first), next_(first) {}

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(memory_)); }

  /// Writes a message. False: the reader is in the way.
  bool append(std::uint64_t node, std::string_view text, std::uint16_t flags = 0,
              std::uint64_t lost = 0) {
    make_room(text.size(), lost != 0);
    if (!fits(text.size(), lost != 0)) return false;
    RecordHead record;
    record.node = node;
    record.flags = flags;
    record.time_us = static_cast<std::uint32_t>(next_);
    const Pieces pieces{std::as_bytes(std::span(text.data(), text.size())), {}};
    const std::uint64_t position = writer_.append(record, pieces, lost);
    places_.push_back({next_++, position, node == kOwn && flags == 0});
    if (places_.size() == 1) writer_.release_to(places_.front().seq, position);
    return true;
  }
  bool send(std::uint64_t node, std::string_view text, std::uint16_t flags = 0,
            std::uint64_t lost = 0) {
    const bool done = append(node, text, flags, lost);
    writer_.publish(next_);
    return done;
  }
  void publish() { writer_.publish(next_); }
  void end(std::uint64_t next_epoch) { writer_.end(next_epoch); }
  LogWriter& writer() { return writer_; }

  ipn_control control{};
  ipn_status status{};

 private:
  struct Place {
    std::uint64_t seq, position;
    bool own;
  };

  bool fits(std::size_t size, bool lost) const {
    return writer_.cost(size, lost) <= kRing - (writer_.head_pos() - writer_.tail_pos());
  }

  void make_room(std::size_t size, bool lost) {
    const std::uint64_t needed = overwrites_ ? next_ : first_needed();
    while (!places_.empty() && !fits(size, lost) && places_.front().seq < needed) evict();
  }

  /// The first message from read_seq on that is not the reader's own.
  std::uint64_t first_needed() const {
    const std::uint64_t read = load_word(control.read_seq, std::memory_order_acquire);
    for (const Place& place : places_) {
      if (place.seq >= read && !place.own) return place.seq;
    }
    return next_;
  }

  void evict() {
    const Place gone = places_.front();
    places_.pop_front();
    if (overwrites_ && gone.own) count_own(gone.seq);
    const Place next = places_.empty() ? Place{next_, writer_.head_pos(), false} : places_.front();
    writer_.release_to(next.seq, next.position);
  }

  void count_own(std::uint64_t seq) {
    const __u32 version = status.own_version;
    store_word(status.own_version, version + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    store_word(status.own_evicted_seq, __u64{seq}, std::memory_order_relaxed);
    store_word(status.own_evicted, __u64{status.own_evicted + 1}, std::memory_order_relaxed);
    store_word(status.own_version, version + 2, std::memory_order_release);
  }

  std::vector<std::uint64_t> memory_ =
      std::vector<std::uint64_t>((IPN_LOG_HEADER_BYTES + kRing) / 8);
  bool overwrites_;
  LogWriter writer_;
  std::uint64_t next_;
  std::deque<Place> places_;
};

class LogReaderTest : public testing::TestWithParam<bool> {
 protected:
  bool overwrites() const { return GetParam(); }
  void SetUp() override { daemon_.control.read_seq = at_.seq = kFirst; }

  /// The next message, read and given back; "-" if there is none, "=" at the end of the epoch.
  std::string read() {
    for (;;) {
      const Found found = reader_.find(at_, record_);
      if (found == Found::kNothing) return "-";
      if (found == Found::kEndOfEpoch) return "=";
      std::string text(record_.len, '\0');
      if (!reader_.copy(at_, text.data(), text.size())) continue;
      lost_ = at_.lost_before;
      LogReader::pass(at_, record_);
      reader_.publish(at_);
      return text;
    }
  }

  Daemon daemon_{GetParam()};
  LogReader reader_{daemon_.control, daemon_.status, daemon_.bytes(), kOwn, GetParam(), kFirst};
  LogReader::Cursor at_{};
  ipn_log_record record_{};
  std::uint64_t lost_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Logs, LogReaderTest, testing::Bool(), [](const auto& instance) {
  return instance.param ? "Overwrites" : "Keeps";
});

TEST_P(LogReaderTest, ReadsWhatWasPublishedInOrder) {
  EXPECT_EQ(read(), "-");
  EXPECT_FALSE(reader_.has_news());
  daemon_.append(kOther, "one");
  EXPECT_EQ(read(), "-");
  daemon_.publish();
  EXPECT_TRUE(reader_.has_news());
  daemon_.send(kOther, "");
  EXPECT_EQ(read(), "one");
  EXPECT_EQ(record_.seq, kFirst);
  EXPECT_EQ(record_.node, kOther);
  EXPECT_EQ(read(), "");
  EXPECT_EQ(record_.seq, kFirst + 1);
  EXPECT_EQ(read(), "-");
  EXPECT_FALSE(reader_.has_news());
  EXPECT_EQ(reader_.wish(at_), kFirst + 3);
  EXPECT_EQ(daemon_.control.read_seq, kFirst + 2);
  EXPECT_EQ(daemon_.control.msgs, 2u);
  EXPECT_EQ(daemon_.control.bytes, 3u);
}

TEST_P(LogReaderTest, PassesItsOwnMessages) {
  daemon_.send(kOwn, "mine");
  daemon_.send(kOther, "other");
  daemon_.send(kOwn, "mine");
  daemon_.send(kOwn, "back", IPN_MSG_LOOPBACK);
  daemon_.send(kOwn, "mine");
  EXPECT_EQ(read(), "other");
  EXPECT_EQ(read(), "back");
  EXPECT_EQ(read(), "-");
  EXPECT_EQ(at_.seq, kFirst + 5);
  EXPECT_EQ(at_.own, 3u);
  EXPECT_EQ(at_.msgs, 2u);
  reader_.publish(at_);
  EXPECT_EQ(daemon_.control.own, 3u);
  EXPECT_EQ(daemon_.control.read_seq, kFirst + 5);
}

TEST_P(LogReaderTest, GoesRoundAndRound) {
  for (unsigned i = 0; i < 1000; ++i) {
    const std::string text(i * 7 % 300, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(daemon_.send(i % 3 == 0 ? kOwn : kOther, text)) << i;
    if (i % 3 == 0) continue;
    EXPECT_EQ(read(), text) << i;
    EXPECT_EQ(lost_, 0u);
  }
}

TEST_P(LogReaderTest, TellsWhatTheDaemonNotedAsLost) {
  daemon_.send(kOther, "a");
  daemon_.send(kOther, "b", 0, 3);
  daemon_.send(kOwn, "own", 0, 2);
  daemon_.send(kOther, "c", 0, 1);
  EXPECT_EQ(read(), "a");
  EXPECT_EQ(lost_, 0u);
  EXPECT_EQ(read(), "b");
  EXPECT_EQ(lost_, 3u);
  EXPECT_EQ(read(), "c");
  EXPECT_EQ(lost_, 3u) << "before its own message and before this one";
  EXPECT_EQ(daemon_.control.lost, 0u) << "the daemon has counted them";
}

TEST_P(LogReaderTest, RingsOnceForEachWishThatIsReached) {
  for (int i = 0; i < 5; ++i) daemon_.send(kOther, "x");
  const auto step = [this] {
    EXPECT_EQ(reader_.find(at_, record_), Found::kMessage);
    LogReader::pass(at_, record_);
    return reader_.publish(at_);
  };
  EXPECT_FALSE(step()) << "no wish";
  daemon_.status.wake_at = kFirst + 3;
  EXPECT_FALSE(step()) << "not reached";
  EXPECT_TRUE(step());
  EXPECT_FALSE(step()) << "rung already";
  daemon_.status.wake_at = kFirst + 5;
  EXPECT_TRUE(step());
  EXPECT_FALSE(reader_.publish(at_)) << "nothing new";
}

TEST_P(LogReaderTest, GoesOnInTheNextEpochAfterTheLastMessage) {
  daemon_.send(kOther, "old");
  Daemon next(overwrites(), kFirst + 1);
  daemon_.end(2);
  next.send(kOther, "new");
  EXPECT_TRUE(reader_.has_news());
  EXPECT_EQ(read(), "old");
  EXPECT_EQ(read(), "=");
  EXPECT_EQ(reader_.next_epoch(), 2u);
  reader_.go_on(next.bytes(), overwrites());
  at_.pos = 0;
  EXPECT_EQ(read(), "new");
  EXPECT_EQ(record_.seq, kFirst + 1);
  EXPECT_EQ(read(), "-");
}

TEST_P(LogReaderTest, CompletesTheTimeOfAMessage) {
  daemon_.send(kOther, "x");
  EXPECT_EQ(reader_.find(at_, record_), Found::kMessage);
  constexpr std::uint64_t kNow = 0x5'0000'0010;
  daemon_.writer().publish(kNow);
  record_.time_us = 0x10;
  EXPECT_EQ(reader_.time_us(record_), kNow);
  record_.time_us = 0xffff'fff0;  // before the low half came round
  EXPECT_EQ(reader_.time_us(record_), kNow - 0x20);
  record_.time_us = 0x18;  // the clock went back
  EXPECT_EQ(reader_.time_us(record_), kNow + 8);
}

// A log that keeps ---------------------------------------------------------------

TEST(LogThatKeeps, WaitsForItsReader) {
  Daemon daemon(false);
  daemon.control.read_seq = kFirst;
  LogReader reader(daemon.control, daemon.status, daemon.bytes(), kOwn, false, kFirst);
  LogReader::Cursor at{};
  at.seq = kFirst;
  const std::string text(224, 'x');  // 256 bytes with its header
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(daemon.send(kOther, text));
  EXPECT_FALSE(daemon.send(kOther, text));
  ipn_log_record record;
  EXPECT_EQ(reader.find(at, record), Found::kMessage);
  const std::byte* first = reader.payload(at);
  LogReader::pass(at, record);
  LogReader::Cursor ahead = at;
  EXPECT_EQ(reader.find(ahead, record), Found::kMessage);
  EXPECT_EQ(reader.payload(ahead), first + 256) << "in place";
  EXPECT_FALSE(daemon.send(kOther, text)) << "looked at and not given back";
  reader.publish(at);
  EXPECT_TRUE(daemon.send(kOther, text));
  EXPECT_FALSE(daemon.send(kOther, text));
}

// A log that overwrites ----------------------------------------------------------

class Overtaken : public LogReaderTest {};
INSTANTIATE_TEST_SUITE_P(Log, Overtaken, testing::Values(true),
                         [](const auto&) { return "Overwrites"; });

TEST_P(Overtaken, GoesOnAtTheTailAndCountsWhatIsMissing) {
  daemon_.send(kOther, "read");
  EXPECT_EQ(read(), "read");
  const std::string text(224, 'x');
  for (int i = 0; i < 10; ++i) daemon_.send(kOther, text);
  EXPECT_EQ(read(), text);
  const std::uint64_t newest = kFirst + 10;
  const std::uint64_t lost = record_.seq - (kFirst + 1);
  EXPECT_GE(lost, 6u);
  EXPECT_EQ(lost_, lost);
  for (std::uint64_t seq = record_.seq + 1; seq <= newest; ++seq) {
    EXPECT_EQ(read(), text);
    EXPECT_EQ(record_.seq, seq);
    EXPECT_EQ(lost_, 0u);
  }
  EXPECT_EQ(read(), "-");
  EXPECT_EQ(daemon_.control.lost, lost);
}

TEST_P(Overtaken, DoesNotMissItsOwnMessages) {
  const std::string text(96, 'x');
  daemon_.send(kOwn, text);
  daemon_.send(kOther, text);
  EXPECT_EQ(read(), text);
  EXPECT_EQ(at_.own, 1u);
  for (int i = 0; i < 30; ++i) daemon_.send(i % 3 == 0 ? kOwn : kOther, text);
  std::uint64_t received = 1;
  while (read() == text) ++received;
  EXPECT_EQ(at_.own, 11u);
  EXPECT_EQ(at_.msgs, received);
  EXPECT_EQ(at_.msgs + at_.lost, 21u);
  EXPECT_EQ(at_.seq, kFirst + 32);
}

TEST_P(Overtaken, BetweenFindingAndCopyingNoticesIt) {
  daemon_.send(kOther, "gone");
  EXPECT_EQ(reader_.find(at_, record_), Found::kMessage);
  const std::string text(224, 'x');
  for (int i = 0; i < 4; ++i) daemon_.send(kOther, text);
  char copy[4];
  EXPECT_FALSE(reader_.copy(at_, copy, sizeof copy));
  EXPECT_EQ(read(), text);
  EXPECT_EQ(lost_, record_.seq - kFirst);
}

// Padding before message n is given up before n is: the number of the tail alone
// would not tell.
TEST_P(Overtaken, StandingOnPaddingMissesNothing) {
  daemon_.send(kOther, std::string(900, 'x'));
  EXPECT_EQ(read().size(), 900u);
  const std::string second(400, 'y'), third(450, 'z');
  daemon_.send(kOther, second);  // padding, then at the start
  daemon_.send(kOther, third);
  EXPECT_EQ(read(), second);
  EXPECT_EQ(lost_, 0u);
  EXPECT_EQ(read(), third);
}

// The daemon goes on to count in the next epoch.
TEST_P(Overtaken, GoesOnInAnEpochThatIsOver) {
  const std::string text(96, 'x');
  for (int i = 0; i < 20; ++i) daemon_.send(i % 2 == 0 ? kOwn : kOther, text);
  daemon_.end(2);
  daemon_.status.own_evicted += 3;
  daemon_.status.own_evicted_seq = kFirst + 50;
  std::uint64_t received = 0;
  while (read() == text) ++received;
  EXPECT_EQ(read(), "=");
  EXPECT_EQ(at_.seq, kFirst + 20);
  EXPECT_EQ(received, at_.msgs);
  EXPECT_EQ(at_.msgs + at_.lost + at_.own, 20u);
}

TEST_P(Overtaken, FindsNothingInALogThatIsBeingEmptied) {
  daemon_.send(kOther, "x");
  daemon_.writer().release_to(kFirst + 1, daemon_.writer().head_pos() + 64);
  EXPECT_EQ(read(), "-");
  daemon_.writer().release_to(kFirst + 1, daemon_.writer().head_pos());
  EXPECT_EQ(read(), "-");
  EXPECT_EQ(at_.lost, 1u);
  daemon_.send(kOther, "y");
  EXPECT_EQ(read(), "y");
  EXPECT_EQ(lost_, 1u);
}

// The daemon passes a node's own messages for it: they may be overwritten though
// read_seq has not passed them.
class Kept : public LogReaderTest {
 protected:
  void fill_with_own() {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(daemon_.send(kOwn, text_));
    EXPECT_TRUE(daemon_.send(kOther, "next"));
  }
  const std::string text_ = std::string(96, 'x');
};
INSTANTIATE_TEST_SUITE_P(Logs, Kept, testing::Values(false));

TEST_P(Kept, OwnMessagesThatWereOverwrittenAreNoLoss) {
  daemon_.send(kOther, text_);
  EXPECT_EQ(read(), text_);
  fill_with_own();
  EXPECT_EQ(read(), "next");
  EXPECT_EQ(record_.seq, kFirst + 21);
  EXPECT_EQ(lost_, 0u);
  EXPECT_EQ(at_.lost, 0u);
  EXPECT_EQ(at_.own, 20u);
}

TEST_P(Kept, OwnMessagesMayBeOverwrittenUnderTheReader) {
  daemon_.send(kOther, text_);
  EXPECT_EQ(read(), text_);
  daemon_.send(kOwn, text_);
  daemon_.send(kOwn, text_);
  EXPECT_EQ(read(), "-");
  EXPECT_EQ(at_.own, 2u);
  fill_with_own();
  EXPECT_EQ(read(), "next");
  EXPECT_EQ(at_.own, 22u);
  EXPECT_EQ(at_.lost, 0u);
}

TEST_P(Kept, WhatWasPassedAndNotGivenBackIsNotOverwritten) {
  daemon_.send(kOwn, text_);
  daemon_.send(kOther, "kept");
  EXPECT_EQ(reader_.find(at_, record_), Found::kMessage);
  LogReader::Cursor behind = at_;
  LogReader::pass(behind, record_);
  int fitted = 0;
  while (daemon_.send(kOwn, text_)) ++fitted;
  EXPECT_LT(fitted, 8);
  EXPECT_EQ(reader_.find(behind, record_), Found::kNothing);
  EXPECT_EQ(std::memcmp(reader_.payload(at_), "kept", 4), 0);
}

// Two threads --------------------------------------------------------------------

std::string message_of(std::uint64_t n) {
  return std::string(n * 37 % 291, static_cast<char>(n % 251));
}
std::uint64_t node_of(std::uint64_t n) { return n % 10 < 4 ? kOwn : kOther; }

class TwoThreads : public LogReaderTest {};
INSTANTIATE_TEST_SUITE_P(Logs, TwoThreads, testing::Bool(), [](const auto& instance) {
  return instance.param ? "Overwrites" : "Keeps";
});

TEST_P(TwoThreads, PassWholeMessagesInOrderOrCountThem) {
  constexpr std::uint64_t kMessages = 20'000;
  std::thread daemon([this] {
    for (std::uint64_t n = kFirst; n < kFirst + kMessages; ++n) {
      while (!daemon_.append(node_of(n), message_of(n))) {
        daemon_.publish();
        std::this_thread::yield();
      }
      if (n % 4 == 0) daemon_.publish();
      if (n % 64 == 0) std::this_thread::yield();
    }
    daemon_.publish();
  });
  std::uint64_t last = kFirst - 1;
  while (at_.seq < kFirst + kMessages) {
    const std::string text = read();
    if (text == "-") {
      std::this_thread::yield();
      continue;
    }
    ASSERT_GT(record_.seq, last);
    ASSERT_EQ(record_.node, kOther);
    ASSERT_TRUE(text == message_of(record_.seq)) << record_.seq;
    last = record_.seq;
  }
  daemon.join();
  EXPECT_EQ(at_.own + at_.msgs + at_.lost, kMessages);
  EXPECT_EQ(at_.own, kMessages / 10 * 4);
  if (!overwrites()) {
    EXPECT_EQ(at_.lost, 0u);
  }
}

}  // namespace
}  // namespace ipn::ring
