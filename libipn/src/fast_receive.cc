// SPDX-License-Identifier: MIT
// Receiving from the log: by copies, or shown in place where nothing overwrites.
//
// Numbers decide whose a message is: what this side has given to the caller lies
// below its base. Once it has moved to the device, which may give such a message
// again because the daemon had not seen read_seq yet, that is thrown away there.
#include <cerrno>
#include <climits>

#include "libipn/src/fast.h"
#include "libipn/src/held.h"

namespace libipn {
namespace {

using Cursor = ring::LogReader::Cursor;
using Found = ring::LogReader::Found;
using ring::load_word;

// What a step returns when there is nothing to receive.
constexpr long kNothing = -EAGAIN;

long fail_end(ipn_node& node) { return fail(node, Call::kReceive, ENODATA, Why::kEnd); }

void publish(ipn_node& node, Fast& fast) {
  if (fast.reader.publish(fast.base)) ring_bell(node, fast);
}

/// The device goes on where this door stops.
long go_to_device(ipn_node& node, Fast& fast, DoorReason reason) {
  publish(node, fast);
  fast.receives = false;
  node.given_below = fast.base.seq;
  update_door(node, reason);
  if (fast.shown == 0) {
    const NoCancel no_cancel;
    device_discard_given(node);
  }
  return kUseDevice;
}

/// kUseDevice: the daemon has moved it. Else nothing is read any more.
long receiving_ended(ipn_node& node, Fast& fast) {
  const std::uint64_t at = load_word(fast.page->moved_at, std::memory_order_acquire);
  return at == 0 ? fail_end(node) : go_to_device(node, fast, {Reason::kMoved, 0});
}

/// Moves fast.base to the next message, into the next epoch if it must. 0: found. kNothing:
/// there is none; or a failure, or kUseDevice.
long find(ipn_node& node, Fast& fast, ipn_log_record& record) {
  const std::uint32_t state = fast.receive_state();
  if (state == IPN_RING_ENDED) return receiving_ended(node, fast);
  for (;;) {
    const Found found = fast.reader.find(fast.base, record);
    if (found == Found::kMessage) return 0;
    if (found == Found::kNothing) return state == IPN_RING_DRAIN ? fail_end(node) : kNothing;
    if (!map_next_epoch(node, fast)) {
      return go_to_device(node, fast, node.reason.load(std::memory_order_relaxed));
    }
  }
}

/// The answer to a failed wait: what was published before the daemon died comes first.
long wait_failed(ipn_node& node, Fast& fast, long result) {
  if (result == kUseDevice) return go_to_device(node, fast, {Reason::kMoved, 0});
  if (result == -ECONNABORTED) {
    if (fast.reader.has_news()) return 0;
    return fail(node, Call::kReceive, ECONNABORTED, Why::kDaemonGone);
  }
  return fail(node, Call::kReceive, static_cast<int>(-result), Why::kErrno);
}

/// After kNothing: 0 to look again, or the answer.
long wait_or_fail(ipn_node& node, Fast& fast, bool wait) {
  if (wait) {
    const long result = wait_for_message(node, fast);
    return result == 0 ? 0 : wait_failed(node, fast, result);
  }
  publish(node, fast);
  const long gone = check_daemon_again(node, fast, fast.checked_receive_ms);
  if (gone != 0) return wait_failed(node, fast, gone);
  return fail(node, Call::kReceive, EAGAIN, Why::kErrno);
}

ipn_msg header_of(const Fast& fast, const Cursor& at, const ipn_log_record& record) {
  ipn_msg header{};
  header.hdr = IPN_MSG_HDR;
  header.len = record.len;
  header.seq = record.seq;
  header.peer = record.node;
  header.port = record.port;
  header.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(at.lost_before, UINT32_MAX));
  header.hops = record.hops;
  header.nfds = record.nfds;
  header.time = fast.reader.time_us(record) * 1000;
  return header;
}

/// The message at the cursor to where the caller wants it. False: it was overwritten.
bool copy_message(const Fast& fast, const Cursor& at, const ipn_log_record& record,
                  const Incoming& to) {
  const std::size_t copied = std::min<std::size_t>(record.len, to.size);
  if (!fast.reader.copy(at, to.data, copied)) return false;
  if (to.header != nullptr) {
    *to.header = header_of(fast, at, record);
    if (copied < record.len) to.header->flags = IPN_MSG_TRUNC;
  }
  return true;
}

/// One message to where the caller wants it; does not publish. Else as find().
ssize_t copy_out(ipn_node& node, Fast& fast, const Incoming& to, bool peek) {
  for (;;) {
    ipn_log_record record;
    if (const long error = find(node, fast, record); error != 0) return error;
    if (!copy_message(fast, fast.base, record, to) || !fast.reader.was_ours()) continue;
    const std::size_t copied = std::min<std::size_t>(record.len, to.size);
    if (!peek) {
      ring::LogReader::pass(fast.base, record);
      if (fast.shown > 0) --fast.shown;
    }
    return static_cast<ssize_t>(copied);
  }
}

/// What is still shown in place though the device has taken over: it stays mapped.
ssize_t copy_shown(ipn_node& node, Fast& fast, const Incoming& to, bool peek) {
  ipn_log_record record;
  fast.reader.find(fast.base, record);
  copy_message(fast, fast.base, record, to);
  if (!peek) fast_release(node, fast, 1);
  return static_cast<ssize_t>(std::min<std::size_t>(record.len, to.size));
}

/// Copies messages in a row as long as there is nothing to it; how many. What stops it, copy_out()
/// finds, too.
unsigned copy_run(Fast& fast, ipn_buf* bufs, unsigned n) {
  if (fast.shown > 0 || fast.receive_state() == IPN_RING_ENDED) return 0;
  Cursor at = fast.base;
  unsigned done = 0;
  for (; done < n; ++done) {
    ipn_buf& buf = bufs[done];
    ipn_log_record record;
    if (buf.data == nullptr || fast.reader.find(at, record) != Found::kMessage) break;
    if (!copy_message(fast, at, record, {buf.msg, buf.data, buf.size})) break;
    buf.len = std::min<std::size_t>(record.len, buf.size);
    ring::LogReader::pass(at, record);
  }
  if (!fast.reader.was_ours()) return 0;
  fast.base = at;
  return done;
}

/// Shows up to n messages from the base on, those that were shown before again.
unsigned walk(ipn_node& node, Fast& fast, ipn_view* views, unsigned n, long& error) {
  Cursor at = fast.base;
  unsigned count = 0;
  ipn_log_record record;
  for (; count < n; count++) {
    const Found found = fast.reader.find(at, record);
    if (found != Found::kMessage) break;
    views[count] = {fast.reader.payload(at),
                    record.seq,
                    record.node,
                    record.len,
                    record.port,
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(at.lost_before, UINT32_MAX)),
                    record.time_us};
    ring::LogReader::pass(at, record);
  }
  // What is shown already stays as it is: only new ones may be spoilt.
  if (fast.receives && !fast.reader.was_ours()) {
    error = 0;
    return 0;
  }
  if (count >= fast.shown && count > 0) {
    fast.shown = count;
    fast.shown_end = at;
  }
  error = count > 0 ? 0 : find(node, fast, record);
  return count;
}

}  // namespace

ssize_t fast_receive(ipn_node& node, Fast& fast, const Incoming& to, bool peek, bool wait) {
  if (!fast.receives) return copy_shown(node, fast, to, peek);
  for (;;) {
    const ssize_t result = copy_out(node, fast, to, peek);
    if (result >= 0 && !peek) publish(node, fast);
    // Moved just now: what is shown still comes before what the device has.
    if (result == kUseDevice && fast.shown > 0) return copy_shown(node, fast, to, peek);
    if (result != kNothing) return result;
    if (const long answer = wait_or_fail(node, fast, wait); answer != 0) return answer;
  }
}

int fast_receive_many(ipn_node& node, Fast& fast, ipn_buf* bufs, unsigned n, bool wait) {
  unsigned done = copy_run(fast, bufs, n);
  while (done < n) {
    ipn_buf& buf = bufs[done];
    const bool null = buf.data == nullptr && buf.size > 0;
    const ssize_t result = null ? fail(node, Call::kReceive, EINVAL, Why::kNullPointer)
                                : copy_out(node, fast, {buf.msg, buf.data, buf.size}, false);
    if (result >= 0) {
      buf.len = static_cast<std::size_t>(result);
      ++done;
      continue;
    }
    if (done > 0) break;
    if (result != kNothing || null) return static_cast<int>(result);
    const long answer = wait_or_fail(node, fast, wait);
    if (answer != 0) return static_cast<int>(answer);
  }
  if (fast.receives) publish(node, fast);
  return static_cast<int>(done);
}

int fast_show(ipn_node& node, Fast& fast, ipn_view* views, unsigned n, bool wait) {
  if (!fast.receives) n = std::min(n, fast.shown);
  for (;;) {
    if (fast.receives && fast.receive_state() == IPN_RING_ENDED) {
      const long ended = receiving_ended(node, fast);
      if (ended != kUseDevice || fast.shown == 0) return static_cast<int>(ended);
      n = std::min(n, fast.shown);
    }
    long error = 0;
    const unsigned count = walk(node, fast, views, n, error);
    if (count > 0) return static_cast<int>(count);
    if (error == 0) continue;  // one came meanwhile, or in the next epoch
    if (error != kNothing) return static_cast<int>(error);
    const long answer = wait_or_fail(node, fast, wait);
    if (answer != 0) return static_cast<int>(answer);
  }
}

void fast_release(ipn_node& node, Fast& fast, unsigned n) {
  if (n == fast.shown) {
    fast.base = fast.shown_end;
  } else {
    ipn_log_record record;
    for (unsigned i = 0; i < n; i++) {
      fast.reader.find(fast.base, record);
      ring::LogReader::pass(fast.base, record);
    }
  }
  fast.shown -= n;
  if (fast.receives) {
    publish(node, fast);
    return;
  }
  node.given_below = fast.base.seq;
  const NoCancel no_cancel;
  device_discard_given(node);
}

int fast_hold(ipn_node& node, Fast& fast, unsigned n, bool wait) {
  Held* held = held_of(node);
  if (held == nullptr) return fail(node, Call::kReceive, ENOMEM, Why::kErrno);
  while (held->n < n && held->has_entry()) {
    ipn_msg header;
    const long error = [&] {
      for (;;) {
        ipn_log_record record;
        if (const long none = find(node, fast, record); none != 0) return none;
        if (record.len > held->room()) return kNothing;
        if (!fast.reader.copy(fast.base, held->next(), record.len)) continue;
        if (!fast.reader.was_ours()) continue;
        header = header_of(fast, fast.base, record);
        ring::LogReader::pass(fast.base, record);
        return 0L;
      }
    }();
    if (error == 0) {
      held->add(header);
      continue;
    }
    if (held->n > 0) break;
    if (error != kNothing) return static_cast<int>(error);
    const long answer = wait_or_fail(node, fast, wait);
    if (answer != 0) return static_cast<int>(answer);
  }
  if (fast.receives) publish(node, fast);
  return static_cast<int>(held->n);
}

}  // namespace libipn
