// SPDX-License-Identifier: MIT
#include "libipn/ring/log_writer.h"

#include <atomic>
#include <bit>

#include "libipn/ring/shared_copy.h"

namespace ipn::ring {
namespace {

void store(__u64& word, std::uint64_t value, std::memory_order order) {
  std::atomic_ref<__u64>(word).store(value, order);
}

}  // namespace

LogWriter::LogWriter(std::span<std::byte> memory, std::uint64_t epoch, std::uint64_t first_seq)
    : header_(reinterpret_cast<ipn_log_header*>(memory.data())),
      ring_(memory.data() + IPN_LOG_HEADER_BYTES),
      capacity_(std::bit_floor(memory.size() - IPN_LOG_HEADER_BYTES)),
      head_seq_(first_seq) {
  header_->layout = IPN_RING_LAYOUT;
  header_->capacity = static_cast<__u32>(capacity_);
  header_->epoch = epoch;
  store(header_->tail_seq, first_seq, std::memory_order_relaxed);
  store(header_->head_seq, first_seq, std::memory_order_release);
}

std::uint64_t LogWriter::cost(std::uint64_t payload_bytes, bool lost) const {
  const std::uint64_t need = record_bytes(payload_bytes) + (lost ? kLostRecordBytes : 0);
  const std::uint64_t to_wrap = capacity_ - (head_pos_ & (capacity_ - 1));
  return need <= to_wrap ? need : to_wrap + need;
}

void LogWriter::release_to(std::uint64_t seq, std::uint64_t pos) {
  tail_pos_ = pos;
  store(header_->tail_pos, pos, std::memory_order_relaxed);
  store(header_->tail_seq, seq, std::memory_order_relaxed);
  // Readers that see a byte of the next record must also see the new tail.
  std::atomic_thread_fence(std::memory_order_release);
}

/// Both parts of a message that tells of losses lie together, so that its place is one number.
void LogWriter::pad_to_start(std::uint64_t bytes) {
  ipn_log_record pad{};
  pad.type = IPN_RECORD_PAD;
  pad.len = static_cast<__u32>(bytes - IPN_RECORD_HDR);
  pad.seq = head_seq_;
  copy_to_shared(at(head_pos_), &pad, sizeof pad);
  const bool was_empty = head_pos_ == tail_pos_;
  head_pos_ += bytes;
  if (was_empty) release_to(head_seq_, head_pos_);  // padding before nothing is no use
}

std::uint64_t LogWriter::append(ipn_log_record record, const Pieces& payload, std::uint64_t lost) {
  const std::uint64_t need = record_bytes(payload.size()) + (lost != 0 ? kLostRecordBytes : 0);
  const std::uint64_t to_wrap = capacity_ - (head_pos_ & (capacity_ - 1));
  if (need > to_wrap) pad_to_start(to_wrap);
  const std::uint64_t pos = head_pos_;
  std::byte* to = at(pos);
  record.seq = head_seq_;
  if (lost != 0) {
    record.len = sizeof lost;
    record.type = IPN_RECORD_LOST;
    copy_to_shared(to, &record, sizeof record);
    copy_to_shared(to + IPN_RECORD_HDR, &lost, sizeof lost);
    to += kLostRecordBytes;
  }
  record.len = static_cast<__u32>(payload.size());
  record.type = IPN_RECORD_DATA;
  copy_to_shared(to, &record, sizeof record);
  to += IPN_RECORD_HDR;
  copy_to_shared(to, payload.first.data(), payload.first.size());
  copy_to_shared(to + payload.first.size(), payload.second.data(), payload.second.size());
  head_pos_ += need;
  ++head_seq_;
  if (++unpublished_ == kPublishEvery) store_head();
  return pos;
}

void LogWriter::end(std::uint64_t next_epoch) {
  store_head();
  store(header_->last_seq, head_seq_ - 1, std::memory_order_relaxed);
  store(header_->next_epoch, next_epoch, std::memory_order_release);
}

void LogWriter::publish(std::uint64_t time_us) {
  store(header_->time, time_us, std::memory_order_relaxed);
  store_head();
}

void LogWriter::store_head() {
  unpublished_ = 0;
  store(header_->head_pos, head_pos_, std::memory_order_relaxed);
  store(header_->head_seq, head_seq_, std::memory_order_release);
}

}  // namespace ipn::ring
