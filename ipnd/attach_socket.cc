// SPDX-License-Identifier: MIT
#include "ipnd/attach_socket.h"

#include <cerrno>
#include <cstring>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

constexpr int kBacklog = 256;

}  // namespace

Result<UniqueFd> open_attach_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ENAMETOOLONG, path +
                                   ": too long for the name of a socket (choose a path of at "
                                   "most 102 bytes for the device)"};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error(errno, path);
  // The lock is ours: what lies there was left by somebody who is gone.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(errno, path);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket.get(), where, sizeof address) != 0) return system_error(errno, path);
  if (::chmod(path.c_str(), 0666) != 0) return system_error(errno, path);
  if (::listen(socket.get(), kBacklog) != 0) return system_error(errno, path);
  return socket;
}

void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace ipn
