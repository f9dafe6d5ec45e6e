// SPDX-License-Identifier: MIT
// Waiting for the daemon: first by looking again for a short time, which grows
// when it pays; then by a futex on the node's own status page, bounded; then, for
// a message, by poll on the device file, which tells of the end of the daemon.
//
// A sender that waits for room cannot go on to poll: POLLOUT speaks of the network,
// which may have no room whenever the ring has some. It stays with the futex and
// looks at the socket whenever that times out, more and more rarely.
#include <cerrno>
#include <ctime>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libipn/src/fast.h"

namespace libipn {
namespace {

using ring::full_fence;
using ring::load_word;
using ring::store_word;

constexpr std::int64_t kShortestSleepMs = 100;
constexpr std::int64_t kLongestSleepMs = 1000;
constexpr std::int64_t kCheckAgainMs = 10;
constexpr std::int64_t kTakenAwayNs = 300'000;
constexpr unsigned kYieldsOff = 1000;
constexpr int kYields = 3;
constexpr int kLooksPerClock = 8;
constexpr unsigned kLooksPerCheck = 1u << 16;
// A wait that was no longer than this many times the longest look, with the way into sleep and out
// of it, might have been spent looking.
constexpr std::int64_t kShort = 2;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// 0, -EINTR or -ETIMEDOUT. Not a cancellation point.
long futex_wait(const __u32& word, __u32 value, std::int64_t timeout_ms) {
  const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
  if (syscall(SYS_futex, &word, FUTEX_WAIT, value, &timeout, nullptr, 0) == 0) return 0;
  return errno == EINTR || errno == ETIMEDOUT ? -errno : 0;
}

/// Looks again for a while; true if `ready` came true.
template <typename Ready>
bool spin(const Fast& fast, const Spin& spin, Ready ready) {
  if (!fast.may_spin) return false;
  const std::int64_t until = now_ns() + spin.budget_ns;
  do {
    for (int i = 0; i < kLooksPerClock; i++) {
      if (ready()) return true;
      relax();
    }
  } while (now_ns() < until);
  return false;
}

/// After a sleep of this length.
void adapt(Spin& spin, std::int64_t slept_ns) {
  const std::int64_t short_ns = kShort * spin.most_ns;
  slept_ns < short_ns ? spin.longer() : spin.shorter();
}

/// Offers the only CPU there is a few times: where the daemon shares it, it goes on without
/// anybody being put to sleep and woken. Not if somebody else kept it for long the last time.
template <typename Ready>
bool yield(const Fast& fast, Spin& spin, Ready ready) {
  if (!fast.shares_processor) return false;
  if (spin.yields_off > 0) {
    --spin.yields_off;
    return false;
  }
  std::int64_t before = now_ns();
  for (int i = 0; i < kYields; i++) {
    sched_yield();
    const std::int64_t after = now_ns();
    if (after - before > kTakenAwayNs) spin.yields_off = kYieldsOff;
    if (ready()) return true;
    if (spin.yields_off > 0) return false;
    before = after;
  }
  return false;
}

/// For IPN_BUSY: looks until it is ready or the daemon is gone.
template <typename Ready>
long look_for_ever(const ipn_node& node, const Fast& fast, Ready ready) {
  for (unsigned looks = 1;; looks++) {
    if (ready()) return 0;
    relax();
    if (looks % kLooksPerCheck != 0) continue;
    if (const long gone = check_daemon(node, fast); gone != 0) return ready() ? 0 : gone;
  }
}

/// A word to wait on, and where to say for what.
struct Wish {
  const __u32& word;
  __u64& place;
  std::uint64_t value;
};

/// Sleeps until `ready` or a signal or the time is over: 0, -EINTR, -ETIMEDOUT.
template <typename Ready>
long sleep_for(const Wish& wish, std::int64_t timeout_ms, Ready ready) {
  const __u32 word = load_word(wish.word, std::memory_order_acquire);
  store_word(wish.place, __u64{wish.value}, std::memory_order_relaxed);
  full_fence();
  const long result = ready() ? 0 : futex_wait(wish.word, word, timeout_ms);
  store_word(wish.place, __u64{0}, std::memory_order_relaxed);
  return ready() ? 0 : result;
}

long interrupted(const ipn_node& node) { return (node.flags & IPN_INTR) != 0 ? -EINTR : 0; }

/// Waits on the device for messages. 0: look again.
template <typename Ready>
long poll_device(const ipn_node& node, Ready ready) {
  pollfd descriptor{node.fd, POLLIN, 0};
  if (poll(&descriptor, 1, -1) < 0) return errno == EINTR ? interrupted(node) : 0;
  if ((descriptor.revents & POLLERR) == 0) return 0;
  return ready() ? 0 : -ECONNABORTED;
}

/// For what the sender waits for: something that the daemon does to the ring.
template <typename Ready>
long wait_for_sending(ipn_node& node, Fast& fast, std::uint64_t position, Ready ready) {
  if ((node.flags & IPN_BUSY) != 0) return look_for_ever(node, fast, ready);
  if (spin(fast, fast.send_spin, ready)) {
    fast.send_spin.longer();
    return 0;
  }
  if (yield(fast, fast.send_spin, ready)) return 0;
  const NoCancel no_cancel;
  const std::int64_t start = now_ns();
  const Wish wish{fast.page->room_word, fast.control->room_at, position};
  std::int64_t timeout_ms = kShortestSleepMs;
  for (;;) {
    const long result = sleep_for(wish, timeout_ms, ready);
    if (ready()) break;
    if (result == -EINTR && (node.flags & IPN_INTR) != 0) return -EINTR;
    if (result != -ETIMEDOUT) continue;
    if (const long gone = check_daemon(node, fast); gone != 0) return ready() ? 0 : gone;
    timeout_ms = std::min(2 * timeout_ms, kLongestSleepMs);
  }
  adapt(fast.send_spin, now_ns() - start);
  return 0;
}

}  // namespace

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

void let_library_out(std::atomic<std::uint32_t>& inside) {
  while ((inside.load(std::memory_order_acquire) & kLibraryInside) != 0) {
    const NoCancel no_cancel;
    const timespec pause{0, 100'000};
    nanosleep(&pause, nullptr);
  }
}

long check_daemon(const ipn_node& node, const Fast& fast) {
  const NoCancel no_cancel;
  pollfd descriptor{fast.socket, 0, 0};
  const long ready = restarting(node, [&] { return poll(&descriptor, 1, 0); });
  if (ready <= 0 || (descriptor.revents & (POLLHUP | POLLERR)) == 0) return 0;
  return is_daemon_gone(node) ? -ECONNABORTED : kUseDevice;
}

long check_daemon_again(const ipn_node& node, const Fast& fast, std::int64_t& checked_ms) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const std::int64_t now_ms = std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  if (now_ms - checked_ms < kCheckAgainMs) return 0;
  checked_ms = now_ms;
  return check_daemon(node, fast);
}

long ring_bell(const ipn_node& node, const Fast& fast) {
  const NoCancel no_cancel;
  const char byte = 0;
  // A full socket has not been read yet, which is as good as a ring.
  if (send(fast.socket, &byte, sizeof byte, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
  if (errno == EAGAIN) return 0;
  return is_daemon_gone(node) ? -ECONNABORTED : 0;
}

long wait_for_message(ipn_node& node, Fast& fast) {
  const auto ready = [&fast] {
    return fast.reader.has_news() || fast.receive_state() != IPN_RING_OPEN;
  };
  // Others learn from read_seq whether there is something to read.
  if (fast.reader.publish(fast.base)) ring_bell(node, fast);
  if ((node.flags & IPN_BUSY) != 0) return look_for_ever(node, fast, ready);
  if (spin(fast, fast.receive_spin, ready)) {
    fast.receive_spin.longer();
    return 0;
  }
  if (yield(fast, fast.receive_spin, ready)) return 0;
  const NoCancel no_cancel;
  const std::int64_t start = now_ns();
  const Wish wish{fast.page->data_word, fast.control->sleep_at, fast.reader.wish(fast.base)};
  const long result = sleep_for(wish, kShortestSleepMs, ready);
  if (result == -EINTR) return interrupted(node);
  adapt(fast.receive_spin, now_ns() - start);
  return result == -ETIMEDOUT ? poll_device(node, ready) : 0;
}

long wait_for_room(ipn_node& node, Fast& fast, std::uint32_t len) {
  const std::uint64_t enough = fast.writer.position_of_room(len);
  return wait_for_sending(node, fast, fast.writer.position_to_wait_for(len), [&fast, enough] {
    return fast.writer.tail() >= enough || fast.send_state() != IPN_RING_OPEN;
  });
}

long wait_for_completion(ipn_node& node, Fast& fast) {
  // The daemon writes completions before it gives the room back.
  const std::uint64_t next = fast.writer.tail() + 1;
  return wait_for_sending(node, fast, next, [&fast] {
    return load_word(fast.page->completion_head, std::memory_order_acquire) != fast.collected ||
           fast.send_state() != IPN_RING_OPEN;
  });
}

}  // namespace libipn
