// SPDX-License-Identifier: MIT
#include "switchcore/core/own_log.h"

#include <algorithm>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/claims.h"

namespace ipn {

OwnLog::OwnLog(Node& reader, std::unique_ptr<LogStorage> storage, std::uint32_t pool,
               std::uint64_t first_seq, List<Node, FaultyTag>& faulty)
    : node_(reader),
      log_(std::move(storage), pool, first_seq),
      first_seq_(first_seq),
      faulty_(faulty) {
  node_.cursor_ = log_.head_seq();
}

std::uint64_t OwnLog::append(const LogEntry& entry, const ring::Pieces& payload) {
  if (keeps_latest()) overwrite();
  LogEntry own = entry;
  own.lost = std::exchange(lost_, 0);
  return log_.append(own, payload);
}

/// A program that reads the memory counts for itself what it did not get.
void OwnLog::overwrite() {
  if (!node_.reads_memory_) {
    for (; node_.cursor_ < log_.head_seq(); ++node_.cursor_) {
      node_.lost_ += 1 + log_.entry(node_.cursor_).lost;
      node_.count_drop(DropReason::kLapped);
    }
  }
  log_.release_to(log_.head_seq());
}

bool OwnLog::is_readable() {
  take_claim();
  return node_.cursor_ < log_.head_seq();
}

std::uint64_t OwnLog::queue() {
  take_claim();
  const std::uint64_t queue = log_.head_seq() - std::max(node_.cursor_, log_.tail_seq());
  node_.queue_max_ = std::max(node_.queue_max_, queue);
  return queue;
}

Incoming OwnLog::peek() {
  const LogEntry entry = log_.entry(node_.cursor_);
  return {log_.payload(node_.cursor_),
          number_of(node_.cursor_),
          entry.lost + node_.lost_,
          entry.source,
          entry.port,
          entry.hops,
          entry.time};
}

void OwnLog::consume() {
  queue();  // it only shrinks from here: the moment to note its length
  log_.release_to(++node_.cursor_);
  node_.blocking_since_ = 0;
}

void OwnLog::begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool) {
  const LogPlace place{storage.get(), log_.epoch() + 1, log_.head_seq(), 0, keeps_latest()};
  if (node_.reads_memory_ && !node_.attachment_->on_epoch(place)) detach(true);
  log_.begin_epoch(std::move(storage), pool);
}

// The memory --------------------------------------------------------------------

LogPlace OwnLog::attach() {
  IPN_ASSERT(can_attach());
  log_.publish();
  Claims::begin(node_, memory_reader_);
  return {&log_.storage(), log_.epoch(), node_.cursor_, log_.position_of(node_.cursor_),
          keeps_latest()};
}

void OwnLog::detach(bool moved_to_device) {
  node_.attachment_->on_receive_stopped(moved_to_device);
  take_claim();
  Claims::end(node_, memory_reader_);
  if (node_.cursor_ >= log_.tail_seq()) return;
  const std::uint64_t overwritten = log_.tail_seq() - node_.cursor_;
  node_.lost_ += overwritten;
  node_.count_drop(DropReason::kLapped, overwritten);
  node_.cursor_ = log_.tail_seq();
}

bool OwnLog::take_claim() {
  if (!node_.reads_memory_) return false;
  const auto claims = Claims::checked(node_, log_.head_seq(), faulty_);
  if (!claims || claims->read_seq <= node_.cursor_) return false;
  node_.cursor_ = claims->read_seq;
  node_.blocking_since_ = 0;
  if (node_.cursor_ <= log_.tail_seq()) return false;
  log_.release_to(node_.cursor_);
  room_made_ = true;
  return true;
}

void OwnLog::arm() {
  const std::uint64_t unread = log_.head_seq() - node_.cursor_;
  if (!node_.reads_memory_ || unread == 0) return;
  node_.attachment_->set_wake_at(node_.cursor_ + (unread + 1) / 2);
  armed_ = true;
}

void OwnLog::disarm() {
  if (std::exchange(armed_, false) && node_.reads_memory_) node_.attachment_->set_wake_at(0);
}

}  // namespace ipn
