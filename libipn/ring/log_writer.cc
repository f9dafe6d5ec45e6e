// SPDX-License-Identifier: MIT
#include "libipn/ring/log_writer.h"

#include <atomic>
#include <bit>

namespace ipn::ring {

LogWriter::LogWriter(std::span<std::byte> memory, std::uint64_t epoch, std::uint64_t first_seq)
    : header_(reinterpret_cast<ipn_log_header*>(memory.data())),
      ring_(memory.data() + IPN_LOG_HEADER_BYTES),
      capacity_(std::bit_floor(memory.size() - IPN_LOG_HEADER_BYTES)),
      head_seq_(first_seq) {
  header_->layout = IPN_RING_LAYOUT;
  header_->capacity = static_cast<__u32>(capacity_);
  header_->epoch = epoch;
  store_word<__u64>(header_->tail_seq, first_seq, std::memory_order_relaxed);
  store_word<__u64>(header_->head_seq, first_seq, std::memory_order_release);
}

void LogWriter::release_to(std::uint64_t seq, std::uint64_t pos) {
  tail_pos_ = pos;
  store_word<__u64>(header_->tail_pos, pos, std::memory_order_relaxed);
  store_word<__u64>(header_->tail_seq, seq, std::memory_order_relaxed);
  // Readers that see a byte of the next record must also see the new tail.
  std::atomic_thread_fence(std::memory_order_release);
}

/// Both parts of a message that tells of losses lie together, so that its place is one number.
void LogWriter::pad_to_start(std::uint64_t bytes) {
  write_head(at(head_pos_), {}, static_cast<std::uint32_t>(bytes - IPN_RECORD_HDR), IPN_RECORD_PAD);
  head_pos_ += bytes;
}

void LogWriter::end(std::uint64_t next_epoch) {
  store_head();
  store_word<__u64>(header_->last_seq, head_seq_ - 1, std::memory_order_relaxed);
  store_word<__u64>(header_->next_epoch, next_epoch, std::memory_order_release);
}

void LogWriter::publish(std::uint64_t time_us) {
  store_word<__u64>(header_->time, time_us, std::memory_order_relaxed);
  store_head();
}

void LogWriter::store_head() {
  unpublished_ = 0;
  published_pos_ = head_pos_;
  store_word<__u64>(header_->head_pos, head_pos_, std::memory_order_relaxed);
  store_word<__u64>(header_->head_seq, head_seq_, std::memory_order_release);
}

}  // namespace ipn::ring
