// SPDX-License-Identifier: MIT
#include "libipn/ring/log_writer.h"

#include <atomic>
#include <bit>
#include <cstring>

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

std::uint64_t LogWriter::cost(std::uint64_t payload_bytes) const {
  const std::uint64_t need = record_bytes(payload_bytes);
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

std::uint64_t LogWriter::append(ipn_log_record record, const Pieces& payload,
                                std::uint64_t time_us) {
  const std::uint64_t need = record_bytes(payload.size());
  const std::uint64_t to_wrap = capacity_ - (head_pos_ & (capacity_ - 1));
  if (need > to_wrap) {
    ipn_log_record pad{};
    pad.type = IPN_RECORD_PAD;
    pad.len = static_cast<__u32>(to_wrap - IPN_RECORD_HDR);
    std::memcpy(at(head_pos_), &pad, sizeof pad);
    const bool was_empty = head_pos_ == tail_pos_;
    head_pos_ += to_wrap;
    if (was_empty) release_to(head_seq_, head_pos_);  // padding before nothing is no use
  }
  const std::uint64_t pos = head_pos_;
  record.len = static_cast<__u32>(payload.size());
  record.seq = head_seq_;
  record.type = IPN_RECORD_DATA;
  std::byte* to = at(pos);
  std::memcpy(to, &record, sizeof record);
  to += IPN_RECORD_HDR;
  if (!payload.first.empty()) std::memcpy(to, payload.first.data(), payload.first.size());
  if (!payload.second.empty()) {
    std::memcpy(to + payload.first.size(), payload.second.data(), payload.second.size());
  }
  head_pos_ += need;
  ++head_seq_;
  publish(time_us);
  return pos;
}

std::span<const std::byte> LogWriter::payload_at(std::uint64_t pos, std::uint32_t len) const {
  return {at(pos) + IPN_RECORD_HDR, len};
}

void LogWriter::end(std::uint64_t next_epoch) {
  store(header_->last_seq, head_seq_ - 1, std::memory_order_relaxed);
  store(header_->next_epoch, next_epoch, std::memory_order_release);
}

void LogWriter::publish(std::uint64_t time_us) {
  store(header_->time, time_us, std::memory_order_relaxed);
  store(header_->head_pos, head_pos_, std::memory_order_relaxed);
  store(header_->head_seq, head_seq_, std::memory_order_release);
}

}  // namespace ipn::ring
