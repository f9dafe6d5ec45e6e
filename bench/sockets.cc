// SPDX-License-Identifier: MIT
#include "bench/sockets.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/uio.h>
#include <utility>

namespace ipn_bench {
namespace {

constexpr int kBufferBytes = 4 << 20;

/// One piece of `room` for each header.
void lay_out(std::vector<std::byte>& room, std::size_t each, std::vector<iovec>& pieces,
             std::vector<mmsghdr>& headers) {
  for (std::size_t i = 0; i < headers.size(); i++) {
    pieces[i] = {room.data() + i * each, each};
    headers[i].msg_hdr.msg_iov = &pieces[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
}

Failure failure(const char* call) { return {std::string(call) + ": " + std::strerror(errno)}; }

}  // namespace

SocketSource::SocketSource(const Pattern& pattern, std::vector<int> sockets, unsigned batch,
                           const std::vector<std::byte>& prefix)
    : pattern_(pattern),
      sockets_(std::move(sockets)),
      prefix_(prefix.size()),
      room_((pattern.size() + prefix.size()) * batch),
      pieces_(batch),
      headers_(batch) {
  lay_out(room_, pattern.size() + prefix_, pieces_, headers_);
  for (const iovec& piece : pieces_) {
    std::copy(prefix.begin(), prefix.end(), static_cast<std::byte*>(piece.iov_base));
  }
}

Result<void> SocketSource::send(std::uint64_t first, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    pattern_.write(static_cast<std::byte*>(pieces_[i].iov_base) + prefix_, first + i);
  }
  for (const int socket : sockets_) {
    for (unsigned done = 0; done < count;) {
      const int sent = sendmmsg(socket, headers_.data() + done, count - done, 0);
      // Some sockets say at once what others wait for.
      if (sent < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
      if (sent < 0) return failure("sendmmsg");
      done += static_cast<unsigned>(sent);
    }
  }
  return {};
}

SocketSink::SocketSink(int socket, std::size_t size, unsigned batch, std::size_t prefix)
    : socket_(socket),
      prefix_(prefix),
      room_((size + prefix + 1) * batch),
      pieces_(batch),
      headers_(batch) {
  lay_out(room_, size + prefix + 1, pieces_, headers_);
}

Result<void> SocketSink::receive(Checker& checker) {
  const auto most = static_cast<unsigned>(headers_.size());
  int count = 0;
  do {
    count = recvmmsg(socket_, headers_.data(), most, MSG_WAITFORONE, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return failure("recvmmsg");
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); i++) {
    const auto* data = static_cast<const std::byte*>(pieces_[i].iov_base);
    const std::size_t length = headers_[i].msg_len;
    checker.see(data + prefix_, length > prefix_ ? length - prefix_ : 0);
  }
  return {};
}

void enlarge_buffers(int socket) {
  constexpr std::array kOptions{std::pair{SO_SNDBUFFORCE, SO_SNDBUF},
                                std::pair{SO_RCVBUFFORCE, SO_RCVBUF}};
  for (const auto& [force, ask] : kOptions) {
    const int bytes = kBufferBytes;
    if (setsockopt(socket, SOL_SOCKET, force, &bytes, sizeof bytes) == 0) continue;
    setsockopt(socket, SOL_SOCKET, ask, &bytes, sizeof bytes);
  }
}

}  // namespace ipn_bench
