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

/// struct ipn_log_record as its four words: one store each, and nothing is read back.
void LogWriter::write_head(std::byte* to, const RecordHead& head, std::uint32_t len,
                           ipn_record_type type) {
  static_assert(std::endian::native == std::endian::little && sizeof(ipn_log_record) == 32);
  auto* words = reinterpret_cast<__u64*>(to);
  store(words[0], len | std::uint64_t{head.flags} << 32 | std::uint64_t{type} << 48,
        std::memory_order_relaxed);
  store(words[1], head_seq_, std::memory_order_relaxed);
  store(words[2], head.node, std::memory_order_relaxed);
  store(words[3],
        head.port | std::uint64_t{head.hops} << 16 | std::uint64_t{head.time_us} << 32,
        std::memory_order_relaxed);
}

/// Both parts of a message that tells of losses lie together, so that its place is one number.
void LogWriter::pad_to_start(std::uint64_t bytes) {
  write_head(at(head_pos_), {}, static_cast<std::uint32_t>(bytes - IPN_RECORD_HDR),
             IPN_RECORD_PAD);
  const bool was_empty = head_pos_ == tail_pos_;
  head_pos_ += bytes;
  if (was_empty) release_to(head_seq_, head_pos_);  // padding before nothing is no use
}

std::uint64_t LogWriter::append(const RecordHead& head, const Pieces& payload,
                                std::uint64_t lost) {
  const std::uint64_t need = record_bytes(payload.size()) + (lost != 0 ? kLostRecordBytes : 0);
  const std::uint64_t to_wrap = capacity_ - (head_pos_ & (capacity_ - 1));
  if (need > to_wrap) pad_to_start(to_wrap);
  const std::uint64_t pos = head_pos_;
  std::byte* to = at(pos);
  if (lost != 0) {
    write_head(to, head, sizeof lost, IPN_RECORD_LOST);
    copy_to_shared(to + IPN_RECORD_HDR, &lost, sizeof lost);
    to += kLostRecordBytes;
  }
  write_head(to, head, static_cast<std::uint32_t>(payload.size()), IPN_RECORD_DATA);
  to += IPN_RECORD_HDR;
  copy_to_shared(to, payload.first.data(), payload.first.size());
  if (!payload.second.empty()) {
    copy_to_shared(to + payload.first.size(), payload.second.data(), payload.second.size());
  }
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
