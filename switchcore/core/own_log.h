// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "switchcore/core/log.h"
#include "switchcore/core/node.h"

namespace ipn {

/// The log of one receiver, and its cursor in it.
///
/// Responsible for what becomes of a message without room: the newest is lost and
/// counted, or, where only the latest is of interest, it takes the place of those
/// before it. Whether senders wait for room is the network's business. Knows of
/// the receiver's own messages only those that were meant for it, too.
class OwnLog {
 public:
  /// `reader` owns the log. `faulty`: see SharedLog.
  OwnLog(Node& reader, std::unique_ptr<LogStorage> storage, std::uint32_t pool,
         std::uint64_t first_seq, List<Node, FaultyTag>& faulty);

  const Log& log() const { return log_; }
  /// The newest message takes the place of all that is unread.
  bool keeps_latest() const { return node_.overflow_ == IPN_OVERFLOW_LATEST; }

  bool fits(std::uint64_t payload_bytes) {
    return log_.fits(payload_bytes, lost_ != 0) ||
           (take_claim() && log_.fits(payload_bytes, lost_ != 0));
  }
  /// The caller has checked fits(), or it keeps the latest. Returns the number.
  std::uint64_t append(const LogEntry& entry, const ring::Pieces& payload);
  /// A message is lost, because it did not fit or for another one's sake.
  void lose() { ++lost_; }
  /// The message that was appended last, as each one before it, had another number in the log
  /// from which its reader was moved here, and goes by that: the reader may have read it there.
  void keep_number(std::uint64_t seq) { moved_.push_back(seq); }
  std::span<const std::byte> payload(std::uint64_t seq) const { return log_.payload(seq); }

  bool is_readable();
  std::uint64_t queue();
  Incoming peek();
  void consume();

  void begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool);

  // The memory, if its reader reads it by itself.
  bool can_attach() const { return log_.is_in_epoch(node_.cursor_); }
  LogStorage& storage() { return log_.storage(); }
  LogPlace attach();
  void detach(bool moved_to_device);
  void publish() { log_.publish(); }
  void tell_reader() { node_.attachment_->on_published(log_.head_seq()); }
  /// Looks how far it has read. True if that made room.
  bool take_claim();
  /// True if its reader has made room since this was asked last.
  bool take_room_made() { return std::exchange(room_made_, false); }
  /// Asks it to ring when it has read half of what is there.
  void arm();
  void disarm();

 private:
  void overwrite();
  std::uint64_t number_of(std::uint64_t seq) const {
    const std::uint64_t index = seq - first_seq_;
    return index < moved_.size() ? moved_[index] : seq;
  }

  Node& node_;
  Log log_;
  const std::uint64_t first_seq_;
  std::vector<std::uint64_t> moved_;  ///< numbers of the first messages in another log
  List<Node, FaultyTag>& faulty_;
  std::vector<Node*> memory_reader_;  ///< the node, while it is one
  std::uint64_t lost_ = 0;            ///< since the last append
  bool armed_ = false;
  bool room_made_ = false;
};

}  // namespace ipn
