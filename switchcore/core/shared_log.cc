// SPDX-License-Identifier: MIT
#include "switchcore/core/shared_log.h"

#include <algorithm>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/claims.h"

namespace ipn {

void SharedLog::join(Node& node) {
  node.cursor_ = log_.head_seq();
  node.own_taken_ = node.own_passed_ = node.own_evicted_ = node.own_until_ = 0;
  node.reader_index_ = readers_.size();
  readers_.push_back(&node);
  if (node.cursor_ == log_.tail_seq()) ++at_tail_;
}

std::uint64_t SharedLog::leave(Node& node) {
  IPN_ASSERT(!node.reads_memory_);
  const std::uint64_t unread = queue_of(node);
  readers_[node.reader_index_] = readers_.back();
  readers_[node.reader_index_]->reader_index_ = node.reader_index_;
  readers_.pop_back();
  node.blocking_since_ = 0;
  if (lossless_ && node.cursor_ == log_.tail_seq() && --at_tail_ == 0) advance_tail();
  return unread;
}

std::uint64_t SharedLog::append(const LogEntry& entry, const ring::Pieces& payload, Node* source) {
  if (!lossless_) make_room(payload.size());
  return put(entry, payload, source);
}

void SharedLog::pass_own(Node& node, std::uint64_t seq) {
  ++node.own_taken_;
  if (node.cursor_ != seq) return;
  ++node.cursor_;
  ++node.own_passed_;
  moved(node, seq);
}

bool SharedLog::is_readable(Node& node) {
  settle(node);
  // One that reads the memory is not where it was last believed to be.
  const std::uint64_t first = std::max(node.cursor_, log_.tail_seq());
  std::uint64_t next = std::max(first, node.own_until_);
  while (next < log_.head_seq() && is_own(node, next)) ++next;
  // Found once: whoever asks again and again does not make us count them again.
  node.own_until_ = next;
  return next < log_.head_seq();
}

std::uint64_t SharedLog::queue_of(Node& node) {
  settle(node);
  const std::uint64_t own_unread = node.own_taken_ - std::max(node.own_passed_, node.own_evicted_);
  const std::uint64_t all = log_.head_seq() - std::max(node.cursor_, log_.tail_seq());
  const std::uint64_t queue = all - std::min(own_unread, all);
  node.queue_max_ = std::max(node.queue_max_, queue);
  return queue;
}

Incoming SharedLog::peek(Node& node) {
  settle(node);
  const LogEntry entry = log_.entry(node.cursor_);
  return {log_.payload(node.cursor_),
          node.cursor_,
          node.lost_,
          entry.source,
          entry.port,
          entry.hops,
          entry.time};
}

bool SharedLog::consume(Node& node) {
  queue_of(node);  // it only shrinks from here: the moment to note its length
  const std::uint64_t old_cursor = node.cursor_++;
  skip_own(node);
  return moved(node, old_cursor);
}

void SharedLog::mark_blockers(TimeNs now) {
  if (blockers_marked_) return;
  blockers_marked_ = true;
  for (Node* node : readers_) {
    if (node->cursor_ == log_.tail_seq() && node->blocking_since_ == 0) node->blocking_since_ = now;
  }
}

void SharedLog::skip_own(Node& node) {
  while (node.cursor_ < log_.head_seq() && is_own(node, node.cursor_)) {
    ++node.cursor_;
    ++node.own_passed_;
  }
}

/// A reader that the writer has overtaken goes on at the tail. One that reads the
/// memory finds that out by itself.
void SharedLog::settle(Node& node) {
  if (node.reads_memory_) {
    const std::uint64_t old_cursor = node.cursor_;
    if (believe(node)) moved(node, old_cursor);
    return;
  }
  if (node.cursor_ >= log_.tail_seq()) return;
  const std::uint64_t own_lost = node.own_evicted_ - std::min(node.own_passed_, node.own_evicted_);
  const std::uint64_t passed = log_.tail_seq() - node.cursor_;
  const std::uint64_t lost = passed - std::min(own_lost, passed);
  node.lost_ += lost;
  node.count_drop(DropReason::kLapped, lost);
  node.own_passed_ = std::max(node.own_passed_, node.own_evicted_);
  node.cursor_ = log_.tail_seq();
  skip_own(node);
}

/// The cursor went on from `old_cursor`. True if the tail could follow.
bool SharedLog::moved(Node& node, std::uint64_t old_cursor) {
  if (!lossless_ || old_cursor != log_.tail_seq()) return false;
  node.blocking_since_ = 0;
  return --at_tail_ == 0 && advance_tail();
}

bool SharedLog::advance_tail() {
  std::uint64_t tail = log_.head_seq();
  for (const Node* node : readers_) tail = std::min(tail, node->cursor_);
  const bool made_room = tail > log_.tail_seq();
  room_made_ = room_made_ || made_room;
  log_.release_to(tail);
  at_tail_ = static_cast<std::size_t>(
      std::count_if(readers_.begin(), readers_.end(),
                    [tail](const Node* node) { return node->cursor_ == tail; }));
  blockers_marked_ = false;
  return made_room;
}

void SharedLog::begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool) {
  if (!lossless_) {
    const std::uint64_t room = storage->bytes().size() - Log::storage_bytes(0);
    while (log_.count() > pool || log_.used_bytes() > room) evict_oldest();
  }
  const LogPlace place{storage.get(), log_.epoch() + 1, log_.head_seq(), 0, !lossless_};
  was_mapped_ = false;
  for (std::size_t i = memory_readers_.size(); i-- > 0;) {
    Node& node = *memory_readers_[i];
    if (node.attachment_->on_epoch(place)) {
      was_mapped_ = true;
    } else {
      detach(node, true);
    }
  }
  log_.begin_epoch(std::move(storage), pool);
  blockers_marked_ = false;  // nobody is in the way until somebody finds the new log full
}

void SharedLog::make_room(std::uint64_t payload_bytes) {
  while (!log_.fits(payload_bytes)) evict_oldest();
}

void SharedLog::evict_oldest() {
  const LogEntry oldest = log_.entry(log_.tail_seq());
  Node* source = oldest.port.value < ports_.size() ? ports_[oldest.port.value] : nullptr;
  if (source != nullptr && source->id_ == oldest.source && !oldest.loopback) {
    ++source->own_evicted_;
    // Those before the place where it began to read are none of its business.
    // Those of an older epoch it still finds where they are.
    const bool tells =
        source->reads_memory_ && !source->own_log_ && log_.is_in_epoch(log_.tail_seq());
    if (tells && source->own_evicted_ > source->claim_base_) {
      source->attachment_->on_own_evicted(log_.tail_seq(),
                                          source->own_evicted_ - source->claim_base_);
    }
  }
  log_.evict_oldest();
}

// Readers of the memory -------------------------------------------------------

LogPlace SharedLog::attach(Node& node) {
  settle(node);
  IPN_ASSERT(log_.is_in_epoch(node.cursor_));
  log_.publish();
  Claims::begin(node, memory_readers_);
  was_mapped_ = true;
  return {&log_.storage(), log_.epoch(), node.cursor_, log_.position_of(node.cursor_), !lossless_};
}

void SharedLog::detach(Node& node, bool moved_to_device) {
  node.attachment_->on_receive_stopped(moved_to_device);
  settle(node);
  Claims::end(node, memory_readers_);
}

void SharedLog::tell_readers() {
  for (Node* node : memory_readers_) node->attachment_->on_published(log_.head_seq());
}

/// True if the cursor moved; what that means for the tail is left to the caller.
bool SharedLog::believe(Node& node) {
  const auto claims = Claims::checked(node, log_.head_seq(), faulty_);
  if (!claims || claims->read_seq <= node.cursor_) return false;
  if (node.cursor_ == log_.tail_seq()) node.blocking_since_ = 0;
  node.cursor_ = claims->read_seq;
  node.own_passed_ = std::min(node.claim_base_ + claims->own, node.own_taken_);
  if (node.cursor_ >= log_.tail_seq()) skip_own(node);
  return true;
}

bool SharedLog::take_claims() {
  bool news = false;
  for (Node* node : memory_readers_) news = believe(*node) || news;
  return news && lossless_ && advance_tail();
}

void SharedLog::arm() {
  for (Node* node : memory_readers_) {
    const std::uint64_t unread = log_.head_seq() - node->cursor_;
    const bool in_the_way = node->cursor_ == log_.tail_seq() && unread > 0;
    std::uint64_t wake_at = in_the_way ? node->cursor_ + (unread + 1) / 2 : 0;
    // It does not tell that it passed messages of its own, which it need not: we
    // pass them for it as soon as it has read what lies before them.
    while (in_the_way && is_own(*node, wake_at - 1)) --wake_at;
    node->attachment_->set_wake_at(wake_at);
  }
  armed_ = true;
}

void SharedLog::disarm() {
  if (!std::exchange(armed_, false)) return;
  for (Node* node : memory_readers_) node->attachment_->set_wake_at(0);
}

}  // namespace ipn
