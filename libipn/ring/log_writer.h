// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ipn/ring.h>

namespace ipn::ring {

/// Pieces of a message that belong together but lie apart.
struct Pieces {
  std::span<const std::byte> first;
  std::span<const std::byte> second;

  std::size_t size() const { return first.size() + second.size(); }
};

/// Bytes that a message of `payload_bytes` takes in a log, header and alignment
/// included, padding before a wrap not.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return (IPN_RECORD_HDR + payload_bytes + IPN_RECORD_ALIGN - 1) / IPN_RECORD_ALIGN *
         IPN_RECORD_ALIGN;
}

/// The writing side of one epoch of a log (layout: ipn/ring.h).
///
/// Responsible for where records lie and for the order in which the words of
/// the header are stored. Knows nothing of readers: whoever uses it makes sure
/// by release_to() that there is room before append(). Keeps its positions in
/// private memory and never reads them back from the shared header.
class LogWriter {
 public:
  /// `memory` is IPN_LOG_HEADER_BYTES and a power of two of ring bytes, zeroed,
  /// and outlives the writer. The first record gets the number `first_seq`.
  LogWriter(std::span<std::byte> memory, std::uint64_t epoch, std::uint64_t first_seq);

  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t head_pos() const { return head_pos_; }
  std::uint64_t tail_pos() const { return tail_pos_; }

  /// Bytes that append() of such a message would use now, with its padding.
  std::uint64_t cost(std::uint64_t payload_bytes) const;

  /// Gives up everything before record `seq` at `pos`: stored before any of it
  /// is overwritten.
  void release_to(std::uint64_t seq, std::uint64_t pos);

  /// Writes a record and publishes it. `record.len` and `record.seq` are filled
  /// in here. The caller has made sure by cost() that there is room. Returns the position of the
  /// record.
  std::uint64_t append(ipn_log_record record, const Pieces& payload, std::uint64_t time_us);

  /// The payload of the record at `pos`, which the caller knows to be there.
  std::span<const std::byte> payload_at(std::uint64_t pos, std::uint32_t len) const;

  /// Nothing follows here: readers go on in `next_epoch` after the last number.
  void end(std::uint64_t next_epoch);

 private:
  std::byte* at(std::uint64_t pos) const { return ring_ + (pos & (capacity_ - 1)); }
  void publish(std::uint64_t time_us);

  ipn_log_header* header_;
  std::byte* ring_;
  std::uint64_t capacity_;
  std::uint64_t head_seq_;
  std::uint64_t head_pos_ = 0;
  std::uint64_t tail_pos_ = 0;
};

}  // namespace ipn::ring
