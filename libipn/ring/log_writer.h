// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libipn/ring/shared_copy.h"
#include "libipn/ring/shared_word.h"

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

/// A message as it lies in a log, for whoever wrote it.
struct RecordView {
  ipn_log_record head{};
  std::uint64_t lost = 0;  ///< said by a record of type LOST before it
  const std::byte* payload = nullptr;
  std::uint64_t bytes = 0;  ///< all that it takes
};

inline RecordView view_record(const std::byte* start) {
  RecordView view;
  const std::byte* at = start;
  std::memcpy(&view.head, at, sizeof view.head);
  if (view.head.type == IPN_RECORD_LOST) {
    std::memcpy(&view.lost, at + IPN_RECORD_HDR, sizeof view.lost);
    at += kLostRecordBytes;
    std::memcpy(&view.head, at, sizeof view.head);
  }
  view.payload = at + IPN_RECORD_HDR;
  view.bytes = static_cast<std::uint64_t>(at - start) + record_bytes(view.head.len);
  return view;
}

/// The writing side of one epoch of a log (layout: ipn/ring.h).
///
/// Responsible for where records lie and for the order in which the words of
/// the header are stored. Knows nothing of readers: whoever uses it makes sure
/// by release_to() that there is room before append(). Keeps its positions in
/// private memory and never reads them back from the shared header.
///
/// Readers see records from publish() on, which append() calls by itself after
/// every kPublishEvery, or as many bytes: a store per message would take the line of
/// the head from the readers for each of them.
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
  /// where it begins, with the padding before it: a reader may stand there.
  std::uint64_t append(const RecordHead& head, const Pieces& payload, std::uint64_t lost = 0);

  /// Lets readers see what was appended; `time_us` is the time of the newest.
  void publish(std::uint64_t time_us);

  /// What append() wrote at `pos`, which the caller knows to be there still; behind
  /// the padding, if there is some.
  const std::byte* record_at(std::uint64_t pos) const {
    ipn_log_record head;
    std::memcpy(&head, at(pos), sizeof head);
    return head.type == IPN_RECORD_PAD ? ring_ : at(pos);
  }

  /// Nothing follows here: readers go on in `next_epoch` after the last number.
  void end(std::uint64_t next_epoch);

 private:
  static constexpr unsigned kPublishEvery = 32;
  static constexpr std::uint64_t kPublishBytes = 32 << 10;

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
  std::uint64_t published_pos_ = 0;
  unsigned unpublished_ = 0;
};

inline std::uint64_t LogWriter::cost(std::uint64_t payload_bytes, bool lost) const {
  const std::uint64_t need = record_bytes(payload_bytes) + (lost ? kLostRecordBytes : 0);
  const std::uint64_t to_wrap = capacity_ - (head_pos_ & (capacity_ - 1));
  return need <= to_wrap ? need : to_wrap + need;
}

/// struct ipn_log_record as its four words: one store each, and nothing is read back.
inline void LogWriter::write_head(std::byte* to, const RecordHead& head, std::uint32_t len,
                                  ipn_record_type type) {
  static_assert(std::endian::native == std::endian::little && sizeof(ipn_log_record) == 32);
  auto* words = reinterpret_cast<__u64*>(to);
  store_word<__u64>(words[0], len | std::uint64_t{head.flags} << 32 | std::uint64_t{type} << 48,
                    std::memory_order_relaxed);
  store_word<__u64>(words[1], head_seq_, std::memory_order_relaxed);
  store_word<__u64>(words[2], head.node, std::memory_order_relaxed);
  store_word<__u64>(words[3],
                    head.port | std::uint64_t{head.hops} << 16 | std::uint64_t{head.time_us} << 32,
                    std::memory_order_relaxed);
}

inline std::uint64_t LogWriter::append(const RecordHead& head, const Pieces& payload,
                                       std::uint64_t lost) {
  const std::uint64_t need = record_bytes(payload.size()) + (lost != 0 ? kLostRecordBytes : 0);
  const std::uint64_t to_wrap = capacity_ - (head_pos_ & (capacity_ - 1));
  const std::uint64_t pos = head_pos_;
  if (need > to_wrap) pad_to_start(to_wrap);
  std::byte* to = at(head_pos_);
  if (lost != 0) {
    write_head(to, head, sizeof lost, IPN_RECORD_LOST);
    copy_to_shared(to + IPN_RECORD_HDR, &lost, sizeof lost);
    to += kLostRecordBytes;
  }
  write_head(to, head, static_cast<std::uint32_t>(payload.size()), IPN_RECORD_DATA);
  to += IPN_RECORD_HDR;
  copy_short_to_shared(to, payload.first.data(), payload.first.size());
  if (!payload.second.empty()) {
    copy_to_shared(to + payload.first.size(), payload.second.data(), payload.second.size());
  }
  head_pos_ += need;
  ++head_seq_;
  if (++unpublished_ == kPublishEvery || head_pos_ - published_pos_ >= kPublishBytes) store_head();
  return pos;
}

}  // namespace ipn::ring
