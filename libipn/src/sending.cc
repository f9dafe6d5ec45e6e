// SPDX-License-Identifier: MIT
// The functions that send: what they check, and the choice of the door.
#include <algorithm>
#include <climits>
#include <cstdlib>

#include "libipn/src/device.h"
#include "libipn/src/fast.h"

namespace libipn {
namespace {

// So many messages of a call are committed before the daemon sees them.
constexpr unsigned kPublishEvery = 32;

bool is_fast(const ipn_node& node) { return node.fast != nullptr && node.fast->sends; }

bool may_wait(const ipn_node& node, unsigned flags) {
  return (flags & IPN_MSG_DONTWAIT) == 0 && !is_nonblocking(node);
}

ssize_t send_by_device(ipn_node& node, const Outgoing& message, bool wait) {
  if (!message.report) return device_send(node, message, wait);
  ipn_completion completion;
  const ssize_t sent = device_send_reported(node, message, wait, completion);
  if (sent < 0) return sent;
  if (node.fast != nullptr) collect_completions(node, *node.fast);
  add_completion(node, completion);
  return sent;
}

/// One message, by the door that is open. `wait`: the call may wait.
ssize_t send_one(ipn_node& node, const Outgoing& message, bool wait, bool publish) {
  if (message.data == nullptr && message.len > 0) {
    return fail(node, Call::kSend, EINVAL, Why::kNullPointer);
  }
  if (message.len > IPN_MSG_MAX) return fail(node, Call::kSend, EMSGSIZE, Why::kMessageTooLong);
  if (!is_fast(node)) attach_again(node, node.receiving);
  if (is_fast(node)) {
    const ssize_t result = fast_send(node, *node.fast, message, wait, publish);
    if (result != kUseDevice) return result;
  }
  const NoCancel no_cancel;
  return send_by_device(node, message, wait);
}

int send_many(ipn_node& node, const ipn_buf* bufs, unsigned n, bool wait) {
  unsigned done = 0;
  ssize_t result = 0;
  while (done < n && result >= 0) {
    const unsigned run =
        is_fast(node) ? fast_copy_in(*node.fast, bufs + done, std::min(n - done, kPublishEvery))
                      : 0;
    if (run > 0) {
      done += run;
      result = fast_publish(node, *node.fast);
      continue;
    }
    // It fails, or has to wait, or goes by the device.
    const ipn_buf& buf = bufs[done];
    result = buf.msg != nullptr ? fail(node, Call::kSend, EINVAL, Why::kHeaderForSending)
                                : send_one(node, {buf.data, buf.size}, wait, true);
    if (result >= 0) ++done;
  }
  return done > 0 ? static_cast<int>(done) : static_cast<int>(result);
}

/// What the caller's header asks for; 0 or a failure.
int read_header(ipn_node& node, const ipn_msg& header, Outgoing& message) {
  const bool known = header.hdr == 0 || header.hdr == IPN_MSG_HDR;
  if ((header.flags & ~IPN_MSG_REPORT) != 0) {
    return fail(node, Call::kSend, EINVAL, Why::kUnknownFlag);
  }
  if (!known || (header.len != 0 && header.len != message.len) || header.seq != 0 ||
      header.port != 0 || header.count != 0 || header.pid != 0 || header.uid != 0 ||
      header.gid != 0 || header.hops != 0 || header.nfds != 0 || header.meta != 0 ||
      header.time != 0) {
    return fail(node, Call::kSend, EINVAL, Why::kHeaderFields);
  }
  if (header.peer != 0 && node.membership.policy == IPN_BROADCAST) {
    return fail(node, Call::kSend, EOPNOTSUPP, Why::kNoDestination);
  }
  message.destination = header.peer;
  message.cookie = header.cookie;
  message.report = (header.flags & IPN_MSG_REPORT) != 0;
  return message.report ? make_room_for_report(node) : 0;
}

int reserve(ipn_node& node, std::size_t len, bool wait, Reservation& made) {
  if (len > IPN_MSG_MAX) return fail(node, Call::kReserve, EMSGSIZE, Why::kMessageTooLong);
  if (!is_connected(node)) return fail(node, Call::kReserve, ENOTCONN, Why::kErrno);
  if (!is_fast(node)) attach_again(node, node.receiving);
  const auto size = static_cast<std::uint32_t>(len);
  if (is_fast(node)) {
    std::byte* room = nullptr;
    const long error = fast_reserve(node, *node.fast, Call::kReserve, len, wait, room);
    if (error == 0) made = {room, size, 0, true, this_thread()};
    if (error != kUseDevice) return static_cast<int>(error);
  }
  if (node.send_buffer == nullptr) node.send_buffer = std::malloc(IPN_MSG_MAX);
  if (node.send_buffer == nullptr) return fail(node, Call::kReserve, ENOMEM, Why::kErrno);
  made = {node.send_buffer, size, 0, false, this_thread()};
  return 0;
}

/// The first as reserve() does it, the others as long as the ring has room.
int reserve_many(ipn_node& node, ipn_buf* bufs, unsigned n, bool wait) {
  Reservation& made = node.reservation;
  const int error = reserve(node, bufs[0].size, wait, made);
  if (error != 0) return error;
  bufs[0].data = made.data;
  made.batch = 1;
  if (!made.in_ring) return 1;
  ring::SendWriter& writer = node.fast->writer;
  const std::size_t most = ring::load_word(node.fast->page->mtu, std::memory_order_relaxed);
  writer.begin_batch(made.size);
  for (; made.batch < n && bufs[made.batch].size <= most; ++made.batch) {
    const auto size = static_cast<std::uint32_t>(bufs[made.batch].size);
    std::byte* room = writer.reserve_more(size).data();
    if (room == nullptr) break;
    bufs[made.batch].data = room;
  }
  return static_cast<int>(made.batch);
}

/// The ring is open, and the message lies in it.
ssize_t commit_in_ring(ipn_node& node, std::uint32_t len, bool more) {
  node.fast->writer.commit(len);
  node.reservation = {};
  const long gone = more ? 0 : fast_publish(node, *node.fast);
  return gone != 0 ? gone : static_cast<ssize_t>(len);
}

ssize_t commit(ipn_node& node, std::uint32_t len, bool more, bool wait) {
  if (node.reservation.in_ring) {
    const long ended = fast_check_open(node, *node.fast, Call::kCommit);
    if (ended == 0) return commit_in_ring(node, len, more);
    if (ended != kUseDevice) return ended;
  }
  const NoCancel no_cancel;
  const ssize_t sent = device_send(node, {node.reservation.data, len}, wait);
  if (sent >= 0) node.reservation = {};
  return sent;
}

/// The ring was closed meanwhile: its messages go by the device. As ipn_sendmany().
int commit_by_device(ipn_node& node, unsigned n, bool wait) {
  const NoCancel no_cancel;
  if (!node.reservation.in_ring) {
    const ssize_t sent = device_send(node, {node.reservation.data, node.reservation.size}, wait);
    if (sent < 0) return static_cast<int>(sent);
    node.reservation = {};
    return 1;
  }
  std::uint64_t position = node.fast->writer.batch_begin();
  for (unsigned done = 0; done < n; ++done) {
    const std::span<std::byte> message = node.fast->writer.next_in_batch(position);
    const ssize_t sent = device_send(node, {message.data(), message.size()}, wait);
    if (sent < 0 && done == 0) return static_cast<int>(sent);
    if (sent < 0) n = done;
  }
  node.reservation = {};
  return static_cast<int>(n);
}

int commit_many(ipn_node& node, unsigned n, bool more, bool wait) {
  if (node.reservation.in_ring) {
    const long ended = fast_check_open(node, *node.fast, Call::kCommit);
    if (ended == 0) {
      ring::SendWriter& writer = node.fast->writer;
      n == node.reservation.batch ? writer.commit_whole_batch() : writer.commit_batch(n);
      node.reservation = {};
      const long gone = more ? 0 : fast_publish(node, *node.fast);
      return gone != 0 ? static_cast<int>(gone) : static_cast<int>(n);
    }
    if (ended != kUseDevice) return static_cast<int>(ended);
  }
  return commit_by_device(node, n, wait);
}

}  // namespace
}  // namespace libipn

using libipn::Call;
using libipn::fail;
using libipn::SendTurn;
using libipn::Why;

ssize_t ipn_send(struct ipn_node* node, const void* buf, size_t len, unsigned flags) {
  return ipn_sendmsg(node, nullptr, buf, len, flags);
}

ssize_t ipn_sendmsg(struct ipn_node* node, const struct ipn_msg* hdr, const void* buf, size_t len,
                    unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kSend);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kSend, EINVAL, Why::kUnknownFlag);
  }
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kSend, EBUSY, Why::kSenderBusy);
  node->reservation = {};
  libipn::Outgoing message{buf, len};
  if (hdr != nullptr) {
    const int error = libipn::read_header(*node, *hdr, message);
    if (error != 0) return error;
  }
  return libipn::send_one(*node, message, libipn::may_wait(*node, flags), true);
}

int ipn_sendmany(struct ipn_node* node, const struct ipn_buf* bufs, unsigned n, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kSend);
  if (bufs == nullptr && n > 0) return fail(*node, Call::kSend, EINVAL, Why::kNullPointer);
  if (n > INT_MAX) return fail(*node, Call::kSend, EINVAL, Why::kTooMany);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kSend, EINVAL, Why::kUnknownFlag);
  }
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kSend, EBUSY, Why::kSenderBusy);
  node->reservation = {};
  return libipn::send_many(*node, bufs, n, libipn::may_wait(*node, flags));
}

int ipn_reserve(struct ipn_node* node, size_t len, void** buf, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kReserve);
  if (buf == nullptr) return fail(*node, Call::kReserve, EINVAL, Why::kNullPointer);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kReserve, EINVAL, Why::kUnknownFlag);
  }
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kReserve, EBUSY, Why::kSenderBusy);
  node->reservation = {};
  const int error = libipn::reserve(*node, len, libipn::may_wait(*node, flags), node->reservation);
  *buf = node->reservation.data;
  return error;
}

ssize_t ipn_commit(struct ipn_node* node, size_t len, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kCommit);
  if ((flags & ~(IPN_MSG_DONTWAIT | IPN_MORE)) != 0) {
    return fail(*node, Call::kCommit, EINVAL, Why::kUnknownFlag);
  }
  const bool more = (flags & IPN_MORE) != 0;
  const auto size = static_cast<std::uint32_t>(len);
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kCommit, EBUSY, Why::kSenderBusy);
  const libipn::Reservation& reserved = node->reservation;
  if (reserved.data == nullptr || reserved.batch != 0 || len > reserved.size) {
    return fail(*node, Call::kCommit, EINVAL, Why::kReservation);
  }
  return libipn::commit(*node, size, more, libipn::may_wait(*node, flags));
}

int ipn_reservemany(struct ipn_node* node, struct ipn_buf* bufs, unsigned n, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kReserve);
  if (bufs == nullptr && n > 0) return fail(*node, Call::kReserve, EINVAL, Why::kNullPointer);
  if (n > INT_MAX) return fail(*node, Call::kReserve, EINVAL, Why::kTooMany);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kReserve, EINVAL, Why::kUnknownFlag);
  }
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kReserve, EBUSY, Why::kSenderBusy);
  node->reservation = {};
  return n == 0 ? 0 : libipn::reserve_many(*node, bufs, n, libipn::may_wait(*node, flags));
}

int ipn_commitmany(struct ipn_node* node, unsigned n, unsigned flags) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kCommit);
  if ((flags & ~(IPN_MSG_DONTWAIT | IPN_MORE)) != 0) {
    return fail(*node, Call::kCommit, EINVAL, Why::kUnknownFlag);
  }
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kCommit, EBUSY, Why::kSenderBusy);
  if (n > node->reservation.batch) {
    return fail(*node, Call::kCommit, EINVAL, Why::kReservation);
  }
  if (n == 0) {
    node->reservation = {};
    return 0;
  }
  return libipn::commit_many(*node, n, (flags & IPN_MORE) != 0, libipn::may_wait(*node, flags));
}

int ipn_flush(struct ipn_node* node) {
  if (node == nullptr) return -EINVAL;
  if (libipn::is_stale(*node)) return libipn::fail_stale(*node, Call::kFlush);
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kFlush, EBUSY, Why::kSenderBusy);
  return libipn::is_fast(*node) ? static_cast<int>(libipn::fast_publish(*node, *node->fast)) : 0;
}
