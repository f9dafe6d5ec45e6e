// SPDX-License-Identifier: MIT
#pragma once

// The messages of works with several processes, and how they are checked.
//
// The first eight bytes are the message's stamp: its sender and its number among
// that sender's messages, from 0 on. The rest are bytes of a table, from a place
// that the number chooses, so that neighbouring messages differ everywhere and
// yet a message costs no more to write than to copy. The sum of the words of each
// place is known, which is what a receiver that touches every byte compares.
//
// After its last message of a run a sender sends the *end* of the run: a message
// with the same form whose stamp says which run ended and how many messages there
// were. So a receiver knows when it has all, and what it lost, without a clock.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ipn_bench {

constexpr std::size_t kStampBytes = sizeof(std::uint64_t);
constexpr unsigned kSendersMax = 2047;
constexpr unsigned kSenderShift = 52;

/// Message `number` of `sender`.
constexpr std::uint64_t stamp(unsigned sender, std::uint64_t number) {
  return (std::uint64_t{sender} << kSenderShift) | number;
}

/// The end of `run` of `sender`, which sent messages below `number` so far.
std::uint64_t end_stamp(unsigned sender, std::uint32_t run, std::uint64_t number);

bool is_end(std::uint64_t stamp);

/// The sum of all words; a last word that is cut is filled up with zeros.
std::uint64_t sum_of(const std::byte* bytes, std::size_t size);

/// What messages of one size look like.
class Pattern {
 public:
  /// At least kStampBytes.
  explicit Pattern(std::size_t size);

  std::size_t size() const { return size_; }

  void write(void* message, std::uint64_t stamp) const {
    std::memcpy(message, &stamp, kStampBytes);
    std::memcpy(static_cast<std::byte*>(message) + kStampBytes, table_.data() + place(stamp),
                size_ - kStampBytes);
  }

  /// What sum_of() gives for the bytes behind the stamp.
  std::uint64_t sum(std::uint64_t stamp) const { return sums_[stamp % kPlaces]; }

 private:
  static constexpr std::size_t kPlaces = 64;
  static std::size_t place(std::uint64_t stamp) { return stamp % kPlaces * kStampBytes; }

  std::size_t size_;
  std::vector<std::byte> table_;
  std::array<std::uint64_t, kPlaces> sums_{};
};

/// How much of a message a receiver looks at: its length and stamp, or all.
enum class Reading { kStamp, kAll };

/// What one receiver has seen.
struct Seen {
  std::uint64_t deliveries = 0;
  std::uint64_t lost = 0;      ///< later ones or the end came instead
  std::uint64_t repeated = 0;  ///< came a second time, or after a later one
  std::uint64_t damaged = 0;   ///< other bytes or another length
};

/// The receiving end of one node: is told each message that comes.
class Checker {
 public:
  /// `self` is the sender whose messages this node passes over: its own; a
  /// number that no sender has if it sends nothing.
  Checker(const Pattern& pattern, Reading reading, unsigned senders, unsigned self);

  void see(const void* data, std::size_t length) {
    const auto* bytes = static_cast<const std::byte*>(data);
    if (length != pattern_.size()) [[unlikely]] {
      seen_.damaged++;
      return;
    }
    std::uint64_t stamp = 0;
    std::memcpy(&stamp, bytes, kStampBytes);
    if (reading_ == Reading::kAll &&
        sum_of(bytes + kStampBytes, length - kStampBytes) != pattern_.sum(stamp)) [[unlikely]] {
      seen_.damaged++;
      return;
    }
    std::uint64_t& next = next_[sender_of(stamp)];
    if (stamp == next) [[likely]] {
      next++;
      seen_.deliveries++;
      return;
    }
    surprise(stamp);
  }

  /// From now on the ends of `run` count.
  void begin(std::uint32_t run);
  /// All other senders have ended it.
  bool is_over() const { return ended_ >= senders_; }

  const Seen& seen() const { return seen_; }

 private:
  static unsigned sender_of(std::uint64_t stamp) {
    return static_cast<unsigned>(stamp >> kSenderShift) & kSendersMax;
  }
  void surprise(std::uint64_t stamp);
  void end(std::uint64_t stamp, std::uint64_t& next);

  const Pattern& pattern_;
  Reading reading_;
  unsigned senders_;  ///< others
  std::uint32_t run_ = 0;
  unsigned ended_ = 0;
  std::vector<std::uint64_t> next_;  ///< stamp of the next message of each sender
  std::vector<bool> has_ended_;
  std::vector<bool> is_known_;
  Seen seen_;
};

}  // namespace ipn_bench
