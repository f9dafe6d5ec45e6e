// SPDX-License-Identifier: MIT
#include "ipnd/lock.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>

#include "ipnd/file_text.h"
#include "ipnd/system_error.h"

namespace ipn {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{2};
constexpr std::chrono::milliseconds kBetweenTries{20};

/// True if the open file still is the one of that name: its last owner may have
/// removed it between our open() and our flock().
bool is_still_there(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

Result<UniqueFd> open_lock(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return system_error(errno, path, "choose a place where you may make files");
  }
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) {
    return Error{EPERM, path + ": is not a file of ours (remove it, or choose another name)"};
  }
  return fd;
}

/// The lock, nothing if somebody else has it, or what is wrong.
Result<std::optional<UniqueFd>> try_lock(const std::string& path) {
  for (;;) {
    auto fd = open_lock(path);
    if (!fd) return fd.error();
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return system_error(errno, path);
      return std::optional<UniqueFd>();
    }
    if (is_still_there(fd->get(), path)) return std::optional<UniqueFd>(std::move(*fd));
  }
}

/// "another ipnd (pid 123)"
std::string holder(const std::string& path) {
  const auto text = read_text(path, 64);
  const std::string pid = text ? text->substr(0, text->find('\n')) : std::string();
  return pid.empty() ? "another ipnd" : "another ipnd (pid " + pid + ")";
}

}  // namespace

Result<InstanceLock> InstanceLock::acquire(const std::string& path, const std::string& device,
                                           const std::string& remedy) {
  const auto deadline = steady_clock::now() + kPatience;
  for (;;) {
    auto fd = try_lock(path);
    if (!fd) return fd.error();
    if (*fd) return InstanceLock(path, std::move(**fd));
    if (steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(kBetweenTries);
  }
  return Error{EBUSY, path + ": " + holder(path) + " serves " + device + " (" + remedy + ")"};
}

Result<void> InstanceLock::sign() {
  const std::string text = std::to_string(::getpid()) + '\n';
  if (::ftruncate(fd_.get(), 0) != 0 ||
      ::pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return system_error(errno, path_);
  }
  return {};
}

void InstanceLock::remove() {
  if (is_still_there(fd_.get(), path_)) ::unlink(path_.c_str());
}

}  // namespace ipn
