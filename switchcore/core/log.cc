// SPDX-License-Identifier: MIT
#include "switchcore/core/log.h"

#include <algorithm>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn {

Log::Log(std::unique_ptr<LogStorage> storage, std::uint32_t pool, std::uint64_t first_seq)
    : storage_(std::move(storage)),
      epoch_first_(first_seq),
      head_seq_(first_seq),
      tail_seq_(first_seq),
      pool_(pool) {
  writer_.emplace(storage_->bytes(), epoch_, head_seq_);
  resize_places();
}

LogEntry Log::entry(std::uint64_t seq) const {
  const ring::RecordView view = ring::view_record(start_of(seq));
  LogEntry entry;
  entry.source = NodeId{view.head.node};
  entry.len = view.head.len;
  entry.lost = view.lost;
  entry.port = Port{view.head.port};
  entry.hops = view.head.hops;
  entry.loopback = (view.head.flags & IPN_MSG_LOOPBACK) != 0;
  // The record has the low half of a time that is not later than the newest one, or
  // only as much as a clock that was set back makes it.
  const std::int64_t newest_us = newest_ / kMicrosecond;
  const auto ahead =
      static_cast<std::int32_t>(view.head.time_us - static_cast<std::uint32_t>(newest_us));
  entry.time = (newest_us + ahead) * kMicrosecond;
  return entry;
}

void Log::release_to(std::uint64_t seq) {
  IPN_ASSERT(tail_seq_ <= seq && seq <= head_seq_);
  if (!ended_.empty()) release_ended(seq);
  tail_seq_ = seq;
  if (is_in_epoch(seq)) writer_->release_to(seq, position_of(seq));
}

void Log::release_ended(std::uint64_t seq) {
  for (std::uint64_t at = tail_seq_; at < seq && !is_in_epoch(at); ++at) {
    ended_bytes_ -= ring::record_bytes(entry(at).len);
  }
  while (!ended_.empty() && ended_.front().last_seq < seq) ended_.pop_front();
}

const std::byte* Log::start_in_ended(std::uint64_t seq) const {
  const auto ended = std::find_if(ended_.begin(), ended_.end(),
                                  [seq](const EndedEpoch& e) { return seq <= e.last_seq; });
  IPN_ASSERT(ended != ended_.end());
  return ended->bytes.data() + place(seq);
}

void Log::begin_epoch(std::unique_ptr<LogStorage> storage, std::uint32_t pool) {
  // Who is told of the next epoch must find it as it should be.
  const ring::LogWriter next(storage->bytes(), epoch_ + 1, head_seq_);
  writer_->end(epoch_ + 1);
  keep_unread_records();
  pool_ = pool;
  storage_ = std::move(storage);
  ++epoch_;
  epoch_first_ = head_seq_;
  writer_.emplace(next);
  resize_places();
}

void Log::keep_unread_records() {
  EndedEpoch ended{head_seq_ - 1, {}};
  ended.bytes.reserve(std::min(writer_->head_pos() - writer_->tail_pos(), writer_->capacity()));
  for (std::uint64_t seq = std::max(tail_seq_, epoch_first_); seq < head_seq_; ++seq) {
    const std::byte* start = writer_->record_at(place(seq));
    const ring::RecordView view = ring::view_record(start);
    places_[seq & place_mask_] = ended.bytes.size();
    ended.bytes.insert(ended.bytes.end(), start, start + view.bytes);
    ended_bytes_ += ring::record_bytes(view.head.len);
  }
  if (!ended.bytes.empty()) ended_.push_back(std::move(ended));
}

void Log::resize_places() {
  const std::uint64_t size =
      std::max(places_for(writer_->capacity(), pool_), std::bit_ceil(count()));
  std::vector<std::uint64_t> places(size);
  for (std::uint64_t seq = tail_seq_; seq < head_seq_; ++seq) {
    places[seq & (size - 1)] = place(seq);
  }
  places_ = std::move(places);
  place_mask_ = size - 1;
}

}  // namespace ipn
