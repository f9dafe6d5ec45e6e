// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "libipn/ring/log_writer.h"
#include "libipn/ring/shared_copy.h"
#include "libipn/ring/shared_word.h"

#include <ipn/ioctl.h>
#include <ipn/ring.h>

namespace ipn::ring {

/// The program's side of a log: finds the messages, and tells which it has read.
///
/// Responsible for walking over what is no message for this node (padding, notes
/// of losses, its own messages), for noticing that it was overtaken, and for exact
/// counts. Where it stands is in a Cursor of the caller's, so that it can look
/// ahead of what it gives back.
///
/// In a log that overwrites, whatever was copied is worth something only if the
/// tail, looked at afterwards, has not passed the place: positions only grow, so
/// one comparison decides. Sequence numbers would not do, for padding in front of
/// message n goes before n does. In a log that keeps, only two things may go while
/// a reader stands on them, both in front of the first message of others from
/// read_seq on: padding, and messages of its own, which the daemon passes for it.
///
/// Makes no system call: whoever uses it rings and waits.
class LogReader {
 public:
  struct Cursor {
    std::uint64_t seq = 0;          ///< number of the next message
    std::uint64_t pos = 0;          ///< where its record, or padding before it, begins
    std::uint64_t lost_before = 0;  ///< found missing since the last message
    // Since the node attached:
    std::uint64_t own = 0, msgs = 0, bytes = 0, lost = 0;
  };

  enum class Found : std::uint8_t { kMessage, kNothing, kEndOfEpoch };

  LogReader() = default;
  /// `log` is a whole log with its header. Messages of the node `node` are its own.
  /// `first` is the number of the first message to read, which read_seq says already.
  LogReader(ipn_control& control, const ipn_status& status, std::span<const std::byte> log,
            std::uint64_t node, bool overwrites, std::uint64_t first)
      : control_(&control), status_(&status), node_(node), published_(first) {
    go_on(log, overwrites);
  }

  /// From now on reads the log of the next epoch.
  void go_on(std::span<const std::byte> log, bool overwrites) {
    header_ = reinterpret_cast<const ipn_log_header*>(log.data());
    ring_ = log.data() + IPN_LOG_HEADER_BYTES;
    capacity_ = log.size() - IPN_LOG_HEADER_BYTES;
    overwrites_ = overwrites;
    head_seq_ = 0;
  }

  bool overwrites() const { return overwrites_; }
  std::uint64_t next_epoch() const {
    return load_word(header_->next_epoch, std::memory_order_acquire);
  }

  /// Moves the cursor to the next message and copies its header.
  [[gnu::always_inline]] Found find(Cursor& at, ipn_log_record& record) {
    if (at.seq < head_seq_ && !may_vanish(at)) [[likely]] {
      __builtin_prefetch(ring_ + ((at.pos + kPrefetch) & (capacity_ - 1)));
      std::memcpy(&record, ring_ + (at.pos & (capacity_ - 1)), sizeof record);
      if (record.type == IPN_RECORD_DATA && !is_own(record)) return Found::kMessage;
    }
    // By value, so that the caller's loop may keep its cursor in registers.
    const Step step = walk(at);
    at = step.at;
    record = step.record;
    return step.found;
  }

  /// The bytes of a message that find() has found, where they lie. Only in logs that do not
  /// overwrite; valid until the cursor that published() gives is behind it.
  const std::byte* payload(const Cursor& at) const {
    return ring_ + (at.pos & (capacity_ - 1)) + IPN_RECORD_HDR;
  }

  /// Copies the first `bytes` bytes of a message that find() has found. False: it was overwritten,
  /// look again. A log that keeps does so as long as the node has a say: was_ours() tells whether
  /// that was so.
  bool copy(const Cursor& at, void* to, std::size_t bytes) const {
    if (!lies_within(at, bytes)) return false;
    if (!overwrites_) {
      copy_short(to, payload(at), bytes);
      return true;
    }
    copy_from_shared(to, payload(at), bytes);
    return is_intact(at.pos);
  }

  /// The message and its header lie in the ring, whatever was written over its length.
  bool lies_within(const Cursor& at, std::size_t bytes) const {
    return bytes <= capacity_ - (at.pos & (capacity_ - 1)) - IPN_RECORD_HDR;
  }
  /// What was read before is what was sent: the node was not disconnected or moved meanwhile.
  bool was_ours() const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return overwrites_ ||
           load_word(status_->recv_state, std::memory_order_relaxed) != IPN_RING_ENDED;
  }

  /// Moves the cursor behind the message that find() has found.
  static void pass(Cursor& at, const ipn_log_record& record) {
    ++at.seq;
    ++at.msgs;
    at.bytes += record.len;
    at.lost_before = 0;
    at.pos += record_bytes(record.len);
  }

  /// Time of sending in microseconds since 1970: the low half is in the record.
  std::uint64_t time_us(const ipn_log_record& record) const {
    const std::uint64_t newest = load_word(header_->time, std::memory_order_relaxed);
    const auto ahead =
        static_cast<std::int32_t>(record.time_us - static_cast<std::uint32_t>(newest));
    return newest + static_cast<std::uint64_t>(std::int64_t{ahead});
  }

  /// Gives back everything before the cursor. True: the daemon is to be rung for.
  bool publish(const Cursor& at) {
    if (at.seq == published_) return false;
    published_ = at.seq;
    published_own_ = at.own;
    store_word(control_->own, __u64{at.own}, std::memory_order_relaxed);
    store_word(control_->msgs, __u64{at.msgs}, std::memory_order_relaxed);
    store_word(control_->bytes, __u64{at.bytes}, std::memory_order_relaxed);
    store_word(control_->lost, __u64{at.lost}, std::memory_order_relaxed);
    store_word(control_->read_seq, __u64{at.seq}, std::memory_order_release);
    full_fence();
    const std::uint64_t wish = load_word(status_->wake_at, std::memory_order_relaxed);
    if (wish == 0 || wish == rung_ || at.seq < wish) return false;
    rung_ = wish;
    return true;
  }

  /// Whether there is more than find() has seen: a number, or the end of the epoch.
  bool has_news() const {
    return load_word(header_->head_seq, std::memory_order_acquire) != head_seq_ ||
           next_epoch() != 0;
  }
  /// What to store in sleep_at when find() has found nothing.
  std::uint64_t wish(const Cursor& at) const { return std::max(at.seq, head_seq_) + 1; }

 private:
  static constexpr int kAttempts = 1000;
  /// How far ahead the log is fetched into the cache, in bytes.
  static constexpr std::uint64_t kPrefetch = 768;

  struct Step {
    Found found;
    Cursor at;
    ipn_log_record record;
  };

  /// Nothing but own messages lies between read_seq and the cursor.
  bool may_vanish(const Cursor& at) const {
    return overwrites_ || at.seq - published_ == at.own - published_own_;
  }
  bool is_own(const ipn_log_record& record) const {
    return record.node == node_ && (record.flags & IPN_MSG_LOOPBACK) == 0;
  }

  [[gnu::noinline]] Step walk(Cursor at) {
    ipn_log_record record{};
    for (;;) {
      if (at.seq >= head_seq_ && !refresh(at.seq)) {
        if (next_epoch() == 0) return {Found::kNothing, at, record};
        if (at.seq > load_word(header_->last_seq, std::memory_order_relaxed)) {
          return {Found::kEndOfEpoch, at, record};
        }
        continue;
      }
      copy_from_shared(&record, ring_ + (at.pos & (capacity_ - 1)), sizeof record);
      if (may_vanish(at) && !is_intact(at.pos)) {
        if (!catch_up(at)) return {Found::kNothing, at, record};
        continue;
      }
      if (record.type == IPN_RECORD_DATA) {
        if (!is_own(record)) return {Found::kMessage, at, record};
        ++at.seq;
        ++at.own;
      } else if (record.type == IPN_RECORD_LOST && !note_lost(at)) {
        continue;
      }
      at.pos += record_bytes(record.len);
    }
  }

  bool refresh(std::uint64_t seq) {
    head_seq_ = load_word(header_->head_seq, std::memory_order_acquire);
    return seq < head_seq_;
  }

  bool is_intact(std::uint64_t pos) const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return load_word(header_->tail_pos, std::memory_order_relaxed) <= pos;
  }

  /// The cursor stands on a note of losses. False: it was overwritten.
  bool note_lost(Cursor& at) const {
    std::uint64_t lost = 0;
    if (!copy(at, &lost, sizeof lost)) return false;
    at.lost_before += lost;  // the daemon has counted them
    return true;
  }

  struct Tail {
    std::uint64_t seq, pos;
    std::uint64_t own;  ///< of the node's own messages, how many lie before it
  };

  /// Sends the cursor to the tail after an overtaking, with what is missing now.
  /// False: the daemon is moving the tail and does not come to an end.
  bool catch_up(Cursor& at) const {
    Tail tail{};
    int attempts = kAttempts;
    while (!read_tail(tail)) {
      if (--attempts == 0) return false;
    }
    if (tail.seq > at.seq) {
      const std::uint64_t gap = tail.seq - at.seq;
      const std::uint64_t own = own_in_gap(at, tail, gap);
      at.own += own;
      at.lost += gap - own;
      at.lost_before += gap - own;
      at.seq = tail.seq;
    }
    at.pos = tail.pos;
    return true;
  }

  /// In a log that keeps, nothing else was given up.
  std::uint64_t own_in_gap(const Cursor& at, const Tail& tail, std::uint64_t gap) const {
    if (!overwrites_) return gap;
    return tail.own > at.own ? std::min(tail.own - at.own, gap) : 0;
  }

  /// The two words of the tail are stored one after the other. They belong together if both are
  /// the same afterwards and the record there has that number (or nothing is behind them).
  bool read_tail(Tail& tail) const {
    tail.seq = load_word(header_->tail_seq, std::memory_order_acquire);
    tail.pos = load_word(header_->tail_pos, std::memory_order_acquire);
    if (!read_own(tail)) return false;
    if (tail.seq == load_word(header_->head_seq, std::memory_order_acquire)) {
      if (tail.pos != load_word(header_->head_pos, std::memory_order_relaxed)) return false;
    } else {
      ipn_log_record record;
      copy_from_shared(&record, ring_ + (tail.pos & (capacity_ - 1)), sizeof record);
      if (record.seq != tail.seq) return false;
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    return load_word(header_->tail_pos, std::memory_order_relaxed) == tail.pos &&
           load_word(header_->tail_seq, std::memory_order_relaxed) == tail.seq;
  }

  /// The daemon counts an own message before the tail passes it. False: it is
  /// counting, or has counted one that the tail has not passed yet. In an epoch that is
  /// over the tail stays, and those of the next one may be counted too early.
  bool read_own(Tail& tail) const {
    const __u32 before = load_word(status_->own_version, std::memory_order_acquire);
    const std::uint64_t seq = load_word(status_->own_evicted_seq, std::memory_order_relaxed);
    tail.own = load_word(status_->own_evicted, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    const __u32 after = load_word(status_->own_version, std::memory_order_relaxed);
    const bool is_stable = before == after && before % 2 == 0;
    return is_stable && (tail.own == 0 || seq < tail.seq || next_epoch() != 0);
  }

  ipn_control* control_ = nullptr;
  const ipn_status* status_ = nullptr;
  const ipn_log_header* header_ = nullptr;
  const std::byte* ring_ = nullptr;
  std::uint64_t capacity_ = 0;
  std::uint64_t node_ = 0;
  std::uint64_t head_seq_ = 0;       ///< the daemon's when it was last looked at
  std::uint64_t published_ = 0;      ///< read_seq,
  std::uint64_t published_own_ = 0;  ///< and the own messages before it
  std::uint64_t rung_ = 0;           ///< the last wish that was rung for
  bool overwrites_ = false;
};

}  // namespace ipn::ring
