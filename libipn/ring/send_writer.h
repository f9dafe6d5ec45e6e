// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libipn/ring/log_writer.h"
#include "libipn/ring/shared_word.h"

#include <ipn/ioctl.h>
#include <ipn/ring.h>

namespace ipn::ring {

/// The program's side of a send ring: writes messages where the daemon takes them.
///
/// Responsible for where records lie and for when the daemon sees them. Keeps its
/// positions in private memory; the daemon's position is read again only when the
/// ring looks full. Makes no system call: whoever uses it rings and waits.
class SendWriter {
 public:
  SendWriter() = default;
  /// `ring` is a power of two of bytes. All three outlive the writer.
  SendWriter(ipn_control& control, const ipn_status& status, std::span<std::byte> ring)
      : control_(&control), status_(&status), ring_(ring.data()), capacity_(ring.size()) {}

  /// Whether a message of this length fits into the empty ring.
  bool can_hold(std::size_t len) const { return record_bytes(len) <= capacity_; }

  /// Room for a message that can_hold() holds, until commit() or the next call; empty, with a null
  /// pointer: there is no room now. What was committed must be published before a wait for it.
  std::span<std::byte> reserve(std::uint32_t len) {
    const std::uint64_t need = record_bytes(len);
    const std::uint64_t to_wrap = bytes_to_wrap(head_);
    if (need > to_wrap) {
      // The padding goes first, alone if need be: both together may be more than the ring.
      if (!has_room_to(head_ + to_wrap)) return {};
      pad(head_, to_wrap);
      head_ += to_wrap;
    }
    if (!has_room_to(head_ + need)) return {};
    return {at(head_) + IPN_RECORD_HDR, len};
  }

  /// Completes the message that was written to the first `len` bytes of what
  /// reserve() gave. The daemon sees it by publish().
  void commit(std::uint32_t len, bool report = false, std::uint64_t destination = 0,
              std::uint64_t cookie = 0) {
    put(head_, len, report ? IPN_MSG_REPORT : 0, IPN_RECORD_DATA, destination, cookie);
    head_ += record_bytes(len);
  }

  /// Several at once: reserve() gives the room of the first, which begins a batch; reserve_more()
  /// that of each other one, while there is room. All get their length here, and commit_batch()
  /// commits the first n.
  void begin_batch(std::uint32_t len) {
    put(head_, len, 0, IPN_RECORD_DATA, 0, 0);
    batch_end_ = head_ + record_bytes(len);
  }
  std::span<std::byte> reserve_more(std::uint32_t len) {
    const std::uint64_t need = record_bytes(len);
    const std::uint64_t to_wrap = bytes_to_wrap(batch_end_);
    const std::uint64_t padding = need > to_wrap ? to_wrap : 0;
    if (!has_room_to(batch_end_ + padding + need)) return {};
    if (padding != 0) pad(batch_end_, padding);
    const std::uint64_t place = batch_end_ + padding;
    put(place, len, 0, IPN_RECORD_DATA, 0, 0);
    batch_end_ = place + need;
    return {at(place) + IPN_RECORD_HDR, len};
  }
  /// A walk over the messages of the batch begins here.
  std::uint64_t batch_begin() const { return head_; }
  /// The message of the batch at `position`, which goes on behind it; empty with a null
  /// pointer: there is no other.
  std::span<std::byte> next_in_batch(std::uint64_t& position) const {
    while (position < batch_end_) {
      const auto& record = *reinterpret_cast<const ipn_send_record*>(at(position));
      const std::span message(at(position) + IPN_RECORD_HDR, record.len);
      position += record_bytes(record.len);
      if (record.type == IPN_RECORD_DATA) return message;
    }
    return {};
  }
  void commit_batch(std::uint32_t n) {
    std::uint64_t position = head_;
    while (n > 0 && next_in_batch(position).data() != nullptr) --n;
    head_ = position;
  }
  void commit_whole_batch() { head_ = batch_end_; }

  bool has_unpublished() const { return head_ != published_; }

  /// Lets the daemon see all that was committed. True: it is to be rung for.
  bool publish() {
    if (head_ == published_) return false;
    published_ = head_;
    store_word(control_->send_head, __u64{head_}, std::memory_order_release);
    full_fence();
    const __u32 wish = load_word(status_->ring_me, std::memory_order_relaxed);
    if (wish == 0 || wish == rung_) return false;
    rung_ = wish;
    return true;
  }

  /// Where send_tail has to be so that reserve(len) finds room.
  std::uint64_t position_of_room(std::uint32_t len) const {
    const std::uint64_t need = record_bytes(len);
    const std::uint64_t to_wrap = bytes_to_wrap(head_);
    return head_ + (need > to_wrap ? to_wrap : need) - capacity_;
  }
  /// Where it has to be so that a sleep for room is worth while: half of the ring is
  /// free then, or as much as the message needs.
  std::uint64_t position_to_wait_for(std::uint32_t len) const {
    const std::uint64_t room = position_of_room(len);
    const std::uint64_t half = head_ - capacity_ / 2;
    return head_ >= capacity_ && half > room ? half : room;
  }

  /// Whether the daemon has taken everything that was published.
  bool is_drained() { return tail() == published_; }
  /// How far the daemon is.
  std::uint64_t tail() { return tail_ = load_word(status_->send_tail, std::memory_order_acquire); }

 private:
  std::byte* at(std::uint64_t position) const { return ring_ + (position & (capacity_ - 1)); }
  std::uint64_t bytes_to_wrap(std::uint64_t position) const {
    return capacity_ - (position & (capacity_ - 1));
  }
  void pad(std::uint64_t position, std::uint64_t bytes) {
    put(position, static_cast<std::uint32_t>(bytes - IPN_RECORD_HDR), 0, IPN_RECORD_PAD, 0, 0);
  }
  /// Field by field, where it lies: a copy of a whole one waits for its parts.
  void put(std::uint64_t position, std::uint32_t len, std::uint16_t flags, std::uint8_t type,
           std::uint64_t destination, std::uint64_t cookie) {
    auto& record = *reinterpret_cast<ipn_send_record*>(at(position));
    record.len = len;
    record.flags = flags;
    record.type = type;
    record.meta8 = 0;
    record.dst = destination;
    record.cookie = cookie;
    record.rsv = 0;
  }

  bool has_room_to(std::uint64_t end) {
    if (end - tail_ <= capacity_) return true;
    return end - tail() <= capacity_;
  }

  ipn_control* control_ = nullptr;
  const ipn_status* status_ = nullptr;
  std::byte* ring_ = nullptr;
  std::uint64_t capacity_ = 0;
  std::uint64_t head_ = 0, published_ = 0;
  std::uint64_t batch_end_ = 0;  ///< behind what was reserved at once
  std::uint64_t tail_ = 0;       ///< the daemon's position when it was last looked at
  std::uint32_t rung_ = 0;       ///< the last wish that was rung for
};

}  // namespace ipn::ring
