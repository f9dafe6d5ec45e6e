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
#include "switchcore/base/assert.h"
#include "switchcore/base/ids.h"
#include "switchcore/base/time.h"
#include "switchcore/core/storage.h"

namespace ipn {

/// What is told and known of a message besides its number and its bytes.
struct LogEntry {
  NodeId source;
  TimeNs time = 0;         ///< realtime; a log keeps microseconds
  std::uint32_t len = 0;   ///< filled in by the log
  std::uint64_t lost = 0;  ///< messages that this log's reader lost just before this one
  Port port;
  std::uint8_t hops = 0;
  bool loopback = false;  ///< delivered to its own sender, too
};

/// A sequence of messages, numbered without a gap, of which the newest are kept.
///
/// Responsible for numbers, places and room: it is full when it holds `pool`
/// messages or its bytes are used up, counted over all epochs. Ignorant of who
/// reads: the owner says by release_to() what nobody needs any more, or calls
/// evict_oldest() to overwrite.
///
/// An *epoch* is a piece of memory. When it ends, records that are still needed
/// are moved to private memory of just their size; numbers run on.
///
/// Where each number lies is kept in private memory, so that whatever a reader
/// claims, it is never misplaced. All else is in the records, which nobody but this
/// object can write.
class Log {
 public:
  /// `storage` has storage_bytes(bytes) bytes; `bytes` is a power of two.
  Log(std::unique_ptr<LogStorage> storage, std::uint32_t pool, std::uint64_t first_seq = 1);

  /// What is kept of each message besides its record.
  static constexpr std::uint64_t kPlaceBytes = sizeof(std::uint64_t);

  /// What a log with a ring of `ring_bytes` needs of memory.
  static std::uint64_t storage_bytes(std::uint64_t ring_bytes) {
    return IPN_LOG_HEADER_BYTES + ring_bytes;
  }

  /// What is charged for such a log: its ring and the places of its messages.
  static std::uint64_t memory_bytes(std::uint64_t ring_bytes, std::uint32_t pool) {
    return ring_bytes + places_for(ring_bytes, pool) * kPlaceBytes;
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
  /// The same for several messages with the same entry, which head_of() has made ready and which
  /// tells of no losses.
  std::uint64_t append(const ring::RecordHead& head, TimeNs time, const ring::Pieces& payload);
  static ring::RecordHead head_of(const LogEntry& entry);
  void publish() { writer_->publish(static_cast<std::uint64_t>(newest_ / kMicrosecond)); }

  /// Everything below `seq` (tail <= seq <= head) is not needed any more.
  void release_to(std::uint64_t seq);
  /// Gives up the oldest message; the log is not empty.
  void evict_oldest() { release_to(tail_seq_ + 1); }

  /// Position in the ring of message `seq`, which is in this epoch, or of the next one.
  std::uint64_t position_of(std::uint64_t seq) const {
    return seq == head_seq_ ? writer_->head_pos() : place(seq);
  }
  bool is_in_epoch(std::uint64_t seq) const { return seq >= epoch_first_; }
  LogStorage& storage() { return *storage_; }
  /// There are messages in the memory of this epoch, needed or not.
  bool has_begun() const { return head_seq_ != epoch_first_; }

  /// What fits without padding.
  struct Room {
    std::uint64_t msgs = 0, bytes = 0;
    /// True: there is room for such a message, which is taken off.
    bool takes(std::uint64_t payload_bytes) {
      const std::uint64_t need = ring::record_bytes(payload_bytes);
      if (msgs == 0 || bytes < need) return false;
      --msgs;
      bytes -= need;
      return true;
    }
  };
  /// Room up to where the ring wraps, so that no padding has to be reckoned with.
  Room room() const {
    const std::uint64_t capacity = writer_->capacity();
    const std::uint64_t to_wrap = capacity - (writer_->head_pos() & (capacity - 1));
    const std::uint64_t free = capacity - std::min(used_bytes(), capacity);
    return {pool_ - std::min<std::uint64_t>(count(), pool_), std::min(to_wrap, free)};
  }

  /// `seq` is within [tail, head).
  LogEntry entry(std::uint64_t seq) const;
  std::span<const std::byte> payload(std::uint64_t seq) const {
    const ring::RecordView view = ring::view_record(start_of(seq));
    return {view.payload, view.head.len};
  }

  /// Ends the epoch and goes on in `storage` with a new pool.
  void begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool);

 private:
  /// Records of an ended epoch that somebody still has to read.
  struct EndedEpoch {
    std::uint64_t last_seq;
    std::vector<std::byte> bytes;
  };

  /// A power of two. A large pool with few bytes costs no more than its bytes can hold.
  static std::uint64_t places_for(std::uint64_t ring_bytes, std::uint32_t pool) {
    return std::bit_ceil(std::min<std::uint64_t>(pool, ring_bytes / ring::record_bytes(0)));
  }
  std::uint64_t place(std::uint64_t seq) const { return places_[seq & place_mask_]; }
  const std::byte* start_of(std::uint64_t seq) const {
    return is_in_epoch(seq) ? writer_->record_at(place(seq)) : start_in_ended(seq);
  }
  const std::byte* start_in_ended(std::uint64_t seq) const;
  std::uint64_t note_appended(std::uint64_t place, TimeNs time);
  void keep_unread_records();
  void resize_places();
  void release_ended(std::uint64_t seq);

  std::unique_ptr<LogStorage> storage_;
  std::optional<ring::LogWriter> writer_;
  std::deque<EndedEpoch> ended_;
  /// By number modulo its size, a power of two: position in the ring, or offset in
  /// the bytes of an ended epoch.
  std::vector<std::uint64_t> places_;
  std::uint64_t place_mask_ = 0;
  std::uint64_t ended_bytes_ = 0;  ///< ring bytes that unread records of ended epochs stand for
  std::uint64_t epoch_ = 1;
  std::uint64_t epoch_first_;  ///< number of its first message
  std::uint64_t head_seq_;
  std::uint64_t tail_seq_;
  TimeNs newest_ = 0;  ///< realtime of the newest message
  std::uint32_t pool_;
};

inline ring::RecordHead Log::head_of(const LogEntry& entry) {
  ring::RecordHead head;
  head.node = entry.source.value;
  head.port = static_cast<std::uint16_t>(entry.port.value);
  head.hops = entry.hops;
  head.flags = entry.loopback ? IPN_MSG_LOOPBACK : 0;
  head.time_us = static_cast<std::uint32_t>(entry.time / kMicrosecond);
  return head;
}

inline std::uint64_t Log::append(const LogEntry& entry, const ring::Pieces& payload) {
  return note_appended(writer_->append(head_of(entry), payload, entry.lost), entry.time);
}

inline std::uint64_t Log::append(const ring::RecordHead& head, TimeNs time,
                                 const ring::Pieces& payload) {
  return note_appended(writer_->append(head, payload), time);
}

inline std::uint64_t Log::note_appended(std::uint64_t place, TimeNs time) {
  places_[head_seq_ & place_mask_] = place;
  newest_ = time;
  IPN_ASSERT(writer_->head_pos() - writer_->tail_pos() <= writer_->capacity());
  IPN_ASSERT(head_seq_ - tail_seq_ <= place_mask_);
  return head_seq_++;
}

}  // namespace ipn
