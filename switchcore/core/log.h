// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "libipn/ring/log_writer.h"
#include "switchcore/base/ids.h"
#include "switchcore/base/time.h"
#include "switchcore/core/storage.h"

namespace ipn {

/// What the core remembers of a record, in private memory: a reader's claim can
/// be wrong, but it is never misplaced.
struct LogEntry {
  std::uint64_t pos = 0;  ///< where it begins in the ring, or offset in an ended epoch's bytes
  std::uint64_t epoch = 0;
  NodeId source;
  TimeNs time = 0;  ///< realtime
  std::uint32_t len = 0;
  std::uint32_t lost = 0;  ///< messages that this log's reader lost just before this one
  Port port;
  std::uint8_t hops = 0;
  bool loopback = false;  ///< delivered to its own sender, too
};

/// A sequence of messages, numbered from 1, of which the newest are kept.
///
/// Responsible for numbers, places and room: it is full when it holds `pool`
/// messages or its bytes are used up, counted over all epochs. Ignorant of who
/// reads: the owner says by release_to() what nobody needs any more, or calls
/// evict_oldest() to overwrite.
///
/// An *epoch* is a piece of memory. When it ends, records that are still needed
/// are moved to private memory of just their size; numbers run on.
class Log {
 public:
  /// `storage` has storage_bytes(bytes) bytes; `bytes` is a power of two.
  Log(std::unique_ptr<LogStorage> storage, std::uint32_t pool);

  /// What a log with a ring of `ring_bytes` needs of memory.
  static std::uint64_t storage_bytes(std::uint64_t ring_bytes) {
    return IPN_LOG_HEADER_BYTES + ring_bytes;
  }

  /// What is charged for such a log: its ring and the entries of its messages.
  static std::uint64_t memory_bytes(std::uint64_t ring_bytes, std::uint32_t pool) {
    return ring_bytes + entries_for(ring_bytes, pool) * sizeof(LogEntry);
  }

  std::uint64_t head_seq() const { return head_seq_; }  ///< number of the next message
  std::uint64_t tail_seq() const { return tail_seq_; }  ///< oldest number that is kept
  std::uint64_t count() const { return head_seq_ - tail_seq_; }
  std::uint64_t epoch() const { return epoch_; }

  /// `lost`: the message comes with a count of messages lost before it.
  bool fits(std::uint64_t payload_bytes, bool lost = false) const {
    if (count() >= pool_) return false;
    return used_bytes() + writer_->cost(payload_bytes, lost) <= writer_->capacity();
  }
  /// Ring bytes that the kept messages take, with padding, over all epochs.
  std::uint64_t used_bytes() const {
    return writer_->head_pos() - writer_->tail_pos() + ended_bytes_;
  }

  /// The caller has checked fits(). Returns the message's number. Those who read
  /// the memory by themselves see it after publish().
  std::uint64_t append(const LogEntry& entry, const ring::Pieces& payload);
  void publish() { writer_->publish(static_cast<std::uint64_t>(newest_ / kMicrosecond)); }

  /// Everything below `seq` (tail <= seq <= head) is not needed any more.
  void release_to(std::uint64_t seq);
  /// Gives up the oldest message; the log is not empty.
  void evict_oldest() { release_to(tail_seq_ + 1); }

  /// Position in the ring of message `seq`, which is in this epoch, or of the next one.
  std::uint64_t position_of(std::uint64_t seq) const {
    return seq == head_seq_ ? writer_->head_pos() : entry(seq).pos;
  }
  bool is_in_epoch(std::uint64_t seq) const {
    return seq == head_seq_ || entry(seq).epoch == epoch_;
  }
  LogStorage& storage() { return *storage_; }

  /// `seq` is within [tail, head).
  const LogEntry& entry(std::uint64_t seq) const { return entries_[seq & entry_mask_]; }
  std::span<const std::byte> payload(std::uint64_t seq) const;

  /// Ends the epoch and goes on in `storage` with a new pool.
  void begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool);

 private:
  /// Records of an ended epoch that somebody still has to read.
  struct EndedEpoch {
    std::uint64_t epoch;
    std::uint64_t last_seq;
    std::vector<std::byte> bytes;
  };

  /// A power of two. A large pool with few bytes costs no more than its bytes can hold.
  static std::uint64_t entries_for(std::uint64_t ring_bytes, std::uint32_t pool) {
    return std::bit_ceil(std::min<std::uint64_t>(pool, ring_bytes / ring::record_bytes(0)));
  }
  void keep_unread_records();
  void resize_entries();
  void release_ended(std::uint64_t seq);

  std::unique_ptr<LogStorage> storage_;
  std::optional<ring::LogWriter> writer_;
  std::deque<EndedEpoch> ended_;
  std::vector<LogEntry> entries_;  ///< by number modulo its size, a power of two
  std::uint64_t entry_mask_ = 0;
  std::uint64_t ended_bytes_ = 0;  ///< ring bytes that unread records of ended epochs stand for
  std::uint64_t epoch_ = 1;
  std::uint64_t head_seq_ = 1;
  std::uint64_t tail_seq_ = 1;
  TimeNs newest_ = 0;  ///< realtime of the newest message
  std::uint32_t pool_;
};

}  // namespace ipn
