// SPDX-License-Identifier: MIT
#include "ipnd/file_text.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

Result<void> write_all(int fd, std::string_view text, const std::string& object) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(errno, object);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<std::string> read_text(const std::string& path, std::size_t bytes_max) {
  // A fifo must not keep us waiting.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return system_error(errno, path);
  return read_text(fd.get(), path, bytes_max);
}

Result<std::string> read_text(int fd, const std::string& object, std::size_t bytes_max) {
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(errno, object);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > bytes_max) return system_error(EFBIG, object);
  }
}

Result<void> replace_text(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return system_error(errno, fresh);
  const UniqueFd fd(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return system_error(errno, fresh);
  auto done = write_all(fd.get(), text, fresh);
  if (done && std::rename(fresh.c_str(), path.c_str()) != 0) done = system_error(errno, path);
  if (!done) ::unlink(fresh.c_str());
  return done;
}

Result<UniqueFd> text_in_memory(std::string_view text) {
  UniqueFd fd(::memfd_create("ipn-text", MFD_CLOEXEC));
  if (!fd) return system_error(errno, "memfd_create");
  if (auto ok = write_all(fd.get(), text, "memfd"); !ok) return ok.error();
  return fd;
}

}  // namespace ipn
