// SPDX-License-Identifier: MIT
// The functions that receive: what they check, and the choice of the door. What is
// held comes first, then what is shown in place, then what comes next.
#include <climits>
#include <cstdlib>

#include "libipn/src/device.h"
#include "libipn/src/fast.h"
#include "libipn/src/held.h"

namespace libipn {
namespace {

bool is_fast(const ipn_node& node) {
  return node.fast != nullptr && (node.fast->receives || node.fast->shown > 0);
}

bool has_held(const ipn_node& node) { return node.held != nullptr && node.held->n > 0; }

bool may_wait(const ipn_node& node, unsigned flags) {
  return (flags & IPN_MSG_DONTWAIT) == 0 && !is_nonblocking(node);
}

ssize_t receive_one(ipn_node& node, const Incoming& to, bool peek, bool wait) {
  if (has_held(node)) return receive_held(*node.held, to.header, to.data, to.size, peek);
  if (!is_fast(node)) attach_again(node, node.sending);
  if (is_fast(node)) {
    const ssize_t result = fast_receive(node, *node.fast, to, peek, wait);
    if (result != kUseDevice) return result;
  }
  const NoCancel no_cancel;
  return peek ? device_peek(node, to.header, to.data, to.size, wait)
              : device_receive(node, to.header, to.data, to.size, wait);
}

int receive_many(ipn_node& node, ipn_buf* bufs, unsigned n, bool wait) {
  unsigned done = 0;
  while (done < n) {
    const bool first = done == 0;
    if (!has_held(node) && is_fast(node)) {
      const int result = fast_receive_many(node, *node.fast, bufs + done, n - done, wait && first);
      if (result >= 0) return static_cast<int>(done) + result;
      if (result != kUseDevice) return first ? result : static_cast<int>(done);
    }
    ipn_buf& buf = bufs[done];
    const ssize_t length =
        buf.data == nullptr && buf.size > 0
            ? fail(node, Call::kReceive, EINVAL, Why::kNullPointer)
            : receive_one(node, {buf.msg, buf.data, buf.size}, false, wait && first);
    if (length < 0) return first ? static_cast<int>(length) : static_cast<int>(done);
    buf.len = static_cast<std::size_t>(length);
    ++done;
  }
  return static_cast<int>(done);
}

/// Takes messages from the device until n are held; waits for the first.
int hold_from_device(ipn_node& node, unsigned n, bool wait) {
  Held* held = held_of(node);
  if (held == nullptr) return fail(node, Call::kReceive, ENOMEM, Why::kErrno);
  const NoCancel no_cancel;
  while (held->n < n && held->has_entry() && held->room() >= IPN_MSG_MAX) {
    ipn_msg header;
    const ssize_t length =
        device_receive(node, &header, held->next(), IPN_MSG_MAX, wait && held->n == 0);
    if (length < 0) return held->n > 0 ? 0 : static_cast<int>(length);
    held->add(header);
  }
  return 0;
}

int show(ipn_node& node, ipn_view* views, unsigned n, bool wait) {
  if (!has_held(node)) {
    if (!is_fast(node)) attach_again(node, node.sending);
    const bool in_place =
        is_fast(node) && (node.fast->shown > 0 || !node.fast->reader.overwrites());
    if (in_place) {
      const int result = fast_show(node, *node.fast, views, n, wait);
      if (result != kUseDevice) return result;
    }
  }
  int result = kUseDevice;
  if (is_fast(node)) result = fast_hold(node, *node.fast, n, wait);
  if (result == kUseDevice) result = hold_from_device(node, n, wait);
  return result < 0 ? result : show_held(*node.held, views, n);
}

int release(ipn_node& node, unsigned n) {
  const unsigned shown = has_held(node) ? node.held->n : is_fast(node) ? node.fast->shown : 0;
  if (n > shown) return fail(node, Call::kRelease, EINVAL, Why::kNotShown);
  if (n == 0) return 0;
  if (has_held(node)) {
    node.held->drop(n);
  } else {
    fast_release(node, *node.fast, n);
  }
  return 0;
}

}  // namespace
}  // namespace libipn

using libipn::Call;
using libipn::fail;
using libipn::Turn;
using libipn::Why;

ssize_t ipn_recv(struct ipn_node* node, void* buf, size_t size, unsigned flags) {
  return ipn_recvmsg(node, nullptr, buf, size, flags);
}

ssize_t ipn_recvmsg(struct ipn_node* node, struct ipn_msg* hdr, void* buf, size_t size,
                    unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kReceive);
  if ((flags & ~(IPN_MSG_DONTWAIT | IPN_MSG_PEEK)) != 0) {
    return fail(*node, Call::kReceive, EINVAL, Why::kUnknownFlag);
  }
  if (buf == nullptr && size > 0) return fail(*node, Call::kReceive, EINVAL, Why::kNullPointer);
  const Turn turn(node->receiving);
  if (!turn.taken()) return fail(*node, Call::kReceive, EBUSY, Why::kReceiverBusy);
  return libipn::receive_one(*node, {hdr, buf, size}, (flags & IPN_MSG_PEEK) != 0,
                             libipn::may_wait(*node, flags));
}

int ipn_recvmany(struct ipn_node* node, struct ipn_buf* bufs, unsigned n, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kReceive);
  if (bufs == nullptr && n > 0) return fail(*node, Call::kReceive, EINVAL, Why::kNullPointer);
  if (n > INT_MAX) return fail(*node, Call::kReceive, EINVAL, Why::kTooMany);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kReceive, EINVAL, Why::kUnknownFlag);
  }
  const Turn turn(node->receiving);
  if (!turn.taken()) return fail(*node, Call::kReceive, EBUSY, Why::kReceiverBusy);
  return libipn::receive_many(*node, bufs, n, libipn::may_wait(*node, flags));
}

int ipn_peekmany(struct ipn_node* node, struct ipn_view* views, unsigned n, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kPeek);
  if (views == nullptr && n > 0) return fail(*node, Call::kPeek, EINVAL, Why::kNullPointer);
  if (n > INT_MAX) return fail(*node, Call::kPeek, EINVAL, Why::kTooMany);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kPeek, EINVAL, Why::kUnknownFlag);
  }
  const Turn turn(node->receiving);
  if (!turn.taken()) return fail(*node, Call::kPeek, EBUSY, Why::kReceiverBusy);
  if (n == 0) return 0;
  return libipn::show(*node, views, n, libipn::may_wait(*node, flags));
}

int ipn_release(struct ipn_node* node, unsigned n) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kRelease);
  const Turn turn(node->receiving);
  if (!turn.taken()) return fail(*node, Call::kRelease, EBUSY, Why::kReceiverBusy);
  return libipn::release(*node, n);
}
