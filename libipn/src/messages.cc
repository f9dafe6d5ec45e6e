// SPDX-License-Identifier: MIT
// Messages through the device: one read or write for each, header and payload
// as two segments. The kernel hands a read or write of up to 31 pages to the
// daemon in one piece, so that a message of IPN_MSG_MAX bytes is never cut.
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "libipn/src/node.h"

namespace libipn {
namespace {

constexpr std::size_t kHeader = sizeof(ipn_msg);
static_assert(kHeader == IPN_MSG_HDR);

Failure system_failure(Call call, long error, std::uint16_t nr) {
  return {static_cast<std::uint16_t>(error), nr, call};
}

bool is_nonblocking(const ipn_node& node) { return (node.flags & IPN_NONBLOCK) != 0; }

// Looks at the next message without taking it: its header, and behind that the
// `size` bytes of its payload from `offset` on. 0 or -errno.
long look(const ipn_node& node, ipn_msg& header, std::size_t offset, std::size_t size, bool wait) {
  header = {};
  header.hdr = IPN_MSG_HDR;
  header.flags = static_cast<std::uint16_t>(IPN_MSG_PEEK | (wait ? 0 : IPN_MSG_DONTWAIT));
  header.peer = offset;
  const long result = restarting(node, [&] { return ioctl(node.fd, IPN_IOC_RECV(size), &header); });
  if (result < 0) return result;
  return header.hdr == 0 ? -ENODATA : 0;
}

// `result` is what look() returned.
ssize_t look_failed(ipn_node& node, Call call, long result) {
  if (result == -ENODATA) return fail(node, Call::kReceive, ENODATA, Why::kEnd);
  return fail(node, system_failure(call, -result, _IOC_NR(IPN_IOC_RECV(0))));
}

// Takes one message; waits if `wait` is true or the node is non-blocking anyway.
ssize_t take(ipn_node& node, ipn_msg* header, void* data, std::size_t size, bool wait) {
  if (!wait && !is_nonblocking(node)) {
    // A read has no flags. There is one receiver, so what is seen here stays.
    ipn_msg next;
    const long error = look(node, next, 0, 0, false);
    if (error != 0) return look_failed(node, Call::kReceive, error);
  }
  alignas(kHeader) ipn_msg read_header;
  iovec segments[2] = {{&read_header, kHeader},
                       {data, size < IPN_MSG_MAX ? size : std::size_t{IPN_MSG_MAX}}};
  const long length = restarting(node, [&] { return readv(node.fd, segments, size == 0 ? 1 : 2); });
  if (length < 0) return fail(node, system_failure(Call::kReceive, -length, kReadNr));
  if (length == 0) return fail(node, Call::kReceive, ENODATA, Why::kEnd);
  if (length < static_cast<long>(kHeader) || read_header.hdr != kHeader) {
    return fail(node, Call::kReceive, EPROTO, Why::kForeignAnswer);
  }
  if (header != nullptr) *header = read_header;
  return length - static_cast<long>(kHeader);
}

// A request and its answer: the header and up to a piece of the payload.
struct PeekRequest {
  ipn_msg header;
  unsigned char data[IPN_IOC_MSG_DATA_MAX];
};
static_assert(sizeof(PeekRequest) >= IPN_IOC_SIZE_MAX);

std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// The next message in pieces. A lossy network may overwrite it meanwhile; then
// the number changes and the newer message is looked at from its start.
long peek_whole(ipn_node& node, PeekRequest& request, ipn_msg& first, unsigned char* data,
                std::size_t size, bool wait) {
  std::size_t done = 0;
  std::size_t wanted = size;
  do {
    const std::size_t piece = smaller(wanted - done, sizeof request.data);
    const long error = look(node, request.header, done, piece, wait);
    if (error != 0) return error;
    if (done == 0 || request.header.seq != first.seq) {
      const bool changed = done != 0;
      first = request.header;
      wanted = smaller(size, first.len);
      done = 0;
      if (changed) continue;
    }
    const std::size_t got = smaller(piece, wanted - done);
    if (got > 0) std::memcpy(data + done, request.data, got);
    done += got;
  } while (done < wanted);
  return static_cast<long>(wanted);
}

ssize_t peek(ipn_node& node, ipn_msg* header, void* data, std::size_t size, bool wait) {
  if (node.peek_buffer == nullptr) {
    node.peek_buffer = std::malloc(sizeof(PeekRequest));
    if (node.peek_buffer == nullptr) return fail(node, Call::kPeek, ENOMEM, Why::kErrno);
  }
  auto& request = *static_cast<PeekRequest*>(node.peek_buffer);
  ipn_msg first{};
  const long length =
      peek_whole(node, request, first, static_cast<unsigned char*>(data), size, wait);
  if (length < 0) return look_failed(node, Call::kPeek, length);
  const bool cut = size < first.len;
  first.flags =
      static_cast<std::uint16_t>(cut ? first.flags | IPN_MSG_TRUNC : first.flags & ~IPN_MSG_TRUNC);
  if (header != nullptr) *header = first;
  return length;
}

ssize_t put(ipn_node& node, const void* data, std::size_t length, unsigned flags) {
  if (data == nullptr && length > 0) return fail(node, Call::kSend, EINVAL, Why::kNullPointer);
  if (length > IPN_MSG_MAX) return fail(node, Call::kSend, EMSGSIZE, Why::kMessageTooLong);
  alignas(kHeader) ipn_msg header{};
  header.hdr = IPN_MSG_HDR;
  header.flags = static_cast<std::uint16_t>(flags);
  header.len = static_cast<std::uint32_t>(length);
  // writev() reads the payload only, but iovec has no constant form.
  const iovec segments[2] = {{&header, kHeader}, {const_cast<void*>(data), length}};
  const long written =
      restarting(node, [&] { return writev(node.fd, segments, length == 0 ? 1 : 2); });
  if (written < 0) return fail(node, system_failure(Call::kSend, -written, kWriteNr));
  if (written != static_cast<long>(kHeader + length)) {
    return fail(node, Call::kSend, EPROTO, Why::kForeignAnswer);
  }
  return static_cast<ssize_t>(length);
}

int receive_many(ipn_node& node, ipn_buf* bufs, unsigned n, unsigned flags) {
  unsigned done = 0;
  for (; done < n; done++) {
    ipn_buf& buf = bufs[done];
    const bool wait = done == 0 && (flags & IPN_MSG_DONTWAIT) == 0;
    const ssize_t length = buf.data == nullptr && buf.size > 0
                               ? fail(node, Call::kReceive, EINVAL, Why::kNullPointer)
                               : take(node, buf.msg, buf.data, buf.size, wait);
    if (length < 0) return done > 0 ? static_cast<int>(done) : static_cast<int>(length);
    buf.len = static_cast<std::size_t>(length);
  }
  return static_cast<int>(done);
}

int send_many(ipn_node& node, const ipn_buf* bufs, unsigned n, unsigned flags) {
  unsigned done = 0;
  for (; done < n; done++) {
    const ipn_buf& buf = bufs[done];
    const ssize_t length = buf.msg != nullptr
                               ? fail(node, Call::kSend, EINVAL, Why::kHeaderForSending)
                               : put(node, buf.data, buf.size, flags);
    if (length < 0) return done > 0 ? static_cast<int>(done) : static_cast<int>(length);
  }
  return static_cast<int>(done);
}

// What the many-message calls check before they do anything; 0 or a failure.
int check_many(ipn_node& node, Call call, const ipn_buf* bufs, unsigned n, unsigned flags) {
  if (bufs == nullptr && n > 0) return fail(node, call, EINVAL, Why::kNullPointer);
  if (n > INT_MAX) return fail(node, call, EINVAL, Why::kTooMany);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) return fail(node, call, EINVAL, Why::kUnknownFlag);
  return 0;
}

}  // namespace
}  // namespace libipn

using libipn::Call;
using libipn::fail;
using libipn::Turn;
using libipn::Why;

ssize_t ipn_send(struct ipn_node* node, const void* buf, size_t len, unsigned flags) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kSend, EINVAL, Why::kUnknownFlag);
  }
  const Turn turn(node->sending);
  if (!turn.taken()) return fail(*node, Call::kSend, EBUSY, Why::kSenderBusy);
  return libipn::put(*node, buf, len, flags);
}

ssize_t ipn_recv(struct ipn_node* node, void* buf, size_t size, unsigned flags) {
  return ipn_recvmsg(node, nullptr, buf, size, flags);
}

ssize_t ipn_recvmsg(struct ipn_node* node, struct ipn_msg* hdr, void* buf, size_t size,
                    unsigned flags) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if ((flags & ~(IPN_MSG_DONTWAIT | IPN_MSG_PEEK)) != 0) {
    return fail(*node, Call::kReceive, EINVAL, Why::kUnknownFlag);
  }
  if (buf == nullptr && size > 0) return fail(*node, Call::kReceive, EINVAL, Why::kNullPointer);
  const Turn turn(node->receiving);
  if (!turn.taken()) return fail(*node, Call::kReceive, EBUSY, Why::kReceiverBusy);
  const bool wait = (flags & IPN_MSG_DONTWAIT) == 0;
  const bool look = (flags & IPN_MSG_PEEK) != 0;
  return look ? libipn::peek(*node, hdr, buf, size, wait && !libipn::is_nonblocking(*node))
              : libipn::take(*node, hdr, buf, size, wait);
}

int ipn_sendmany(struct ipn_node* node, const struct ipn_buf* bufs, unsigned n, unsigned flags) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  const int error = libipn::check_many(*node, Call::kSend, bufs, n, flags);
  if (error != 0) return error;
  const Turn turn(node->sending);
  if (!turn.taken()) return fail(*node, Call::kSend, EBUSY, Why::kSenderBusy);
  return libipn::send_many(*node, bufs, n, flags);
}

int ipn_recvmany(struct ipn_node* node, struct ipn_buf* bufs, unsigned n, unsigned flags) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  const int error = libipn::check_many(*node, Call::kReceive, bufs, n, flags);
  if (error != 0) return error;
  const Turn turn(node->receiving);
  if (!turn.taken()) return fail(*node, Call::kReceive, EBUSY, Why::kReceiverBusy);
  return libipn::receive_many(*node, bufs, n, flags);
}
