// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <sys/socket.h>
#include <vector>

#include "bench/exchange.h"
#include "bench/stream.h"

namespace ipn_bench {

/// Sends each batch by sendmmsg(), to one socket after the other; every message
/// begins with `prefix`. The sockets stay the caller's.
class SocketSource : public Source {
 public:
  SocketSource(const Pattern& pattern, std::vector<int> sockets, unsigned batch,
               const std::vector<std::byte>& prefix = {});
  Result<void> send(std::uint64_t first, unsigned count) override;

 private:
  const Pattern& pattern_;
  std::vector<int> sockets_;
  std::size_t prefix_;
  std::vector<std::byte> room_;
  std::vector<iovec> pieces_;
  std::vector<mmsghdr> headers_;
};

/// Receives by recvmmsg(), and passes over `prefix` bytes of each message.
class SocketSink : public Sink {
 public:
  SocketSink(int socket, std::size_t size, unsigned batch, std::size_t prefix = 0);
  Result<void> receive(Checker& checker) override;

 private:
  int socket_;
  std::size_t prefix_;
  std::vector<std::byte> room_;
  std::vector<iovec> pieces_;
  std::vector<mmsghdr> headers_;
};

/// Buffers of 4 MiB in both directions, as far as the system allows.
void enlarge_buffers(int socket);

}  // namespace ipn_bench
