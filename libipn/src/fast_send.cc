// SPDX-License-Identifier: MIT
// Sending through the ring.
#include <cerrno>
#include <cstring>

#include "libipn/src/fast.h"

namespace libipn {
namespace {

using ring::load_word;

long fail_gone(ipn_node& node, Call call) {
  return fail(node, call, ECONNABORTED, Why::kDaemonGone);
}

/// The ring takes no more: by the device from now on, or not at all. What was
/// committed and not published goes first; the device puts a message behind it.
long sending_ended(ipn_node& node, Fast& fast, Call call) {
  const auto error = load_word(fast.page->send_error, std::memory_order_relaxed);
  if (error != 0) return fail(node, call, error, Why::kErrno);
  fast.writer.publish();
  fast.sends = false;
  update_door(node, {Reason::kMoved, 0});
  return kUseDevice;
}

/// What a wait has returned, as the answer of a call.
long wait_failed(ipn_node& node, Fast& fast, Call call, long result) {
  if (result == -ECONNABORTED) return fail_gone(node, call);
  if (result == kUseDevice) {
    fast.sends = false;
    update_door(node, {Reason::kMoved, 0});
    return kUseDevice;
  }
  return fail(node, call, static_cast<int>(-result), Why::kErrno);
}

long would_wait(ipn_node& node, Fast& fast, Call call) {
  const long gone = check_daemon_again(node, fast, fast.checked_send_ms);
  if (gone != 0) return wait_failed(node, fast, call, gone);
  return fail(node, call, EAGAIN, Why::kErrno);
}

}  // namespace

long fast_publish(ipn_node& node, Fast& fast) {
  if (!fast.writer.publish()) return 0;
  const long gone = ring_bell(node, fast);
  return gone == 0 ? 0 : fail_gone(node, Call::kSend);
}

long fast_reserve(ipn_node& node, Fast& fast, Call call, std::size_t len, bool wait,
                  std::byte*& room) {
  if (fast.send_state() != IPN_RING_OPEN) return sending_ended(node, fast, call);
  if (len > load_word(fast.page->mtu, std::memory_order_relaxed)) {
    return fail(node, call, EMSGSIZE, Why::kLongerThanMtu);
  }
  if (!fast.writer.can_hold(len)) {
    const long gone = fast_publish(node, fast);
    return gone != 0 ? gone : kUseDevice;
  }
  const auto size = static_cast<std::uint32_t>(len);
  for (;;) {
    room = fast.writer.reserve(size).data();
    if (room != nullptr) return 0;
    if (const long gone = fast_publish(node, fast); gone != 0) return gone;
    if (!wait) return would_wait(node, fast, call);
    const long result = wait_for_room(node, fast, size);
    if (result != 0) return wait_failed(node, fast, call, result);
    if (fast.send_state() != IPN_RING_OPEN) return sending_ended(node, fast, call);
  }
}

long fast_check_open(ipn_node& node, Fast& fast, Call call) {
  return fast.send_state() == IPN_RING_OPEN ? 0 : sending_ended(node, fast, call);
}

unsigned fast_copy_in(Fast& fast, const ipn_buf* bufs, unsigned n) {
  if (fast.send_state() != IPN_RING_OPEN) return 0;
  const std::size_t most = load_word(fast.page->mtu, std::memory_order_relaxed);
  unsigned done = 0;
  for (; done < n; ++done) {
    const ipn_buf& buf = bufs[done];
    const bool is_plain = buf.data != nullptr && buf.msg == nullptr && buf.size <= most;
    if (!is_plain || !fast.writer.can_hold(buf.size)) break;
    const auto size = static_cast<std::uint32_t>(buf.size);
    std::byte* room = fast.writer.reserve(size).data();
    if (room == nullptr) break;
    ring::copy_short_to_shared(room, buf.data, size);
    fast.writer.commit(size);
  }
  return done;
}

ssize_t fast_send(ipn_node& node, Fast& fast, const Outgoing& message, bool wait, bool publish) {
  std::byte* room = nullptr;
  const long error = fast_reserve(node, fast, Call::kSend, message.len, wait, room);
  if (error != 0) return error;
  if (message.len > 0) std::memcpy(room, message.data, message.len);
  fast.writer.commit(static_cast<std::uint32_t>(message.len), message.report, message.destination,
                     message.cookie);
  if (message.report) ++fast.reported;
  if (publish) {
    const long gone = fast_publish(node, fast);
    if (gone != 0) return gone;
  }
  return static_cast<ssize_t>(message.len);
}

}  // namespace libipn
