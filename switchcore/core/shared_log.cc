// SPDX-License-Identifier: MIT
#include "switchcore/core/shared_log.h"

#include <algorithm>

#include "switchcore/base/assert.h"

namespace ipn {

void SharedLog::join(Node& node) {
  node.cursor_ = log_.head_seq();
  node.own_taken_ = node.own_passed_ = node.own_evicted_ = 0;
  node.reader_index_ = readers_.size();
  readers_.push_back(&node);
  if (node.cursor_ == log_.tail_seq()) ++at_tail_;
}

std::uint64_t SharedLog::leave(Node& node) {
  const std::uint64_t unread = queue_of(node);
  readers_[node.reader_index_] = readers_.back();
  readers_[node.reader_index_]->reader_index_ = node.reader_index_;
  readers_.pop_back();
  node.blocking_since_ = 0;
  if (lossless_ && node.cursor_ == log_.tail_seq() && --at_tail_ == 0) advance_tail();
  return unread;
}

std::uint64_t SharedLog::append(const LogEntry& entry, const ring::Pieces& payload, Node* source) {
  if (!lossless_) {
    while (!log_.fits(payload.size())) evict_oldest();
  }
  const std::uint64_t seq = log_.append(entry, payload);
  if (source != nullptr && source->can_receive_ && !entry.loopback) {
    ++source->own_taken_;
    if (source->cursor_ == seq) {
      ++source->cursor_;
      ++source->own_passed_;
      moved(*source, seq);
    }
  }
  return seq;
}

bool SharedLog::is_readable(Node& node) {
  settle(node);
  return node.cursor_ < log_.head_seq();
}

std::uint64_t SharedLog::queue_of(Node& node) {
  settle(node);
  const std::uint64_t own_unread = node.own_taken_ - node.own_passed_;
  const std::uint64_t queue = log_.head_seq() - node.cursor_ - own_unread;
  node.queue_max_ = std::max(node.queue_max_, queue);
  return queue;
}

Incoming SharedLog::peek(Node& node) {
  settle(node);
  const LogEntry& entry = log_.entry(node.cursor_);
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

/// A reader that the writer has overtaken goes on at the tail.
void SharedLog::settle(Node& node) {
  if (node.cursor_ >= log_.tail_seq()) return;
  const std::uint64_t own_lost = node.own_evicted_ - node.own_passed_;
  const std::uint64_t lost = log_.tail_seq() - node.cursor_ - own_lost;
  node.lost_ += lost;
  node.count_drop(DropReason::kLapped, lost);
  node.own_passed_ = node.own_evicted_;
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
  log_.begin_epoch(std::move(storage), pool);
  blockers_marked_ = false;  // nobody is in the way until somebody finds the new log full
}

void SharedLog::evict_oldest() {
  const LogEntry& oldest = log_.entry(log_.tail_seq());
  Node* source = oldest.port.value < ports_.size() ? ports_[oldest.port.value] : nullptr;
  if (source != nullptr && source->id_ == oldest.source && !oldest.loopback) {
    ++source->own_evicted_;
  }
  log_.evict_oldest();
}

}  // namespace ipn
