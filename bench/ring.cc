// SPDX-License-Identifier: MIT
#include "bench/ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/futex.h>
#include <string>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ipn_bench {
namespace {

constexpr unsigned kTakenAtMost = 256;
constexpr std::uint64_t kTakenBytes = 256 * 1024;

void full_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace

void Sleeper::sleep() { syscall(SYS_futex, &asleep_, FUTEX_WAIT, 1, nullptr, nullptr, 0); }

void Sleeper::wake() {
  if (asleep_.exchange(0) != 0) syscall(SYS_futex, &asleep_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

Result<std::shared_ptr<RingSpace>> RingSpace::make() {
  void* memory = mmap(nullptr, sizeof(RingSpace), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return Failure{std::string("ring: no memory to share: ") + std::strerror(errno)};
  }
  return std::shared_ptr<RingSpace>(static_cast<RingSpace*>(memory),
                                    [](RingSpace* space) { munmap(space, sizeof(RingSpace)); });
}

void RingWriter::publish() {
  ring_.head.value.store(head_, std::memory_order_release);
  full_fence();
  space_.daemon.wake_if_asleep();
}

void RingWriter::make_room(std::uint64_t bytes) {
  const auto has_room = [&] {
    tail_ = ring_.tail.value.load(std::memory_order_acquire);
    return head_ + bytes - tail_ <= kRingBytes;
  };
  if (has_room()) return;
  publish();
  ring_.sender.wait_until(has_room);
}

void RingReader::look() {
  sleeper_.wait_until([this] {
    head_ = space_.log_head.value.load(std::memory_order_acquire);
    return head_ != position_;
  });
}

void RingReader::give_back() {
  cursor_.value.store(position_, std::memory_order_release);
  full_fence();
  space_.daemon.wake_if_asleep();
}

bool RingDaemon::has_room(std::uint64_t bytes) {
  if (head_ + bytes - slowest_ <= kRingLogBytes) return true;
  std::uint64_t slowest = head_;
  for (unsigned i = 0; i < readers_; i++) {
    slowest = std::min(slowest, space_.cursors[i].value.load(std::memory_order_acquire));
  }
  slowest_ = slowest;
  return head_ + bytes - slowest_ <= kRingLogBytes;
}

/// `record` with its header. There is room for it and for padding before it.
void RingDaemon::append(const std::byte* record, std::uint64_t bytes) {
  const std::uint64_t left = kRingLogBytes - head_ % kRingLogBytes;
  if (left < bytes) {
    const RingHeader padding{static_cast<std::uint32_t>(left), 1, 0};
    std::memcpy(space_.log.data() + head_ % kRingLogBytes, &padding, sizeof padding);
    head_ += left;
  }
  std::memcpy(space_.log.data() + head_ % kRingLogBytes, record, bytes);
  head_ += bytes;
}

void RingDaemon::publish() {
  space_.log_head.value.store(head_, std::memory_order_release);
  full_fence();
  for (unsigned i = 0; i < readers_; i++) space_.readers[i].wake_if_asleep();
}

/// Takes what is in a ring, as far as there is room; whether that was something.
bool RingDaemon::take(Ring& ring, std::uint64_t& tail) {
  const std::uint64_t head = ring.head.value.load(std::memory_order_acquire);
  const std::uint64_t begin = tail;
  for (unsigned taken = 0; tail != head && taken < kTakenAtMost && tail - begin < kTakenBytes;) {
    const std::byte* record = ring.bytes.data() + tail % kRingBytes;
    RingHeader header;
    std::memcpy(&header, record, sizeof header);
    if (header.is_padding != 0) {
      tail += header.length;
      continue;
    }
    const std::uint64_t bytes = ring_record_bytes(header.length);
    const std::uint64_t left = kRingLogBytes - head_ % kRingLogBytes;
    const std::uint64_t needed = bytes + (left < bytes ? left : 0);
    if (!has_room(needed)) {
      room_for_ = needed;
      break;
    }
    append(record, bytes);
    tail += bytes;
    taken++;
  }
  if (tail == begin) return false;
  publish();
  ring.tail.value.store(tail, std::memory_order_release);
  full_fence();
  ring.sender.wake_if_asleep();
  return true;
}

bool RingDaemon::has_work() {
  if (room_for_ != 0) return has_room(room_for_);
  for (unsigned i = 0; i < senders_; i++) {
    if (space_.rings[i].head.value.load(std::memory_order_acquire) != tails_[i]) return true;
  }
  return false;
}

void RingDaemon::serve() {
  for (;;) {
    space_.daemon.wait_until([this] { return has_work(); });
    room_for_ = 0;
    for (unsigned i = 0; i < senders_; i++) take(space_.rings[i], tails_[i]);
  }
}

}  // namespace ipn_bench
