// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
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
class SharedLog {
 public:
  /// `ports` are the network's nodes by port and outlive the log.
  SharedLog(std::unique_ptr<LogStorage> storage, std::uint32_t pool, bool lossless,
            const std::vector<Node*>& ports)
      : log_(std::move(storage), pool), lossless_(lossless), ports_(ports) {}

  const Log& log() const { return log_; }
  std::size_t readers() const { return readers_.size(); }

  /// The node reads from the next message on.
  void join(Node& node);
  /// Returns how many messages it had not read.
  std::uint64_t leave(Node& node);

  /// Lossy logs make room and always fit what is not longer than mtu.
  bool fits(std::uint64_t payload_bytes) const { return log_.fits(payload_bytes); }
  /// Lossless: the caller has checked fits().
  std::uint64_t append(const LogEntry& entry, const ring::Pieces& payload, Node* source);

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

 private:
  bool is_own(const Node& node, std::uint64_t seq) const {
    const LogEntry& entry = log_.entry(seq);
    return entry.source == node.id_ && !entry.loopback;
  }
  void skip_own(Node& node);
  void settle(Node& node);
  bool moved(Node& node, std::uint64_t old_cursor);
  bool advance_tail();
  void evict_oldest();

  Log log_;
  const bool lossless_;
  const std::vector<Node*>& ports_;
  std::vector<Node*> readers_;    ///< each knows its index
  std::size_t at_tail_ = 0;       ///< lossless: readers whose cursor is the tail
  bool blockers_marked_ = false;  ///< for this tail
};

}  // namespace ipn
