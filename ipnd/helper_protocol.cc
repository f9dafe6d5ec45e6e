// SPDX-License-Identifier: MIT
#include "ipnd/helper_protocol.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

/// Room for one descriptor beside a packet.
union FdRoom {
  cmsghdr align;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

UniqueFd fd_of(msghdr& message) {
  UniqueFd fd;
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    int received = -1;
    std::memcpy(&received, CMSG_DATA(at), sizeof received);
    fd.reset(received);
  }
  return fd;
}

}  // namespace

Result<void> send_packet(int socket, const void* bytes, std::size_t size, int fd) {
  iovec data{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  FdRoom room{};
  if (fd >= 0) {
    message.msg_control = room.bytes.data();
    message.msg_controllen = room.bytes.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return system_error(errno, "helper");
  return {};
}

Result<HelperPacket> receive_packet(int socket, void* bytes, std::size_t size) {
  iovec data{bytes, size};
  msghdr message{};
  FdRoom room{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room.bytes.data();
  message.msg_controllen = room.bytes.size();
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  HelperPacket packet;
  if (n > 0) packet.fd = fd_of(message);
  packet.end = n == 0 || (n < 0 && errno == ECONNRESET);
  if (packet.end) return packet;
  if (n < 0) return system_error(errno, "helper");
  if (static_cast<std::size_t>(n) != size || (message.msg_flags & MSG_TRUNC) != 0) {
    return system_error(EBADMSG, "helper");
  }
  return packet;
}

HelperAnswer make_answer(const Error& error) {
  HelperAnswer answer;
  answer.error = error.code != 0 ? error.code : EIO;
  const std::size_t n = std::min(error.text.size(), sizeof answer.text - 1);
  std::memcpy(answer.text, error.text.data(), n);
  return answer;
}

Error error_of(const HelperAnswer& answer) {
  return {answer.error, std::string(answer.text, ::strnlen(answer.text, sizeof answer.text))};
}

}  // namespace ipn
