// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "switchcore/core/log.h"
#include "switchcore/core/node.h"

namespace ipn {

/// The log that all receivers of a network read together, and their cursors.
///
/// Lossless: the tail is the smallest cursor. How many readers stand at the tail
/// is counted, so that finding the next tail costs one look at all readers only
/// when the last of them leaves it. Lossy: appending overwrites the oldest, and a
/// reader that was overtaken learns by settle() how many messages it lost.
///
/// A cursor never points at a message of its own node: append() and consume()
/// move it over them, so that own messages neither gate nor wake.
///
/// Readers of the memory move by themselves. Their cursors are what was last
/// believed of their claims, and are looked at again when the log looks full.
class SharedLog {
 public:
  /// `ports` are the network's nodes by port and outlive the log, as does
  /// `faulty`, where nodes go whose claims make no sense.
  SharedLog(std::unique_ptr<LogStorage> storage, std::uint32_t pool, bool lossless,
            const std::vector<Node*>& ports, List<Node, FaultyTag>& faulty)
      : log_(std::move(storage), pool), lossless_(lossless), ports_(ports), faulty_(faulty) {}

  const Log& log() const { return log_; }
  std::size_t readers() const { return readers_.size(); }

  /// The node reads from the next message on.
  void join(Node& node);
  /// Returns how many messages it had not read. It does not read the memory.
  std::uint64_t leave(Node& node);

  /// Lossy logs make room and always fit what is not longer than mtu.
  bool fits(std::uint64_t payload_bytes) {
    return log_.fits(payload_bytes) || (take_claims() && log_.fits(payload_bytes));
  }
  /// Lossless: the caller has checked fits().
  std::uint64_t append(const LogEntry& entry, const ring::Pieces& payload, Node* source);
  /// Lossy: loses the oldest until such a message fits.
  void make_room(std::uint64_t payload_bytes);
  /// The same where there is room, by fits() or by log().room().
  std::uint64_t put(const LogEntry& entry, const ring::Pieces& payload, Node* source) {
    return passed_by(source, log_.append(entry, payload), entry.loopback);
  }
  /// The same for several messages in a row, of which Log::head_of() has made the heads.
  std::uint64_t put(const ring::RecordHead& head, TimeNs time, const ring::Pieces& payload,
                    Node& source) {
    return passed_by(&source, log_.append(head, time, payload), false);
  }
  std::span<const std::byte> payload(std::uint64_t seq) const { return log_.payload(seq); }

  bool is_readable(Node& node);
  std::uint64_t queue_of(Node& node);
  Incoming peek(Node& node);
  /// Passes the message at the cursor. True if that made room.
  bool consume(Node& node);

  /// Lossless: marks who is in the way of senders since `now`.
  void mark_blockers(TimeNs now);
  /// Somebody's mark was taken away by the owner: the next call marks again.
  void forget_marks() { blockers_marked_ = false; }

  /// Goes on in `storage`, which has room for what is unread (lossless), or
  /// loses the oldest.
  void begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool);

  // Readers of the memory.
  bool has_memory_readers() const { return !memory_readers_.empty(); }
  /// Somebody maps this epoch, or has done so and may have kept it.
  bool was_mapped() const { return was_mapped_; }
  LogStorage& storage() { return log_.storage(); }
  /// The node has an attachment and nothing unread of an older epoch.
  LogPlace attach(Node& node);
  /// From here on the device reads, if `moved_to_device`.
  void detach(Node& node, bool moved_to_device);
  void publish() { log_.publish(); }
  /// Behind publish() and a full fence.
  void tell_readers();
  /// Looks how far they have read. True if that made room.
  bool take_claims();
  /// True if the tail moved, by whoever, since this was asked last.
  bool take_room_made() { return std::exchange(room_made_, false); }
  /// Asks those who are in the way to ring when they have read half of it.
  void arm();
  void disarm();

 private:
  bool is_own(const Node& node, std::uint64_t seq) const {
    const LogEntry entry = log_.entry(seq);
    return entry.source == node.id_ && !entry.loopback;
  }
  /// A message of `source` was appended, which does not stop at it. Returns `seq`.
  std::uint64_t passed_by(Node* source, std::uint64_t seq, bool loopback) {
    const bool reads = source != nullptr && source->can_receive_ && !source->own_log_;
    if (reads && !loopback) pass_own(*source, seq);
    return seq;
  }
  void pass_own(Node& node, std::uint64_t seq);
  void skip_own(Node& node);
  void settle(Node& node);
  bool believe(Node& node);
  bool moved(Node& node, std::uint64_t old_cursor);
  bool advance_tail();
  void evict_oldest();

  Log log_;
  const bool lossless_;
  const std::vector<Node*>& ports_;
  List<Node, FaultyTag>& faulty_;
  std::vector<Node*> readers_;         ///< each knows its index
  std::vector<Node*> memory_readers_;  ///< those of them, the same
  std::size_t at_tail_ = 0;            ///< lossless: readers whose cursor is the tail
  bool blockers_marked_ = false;       ///< for this tail
  bool was_mapped_ = false;
  bool armed_ = false;
  bool room_made_ = false;
};

}  // namespace ipn
