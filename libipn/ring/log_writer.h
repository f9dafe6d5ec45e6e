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

/// Bytes that a message of `payload_bytes` takes in a ring, header and alignment
/// included, padding before a wrap not.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return (IPN_RECORD_HDR + payload_bytes + IPN_RECORD_ALIGN - 1) / IPN_RECORD_ALIGN *
         IPN_RECORD_ALIGN;
}

/// What the writer of a log is told of a message besides its bytes.
struct RecordHead {
  std::uint64_t node = 0;     ///< id of the sender
  std::uint32_t time_us = 0;  ///< of sending, low 32 bits
  std::uint16_t port = 0;     ///< of the sender
  std::uint16_t flags = 0;    ///< IPN_MSG_LOOPBACK
  std::uint8_t hops = 0;
};

/// What a record of type LOST takes.
constexpr std::uint64_t kLostRecordBytes = record_bytes(sizeof(std::uint64_t));

/// The writing side of one epoch of a log (layout: ipn/ring.h).
///
/// Responsible for where records lie and for the order in which the words of
/// the header are stored. Knows nothing of readers: whoever uses it makes sure
/// by release_to() that there is room before append(). Keeps its positions in
/// private memory and never reads them back from the shared header.
///
/// Readers see records from publish() on, which append() calls by itself after
/// every kPublishEvery: a store per message would take the line of the head from
/// the readers for each of them.
class LogWriter {
 public:
  /// `memory` is IPN_LOG_HEADER_BYTES and a power of two of ring bytes, zeroed,
  /// and outlives the writer. The first record gets the number `first_seq`.
  LogWriter(std::span<std::byte> memory, std::uint64_t epoch, std::uint64_t first_seq);

  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t head_pos() const { return head_pos_; }
  std::uint64_t tail_pos() const { return tail_pos_; }

  /// Bytes that append() of such a message would use now, with its padding.
  /// `lost`: with a record that says how many were lost before it.
  std::uint64_t cost(std::uint64_t payload_bytes, bool lost = false) const;

  /// Gives up everything before record `seq` at `pos`: stored before any of it
  /// is overwritten.
  void release_to(std::uint64_t seq, std::uint64_t pos);

  /// Writes a record, behind one that tells of `lost` messages if that is not 0.
  /// The caller has made sure by cost() that there is room. Returns the position
  /// where it begins.
  std::uint64_t append(const RecordHead& head, const Pieces& payload, std::uint64_t lost = 0);

  /// Lets readers see what was appended; `time_us` is the time of the newest.
  void publish(std::uint64_t time_us);

  /// The payload of the record at `pos`, which the caller knows to be there.
  std::span<const std::byte> payload_at(std::uint64_t pos, std::uint32_t len,
                                        bool lost = false) const {
    return {at(pos) + (lost ? kLostRecordBytes : 0) + IPN_RECORD_HDR, len};
  }

  /// Nothing follows here: readers go on in `next_epoch` after the last number.
  void end(std::uint64_t next_epoch);

 private:
  static constexpr unsigned kPublishEvery = 32;

  std::byte* at(std::uint64_t pos) const { return ring_ + (pos & (capacity_ - 1)); }
  void write_head(std::byte* to, const RecordHead& head, std::uint32_t len, ipn_record_type type);
  void pad_to_start(std::uint64_t bytes);
  void store_head();

  ipn_log_header* header_;
  std::byte* ring_;
  std::uint64_t capacity_;
  std::uint64_t head_seq_;
  std::uint64_t head_pos_ = 0;
  std::uint64_t tail_pos_ = 0;
  unsigned unpublished_ = 0;
};

}  // namespace ipn::ring
