// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <ipn/ioctl.h>
#include <ipn/ring.h>

namespace ipn::ring {

/// A message that lies in a send ring. The bytes may change at any time: look at
/// each of them once.
struct CommittedMessage {
  const std::byte* data = nullptr;
  std::uint32_t len = 0;
  std::uint64_t destination = 0;
  std::uint64_t cookie = 0;
  bool report = false;  ///< a completion is wanted
};

/// The daemon's side of a send ring, which the program writes.
///
/// Responsible for believing nothing: every word of the shared memory is loaded
/// once, into a local, and checked there; sizes and positions are those of this
/// object. What makes no sense is a fault, and the ring is not read any more.
class SendReader {
 public:
  enum class Fault : std::uint8_t { kNone, kHead, kLength, kType };

  /// `ring` is a power of two of bytes. Both areas outlive the reader.
  SendReader(const ipn_control& control, ipn_status& status, std::span<const std::byte> ring)
      : control_(control), status_(status), ring_(ring.data()), mask_(ring.size() - 1) {}

  Fault fault() const { return fault_; }
  std::uint64_t position() const { return tail_; }

  /// Looks how far the program has committed. False: there is nothing more.
  bool refresh() {
    if (fault_ != Fault::kNone) return false;
    const std::uint64_t head = load(control_.send_head, std::memory_order_acquire);
    if (head - tail_ > mask_ + 1 || head % IPN_RECORD_ALIGN != 0) return fail(Fault::kHead);
    head_ = head;
    return head != tail_;
  }

  /// The message at the front. False: none was seen by refresh(), or a fault.
  bool front(CommittedMessage& message) {
    while (tail_ != head_) {
      __builtin_prefetch(ring_ + ((tail_ + kPrefetch) & mask_));
      const Header header = load_header(tail_);
      const std::uint64_t behind = IPN_RECORD_HDR + std::uint64_t{header.len};
      const std::uint64_t to_wrap = mask_ + 1 - (tail_ & mask_);
      const std::uint64_t bytes = (behind + IPN_RECORD_ALIGN - 1) & ~(IPN_RECORD_ALIGN - 1ULL);
      if (bytes > head_ - tail_ || bytes > to_wrap) return fail(Fault::kLength);
      if (header.type_and_meta == IPN_RECORD_PAD) {
        if (bytes != to_wrap) return fail(Fault::kLength);
        tail_ += bytes;
        continue;
      }
      if (header.type_and_meta != IPN_RECORD_DATA) return fail(Fault::kType);
      if ((header.flags & ~IPN_MSG_REPORT) != 0) return fail(Fault::kType);
      if (header.len > IPN_MSG_MAX) return fail(Fault::kLength);
      front_bytes_ = bytes;
      message.data = ring_ + (tail_ & mask_) + IPN_RECORD_HDR;
      message.len = header.len;
      message.destination = header.dst;
      message.cookie = header.cookie;
      message.report = (header.flags & IPN_MSG_REPORT) != 0;
      return true;
    }
    return false;
  }

  /// Passes the message that front() has shown. The program sees it by publish().
  void pop() { tail_ += front_bytes_; }

  /// Gives the program the room of all that was passed. True if there is news.
  bool publish() {
    if (tail_ == published_) return false;
    published_ = tail_;
    std::atomic_ref<__u64>(status_.send_tail).store(tail_, std::memory_order_release);
    return true;
  }

  /// After publish() and a full fence: does the program sleep until there is as much room?
  bool has_sleeper() const {
    const std::uint64_t room_at = load(control_.room_at, std::memory_order_relaxed);
    return room_at != 0 && room_at <= published_;
  }

 private:
  /// How far ahead the ring is fetched into the cache, in bytes.
  static constexpr std::uint64_t kPrefetch = 768;

  struct Header {
    std::uint32_t len;
    std::uint16_t flags;
    std::uint16_t type_and_meta;  ///< the type is the low half, and all that is known
    std::uint64_t dst, cookie;
  };

  static std::uint64_t load(const __u64& word, std::memory_order order) {
    return std::atomic_ref<__u64>(const_cast<__u64&>(word)).load(order);
  }

  Header load_header(std::uint64_t position) const {
    const auto* words = reinterpret_cast<const __u64*>(ring_ + (position & mask_));
    const std::uint64_t first = load(words[0], std::memory_order_relaxed);
    return {static_cast<std::uint32_t>(first), static_cast<std::uint16_t>(first >> 32),
            static_cast<std::uint16_t>(first >> 48), load(words[1], std::memory_order_relaxed),
            load(words[2], std::memory_order_relaxed)};
  }

  bool fail(Fault fault) {
    fault_ = fault;
    head_ = tail_;
    return false;
  }

  const ipn_control& control_;
  ipn_status& status_;
  const std::byte* ring_;
  std::uint64_t mask_;
  std::uint64_t head_ = 0, tail_ = 0, published_ = 0;
  std::uint64_t front_bytes_ = 0;
  Fault fault_ = Fault::kNone;
};

}  // namespace ipn::ring
