// SPDX-License-Identifier: MIT
// Both shared structures at once, each end in a thread of its own: a program fills
// its send ring, the daemon moves what is there to the log, two programs read that.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

#include "libipn/ring/log_reader.h"
#include "libipn/ring/log_writer.h"
#include "libipn/ring/send_reader.h"
#include "libipn/ring/send_writer.h"

namespace ipn::ring {
namespace {

constexpr std::uint64_t kSendRing = 4096;
constexpr std::uint64_t kLogRing = 8192;
constexpr std::uint64_t kPipelined = 200'000;
constexpr std::uint64_t kFirstSeq = 1;
constexpr std::uint64_t kSender = 9;

using Words = std::vector<std::uint64_t>;

std::uint64_t length_of(std::uint64_t n) { return 8 + n * 37 % 491; }

/// Message n begins with n, and all of its bytes follow from n.
void write_message(std::byte* to, std::uint64_t n) {
  std::memset(to, static_cast<int>(n % 251), length_of(n));
  std::memcpy(to, &n, sizeof n);
}
bool is_message(const std::vector<std::byte>& bytes, std::uint64_t n) {
  std::uint64_t number = 0;
  if (bytes.size() != length_of(n)) return false;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number == n && std::all_of(bytes.begin() + sizeof number, bytes.end(), [n](std::byte b) {
           return b == static_cast<std::byte>(n % 251);
         });
}

/// What each node has in memory that is shared.
struct Pages {
  ipn_control control{};
  ipn_status status{};
};

class Pipeline : public testing::TestWithParam<bool> {
 protected:
  bool overwrites() const { return GetParam(); }

  void send_all() {
    SendWriter writer(sender_.control, sender_.status, std::as_writable_bytes(std::span(ring_)));
    for (std::uint64_t n = kFirstSeq; n < kFirstSeq + kPipelined; ++n) {
      std::span<std::byte> room;
      const auto length = static_cast<std::uint32_t>(length_of(n));
      while ((room = writer.reserve(length)).data() == nullptr) {
        writer.publish();
        std::this_thread::yield();
      }
      write_message(room.data(), n);
      writer.commit(length);
      if (n % 3 == 0) writer.publish();
    }
    writer.publish();
  }

  /// The daemon: as many as there are and there is room for, then publishes.
  void move_all() {
    SendReader reader(sender_.control, sender_.status, std::as_bytes(std::span(ring_)));
    LogWriter writer(log_bytes(), 1, kFirstSeq);
    started_ = true;
    std::uint64_t next = kFirstSeq;
    while (next < kFirstSeq + kPipelined) {
      if (!reader.refresh()) std::this_thread::yield();
      CommittedMessage message;
      while (reader.front(message)) {
        if (!make_room(writer, message.len, next)) {
          writer.publish(next);
          std::this_thread::yield();
          continue;
        }
        RecordHead head;
        head.node = kSender;
        const std::uint64_t pos = writer.append(head, {{message.data, message.len}, {}});
        places_.push_back({next++, pos});
        if (places_.size() == 1) writer.release_to(places_.front().seq, pos);
        reader.pop();
      }
      ASSERT_EQ(reader.fault(), SendReader::Fault::kNone);
      reader.publish();
      writer.publish(next);
    }
  }

  bool make_room(LogWriter& writer, std::uint64_t bytes, std::uint64_t next) {
    while (writer.cost(bytes) > kLogRing - (writer.head_pos() - writer.tail_pos())) {
      std::uint64_t read = next;
      for (const Pages& reader : readers_) {
        read = std::min<std::uint64_t>(
            read, load_word(reader.control.read_seq, std::memory_order_acquire));
      }
      if (!overwrites() && places_.front().seq >= read) return false;
      places_.pop_front();
      const Place oldest = places_.empty() ? Place{next, writer.head_pos()} : places_.front();
      writer.release_to(oldest.seq, oldest.pos);
    }
    return true;
  }

  /// Everything that comes, in order; or what is missing is counted.
  void read_all(Pages& pages, unsigned publish_every) {
    while (!started_) std::this_thread::yield();
    LogReader reader(pages.control, pages.status, log_bytes(), kSender + 1, overwrites(),
                     kFirstSeq);
    LogReader::Cursor at{};
    at.seq = kFirstSeq;
    std::vector<std::byte> bytes;
    ipn_log_record record{};
    for (unsigned unpublished = 0; at.seq < kFirstSeq + kPipelined;) {
      const LogReader::Found found = reader.find(at, record);
      if (found != LogReader::Found::kMessage || ++unpublished == publish_every) {
        reader.publish(at);
        unpublished = 0;
      }
      if (found != LogReader::Found::kMessage) {
        std::this_thread::yield();
        continue;
      }
      bytes.resize(record.len);
      if (!reader.copy(at, bytes.data(), bytes.size())) continue;
      ASSERT_EQ(record.node, kSender);
      ASSERT_EQ(record.seq, at.seq);
      ASSERT_TRUE(is_message(bytes, record.seq)) << record.seq;
      LogReader::pass(at, record);
    }
    reader.publish(at);
    EXPECT_EQ(at.msgs + at.lost, kPipelined);
    EXPECT_EQ(at.own, 0u);
    EXPECT_TRUE(overwrites() || at.lost == 0) << at.lost;
  }

  std::span<std::byte> log_bytes() { return std::as_writable_bytes(std::span(log_)); }

  struct Place {
    std::uint64_t seq, pos;
  };

  Words ring_ = Words(kSendRing / 8);
  Words log_ = Words((IPN_LOG_HEADER_BYTES + kLogRing) / 8);
  Pages sender_;
  Pages readers_[2];
  std::deque<Place> places_;  ///< the daemon's
  std::atomic<bool> started_ = false;
};

INSTANTIATE_TEST_SUITE_P(Logs, Pipeline, testing::Bool(), [](const auto& instance) {
  return instance.param ? "Lossy" : "Lossless";
});

TEST_P(Pipeline, CarriesWholeMessagesInOrder) {
  for (Pages& reader : readers_) reader.control.read_seq = kFirstSeq;
  std::thread daemon([this] { move_all(); });
  std::thread first([this] { read_all(readers_[0], 1); });
  std::thread second([this] { read_all(readers_[1], 17); });
  send_all();
  daemon.join();
  first.join();
  second.join();
}

}  // namespace
}  // namespace ipn::ring
