// SPDX-License-Identifier: MIT
// Messages through the device: one read or write for each, header and payload
// as two segments. The kernel hands a read or write of up to 31 pages to the
// daemon in one piece, so that a message of IPN_MSG_MAX bytes is never cut.
#include "libipn/src/device.h"

#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

namespace libipn {
namespace {

constexpr std::size_t kHeader = sizeof(ipn_msg);
static_assert(kHeader == IPN_MSG_HDR);

Failure system_failure(Call call, long error, std::uint16_t nr) {
  return {static_cast<std::uint16_t>(error), nr, call};
}

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

// A request and its answer: the header and up to a piece of the payload.
struct MessageRequest {
  ipn_msg header;
  unsigned char data[IPN_IOC_MSG_DATA_MAX];
};
static_assert(sizeof(MessageRequest) >= IPN_IOC_SIZE_MAX);

std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// The next message in pieces. A lossy network may overwrite it meanwhile; then
// the number changes and the newer message is looked at from its start.
long peek_whole(ipn_node& node, MessageRequest& request, ipn_msg& first, unsigned char* data,
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

long read_message(const ipn_node& node, ipn_msg& header, void* data, std::size_t size) {
  iovec segments[2] = {{&header, kHeader},
                       {data, size < IPN_MSG_MAX ? size : std::size_t{IPN_MSG_MAX}}};
  return restarting(node, [&] { return readv(node.fd, segments, size == 0 ? 1 : 2); });
}

ipn_msg header_of(const Outgoing& message, bool wait) {
  ipn_msg header{};
  header.hdr = IPN_MSG_HDR;
  header.flags = wait ? 0 : IPN_MSG_DONTWAIT;
  header.len = static_cast<std::uint32_t>(message.len);
  header.peer = message.destination;
  header.cookie = message.cookie;
  return header;
}

}  // namespace

ssize_t device_receive(ipn_node& node, ipn_msg* header, void* data, std::size_t size, bool wait) {
  if (!wait && !is_nonblocking(node)) {
    // A read has no flags. There is one receiver, so what is seen here stays.
    ipn_msg next;
    const long error = look(node, next, 0, 0, false);
    if (error != 0) return look_failed(node, Call::kReceive, error);
  }
  alignas(kHeader) ipn_msg read_header;
  const long length = read_message(node, read_header, data, size);
  if (length < 0) return fail(node, system_failure(Call::kReceive, -length, kReadNr));
  if (length == 0) return fail(node, Call::kReceive, ENODATA, Why::kEnd);
  if (length < static_cast<long>(kHeader) || read_header.hdr != kHeader) {
    return fail(node, Call::kReceive, EPROTO, Why::kForeignAnswer);
  }
  if (header != nullptr) *header = read_header;
  return length - static_cast<long>(kHeader);
}

ssize_t device_peek(ipn_node& node, ipn_msg* header, void* data, std::size_t size, bool wait) {
  if (node.peek_buffer == nullptr) {
    node.peek_buffer = std::malloc(sizeof(MessageRequest));
    if (node.peek_buffer == nullptr) return fail(node, Call::kPeek, ENOMEM, Why::kErrno);
  }
  auto& request = *static_cast<MessageRequest*>(node.peek_buffer);
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

void device_discard_given(ipn_node& node) {
  ipn_msg next;
  while (look(node, next, 0, 0, false) == 0 && next.seq < node.given_below) {
    if (read_message(node, next, nullptr, 0) <= 0) return;
  }
}

ssize_t device_send(ipn_node& node, const Outgoing& message, bool wait) {
  alignas(kHeader) ipn_msg header = header_of(message, wait);
  // writev() reads the payload only, but iovec has no constant form.
  const iovec segments[2] = {{&header, kHeader}, {const_cast<void*>(message.data), message.len}};
  const long written =
      restarting(node, [&] { return writev(node.fd, segments, message.len == 0 ? 1 : 2); });
  if (written < 0) return fail(node, system_failure(Call::kSend, -written, kWriteNr));
  if (written != static_cast<long>(kHeader + message.len)) {
    return fail(node, Call::kSend, EPROTO, Why::kForeignAnswer);
  }
  return static_cast<ssize_t>(message.len);
}

ssize_t device_send_reported(ipn_node& node, const Outgoing& message, bool wait,
                             ipn_completion& completion) {
  completion = {message.cookie, 0, 0, UINT32_MAX, 0};
  // Only an ioctl tells how many receivers there were.
  if (message.len > IPN_IOC_MSG_DATA_MAX) return device_send(node, message, wait);
  auto* request = static_cast<MessageRequest*>(std::malloc(sizeof(MessageRequest)));
  if (request == nullptr) return fail(node, Call::kSend, ENOMEM, Why::kErrno);
  request->header = header_of(message, wait && !is_nonblocking(node));
  if (message.len > 0) std::memcpy(request->data, message.data, message.len);
  const long result =
      restarting(node, [&] { return ioctl(node.fd, IPN_IOC_SEND(message.len), request); });
  completion.seq = request->header.seq;
  completion.receivers = request->header.count;
  std::free(request);
  if (result < 0) return fail(node, system_failure(Call::kSend, -result, _IOC_NR(IPN_IOC_SEND(0))));
  return static_cast<ssize_t>(message.len);
}

bool is_daemon_gone(const ipn_node& node) {
  const NoCancel no_cancel;
  pollfd descriptor{node.fd, 0, 0};
  const long ready = restarting(node, [&] { return poll(&descriptor, 1, 0); });
  return ready > 0 && (descriptor.revents & POLLERR) != 0;
}

}  // namespace libipn
