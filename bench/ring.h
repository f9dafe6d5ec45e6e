// SPDX-License-Identifier: MIT
#pragma once

// The bare ring: what moving a message from process to process to process costs
// with nothing else done. A sender writes records into a ring of its own, a daemon
// copies them into one log, and all receivers read that log in place.
//
//   sender -> ring of 1 MiB -> daemon -> log of 2 MiB -> receivers
//
// A record is a header of 16 bytes and the message; where it would wrap, a header
// that says so fills the rest. Positions are byte counts that only grow. A sender
// publishes a batch at a time, the daemon takes at most 256 messages from a ring,
// and a receiver tells how far it is after each batch. Who has nothing to do looks
// again 200 times and then sleeps on a futex word of its own; who gives it
// something to do executes a full fence and looks whether it sleeps.
//
// Nothing is checked, nobody may come or go, and nobody may be hostile: a system
// that is faster leaves something out.

#include <array>
#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "bench/result.h"

namespace ipn_bench {

/// Sleeps until there is something to do.
class alignas(128) Sleeper {
 public:
  template <typename Condition>
  void wait_until(const Condition& has_work) {
    for (unsigned i = 0; i < kLooks; i++) {
      if (has_work()) return;
      __builtin_ia32_pause();
    }
    while (!has_work()) {
      asleep_.store(1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (has_work()) break;
      sleep();
    }
    asleep_.store(0, std::memory_order_relaxed);
  }

  /// After a full fence behind what there is to do.
  void wake_if_asleep() {
    if (asleep_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      wake();
  }

 private:
  static constexpr unsigned kLooks = 200;
  void sleep();
  void wake();

  std::atomic<std::uint32_t> asleep_;
};

struct RingHeader {
  std::uint32_t length;
  std::uint32_t is_padding;
  std::uint64_t sender;
};
static_assert(sizeof(RingHeader) == 16);

/// A position that one side writes and another reads.
struct alignas(128) RingPosition {
  std::atomic<std::uint64_t> value;
};

/// Bytes of a record with its header.
constexpr std::uint64_t ring_record_bytes(std::uint64_t length) {
  return (sizeof(RingHeader) + length + sizeof(RingHeader) - 1) / sizeof(RingHeader) *
         sizeof(RingHeader);
}

constexpr std::uint64_t kRingBytes = 1 << 20;
constexpr std::uint64_t kRingLogBytes = 2 << 20;
constexpr unsigned kRingReadersMax = 256;
constexpr unsigned kRingSendersMax = 64;

/// A sender's ring.
struct Ring {
  RingPosition head, tail;
  Sleeper sender;
  alignas(128) std::array<std::byte, kRingBytes> bytes;
};

/// What all processes share.
struct RingSpace {
  Sleeper daemon;
  RingPosition log_head;
  std::array<RingPosition, kRingReadersMax> cursors;
  std::array<Sleeper, kRingReadersMax> readers;
  alignas(128) std::array<std::byte, kRingLogBytes> log;
  std::array<Ring, kRingSendersMax> rings;

  /// In memory that children share; pages that nobody touches cost nothing.
  static Result<std::shared_ptr<RingSpace>> make();
};

/// The sender's side of one ring.
class RingWriter {
 public:
  RingWriter(RingSpace& space, unsigned sender) : space_(space), ring_(space.rings[sender]) {}

  /// Room for a message; waits until there is.
  std::byte* reserve(std::uint32_t length) {
    const std::uint64_t bytes = ring_record_bytes(length);
    const std::uint64_t left = kRingBytes - head_ % kRingBytes;
    const std::uint64_t padding = left < bytes ? left : 0;
    if (head_ + padding + bytes - tail_ > kRingBytes) make_room(padding + bytes);
    if (padding != 0) head_ += put_header(static_cast<std::uint32_t>(padding), true);
    return at(head_) + sizeof(RingHeader);
  }
  void commit(std::uint32_t length) { head_ += put_header(length, false); }
  void publish();

 private:
  std::byte* at(std::uint64_t position) { return ring_.bytes.data() + position % kRingBytes; }
  std::uint64_t put_header(std::uint32_t length, bool is_padding) {
    const RingHeader header{length, is_padding ? 1U : 0U, 0};
    std::memcpy(at(head_), &header, sizeof header);
    return is_padding ? length : ring_record_bytes(length);
  }
  void make_room(std::uint64_t bytes);

  RingSpace& space_;
  Ring& ring_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;  ///< as last seen
};

/// A receiver's side of the log.
class RingReader {
 public:
  RingReader(RingSpace& space, unsigned reader)
      : space_(space), cursor_(space.cursors[reader]), sleeper_(space.readers[reader]) {}

  /// Waits for a message, shows up to `most` where they lie, and gives them back.
  template <typename See>
  void read(unsigned most, const See& see) {
    if (position_ == head_) look();
    for (unsigned taken = 0; position_ != head_ && taken < most;) {
      const std::byte* record = space_.log.data() + position_ % kRingLogBytes;
      RingHeader header;
      std::memcpy(&header, record, sizeof header);
      if (header.is_padding != 0) {
        position_ += header.length;
        continue;
      }
      see(record + sizeof header, header.length);
      position_ += ring_record_bytes(header.length);
      taken++;
    }
    give_back();
  }

 private:
  void look();
  void give_back();

  RingSpace& space_;
  RingPosition& cursor_;
  Sleeper& sleeper_;
  std::uint64_t position_ = 0;
  std::uint64_t head_ = 0;  ///< as last seen
};

/// The daemon: copies from all rings into the log, for ever.
class RingDaemon {
 public:
  RingDaemon(RingSpace& space, unsigned senders, unsigned readers)
      : space_(space), senders_(senders), readers_(readers) {}
  [[noreturn]] void serve();

 private:
  bool take(Ring& ring, std::uint64_t& tail);
  bool has_room(std::uint64_t bytes);
  void append(const std::byte* record, std::uint64_t bytes);
  void publish();
  bool has_work();

  RingSpace& space_;
  unsigned senders_;
  unsigned readers_;
  std::uint64_t head_ = 0;      ///< of the log
  std::uint64_t slowest_ = 0;   ///< cursor, as last looked
  std::uint64_t room_for_ = 0;  ///< not 0: waits until so many bytes fit
  std::array<std::uint64_t, kRingSendersMax> tails_{};
};

}  // namespace ipn_bench
