// SPDX-License-Identifier: MIT
#include "switchcore/core/log.h"

#include <algorithm>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn {

Log::Log(std::unique_ptr<LogStorage> storage, std::uint32_t pool)
    : storage_(std::move(storage)), pool_(pool) {
  writer_.emplace(storage_->bytes(), epoch_, head_seq_);
  resize_entries();
}

std::uint64_t Log::append(const LogEntry& entry, const ring::Pieces& payload) {
  ring::RecordHead head;
  head.node = entry.source.value;
  head.port = static_cast<std::uint16_t>(entry.port.value);
  head.hops = entry.hops;
  head.flags = entry.loopback ? IPN_MSG_LOOPBACK : 0;
  head.time_us = static_cast<std::uint32_t>(entry.time / kMicrosecond);

  LogEntry& kept = entries_[head_seq_ & entry_mask_];
  kept.pos = writer_->append(head, payload, entry.lost);
  kept.epoch = epoch_;
  kept.source = entry.source;
  kept.time = entry.time;
  kept.len = static_cast<std::uint32_t>(payload.size());
  kept.lost = entry.lost;
  kept.port = entry.port;
  kept.hops = entry.hops;
  kept.loopback = entry.loopback;
  newest_ = entry.time;
  return head_seq_++;
}

void Log::release_to(std::uint64_t seq) {
  IPN_ASSERT(tail_seq_ <= seq && seq <= head_seq_);
  if (!ended_.empty()) release_ended(seq);
  tail_seq_ = seq;
  if (seq == head_seq_) {
    writer_->release_to(seq, writer_->head_pos());
  } else if (entry(seq).epoch == epoch_) {
    writer_->release_to(seq, entry(seq).pos);
  }
}

void Log::release_ended(std::uint64_t seq) {
  for (std::uint64_t at = tail_seq_; at < seq && entry(at).epoch != epoch_; ++at) {
    ended_bytes_ -= ring::record_bytes(entry(at).len);
  }
  while (!ended_.empty() && ended_.front().last_seq < seq) ended_.pop_front();
}

std::span<const std::byte> Log::payload(std::uint64_t seq) const {
  const LogEntry& at = entry(seq);
  if (at.epoch == epoch_) return writer_->payload_at(at.pos, at.len, at.lost != 0);
  const auto ended = std::find_if(ended_.begin(), ended_.end(),
                                  [&at](const EndedEpoch& e) { return e.epoch == at.epoch; });
  IPN_ASSERT(ended != ended_.end());
  return std::span(ended->bytes).subspan(at.pos, at.len);
}

void Log::begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool) {
  // Who is told of the next epoch must find it as it should be.
  const ring::LogWriter next(storage->bytes(), epoch_ + 1, head_seq_);
  writer_->end(epoch_ + 1);
  keep_unread_records();
  pool_ = pool;
  storage_ = std::move(storage);
  ++epoch_;
  writer_.emplace(next);
  resize_entries();
}

void Log::keep_unread_records() {
  EndedEpoch ended{epoch_, head_seq_ - 1, {}};
  for (std::uint64_t seq = tail_seq_; seq < head_seq_; ++seq) {
    LogEntry& at = entries_[seq & entry_mask_];
    if (at.epoch != epoch_) continue;
    const auto bytes = writer_->payload_at(at.pos, at.len, at.lost != 0);
    at.pos = ended.bytes.size();
    ended.bytes.insert(ended.bytes.end(), bytes.begin(), bytes.end());
    ended_bytes_ += ring::record_bytes(at.len);
  }
  // Messages of no bytes have to be found in their epoch, too.
  const bool has_records = tail_seq_ < head_seq_ && entry(head_seq_ - 1).epoch == epoch_;
  if (has_records) ended_.push_back(std::move(ended));
}

void Log::resize_entries() {
  const std::uint64_t size =
      std::max(entries_for(writer_->capacity(), pool_), std::bit_ceil(count()));
  std::vector<LogEntry> entries(size);
  for (std::uint64_t seq = tail_seq_; seq < head_seq_; ++seq) {
    entries[seq & (size - 1)] = entry(seq);
  }
  entries_ = std::move(entries);
  entry_mask_ = size - 1;
}

}  // namespace ipn
