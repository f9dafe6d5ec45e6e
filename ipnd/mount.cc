// SPDX-License-Identifier: MIT
#define FUSE_USE_VERSION 314
#include "ipnd/mount.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fuse_lowlevel.h>
#include <memory>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipnd/file_text.h"
#include "ipnd/spawn.h"
#include "ipnd/system_error.h"

namespace ipn {
namespace {

constexpr std::chrono::seconds kProgramLimit{5};

bool is_mount_point(const std::string& path, const struct stat& status) {
  struct stat parent {};
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return ::stat(directory.c_str(), &parent) == 0 && parent.st_dev != status.st_dev;
}

/// Takes away a mount whose server is dead. True if there was one.
bool remove_dead_mount(const std::string& path) {
  // The kernel remembers attributes of a file whose server is dead: it has to ask.
  struct statx status {};
  const int found =
      ::statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &status);
  if (found == 0 || (errno != ENOTCONN && errno != ECONNABORTED)) return false;
  return unmount_file(path).has_value();
}

Result<void> check_mount_point(const std::string& path, const struct stat& status) {
  if (S_ISDIR(status.st_mode)) {
    return Error{EISDIR, path + ": is a directory (name a file in it)"};
  }
  if (S_ISREG(status.st_mode) && is_mount_point(path, status)) {
    return Error{EBUSY, path +
                            ": something is mounted there already (unmount it, or choose another "
                            "path)"};
  }
  if (!S_ISREG(status.st_mode)) {
    return Error{EEXIST, path + ": is there already and is no regular file (choose another name)"};
  }
  if (status.st_size != 0) {
    return Error{EEXIST, path + ": is a file that is not empty (choose another path)"};
  }
  return {};
}

/// Catches what is written to standard error, ours and that of programs that
/// libfuse runs, so that it becomes part of one message.
class CaughtStderr {
 public:
  CaughtStderr()
      : kept_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)),
        caught_(::memfd_create("ipn-stderr", MFD_CLOEXEC)) {
    if (caught_) ::dup2(caught_.get(), STDERR_FILENO);
  }
  ~CaughtStderr() {
    if (kept_) ::dup2(kept_.get(), STDERR_FILENO);
  }
  CaughtStderr(const CaughtStderr&) = delete;
  CaughtStderr& operator=(const CaughtStderr&) = delete;

  /// The first line, without the name of the program.
  std::string line() const {
    const auto text = read_text(caught_.get(), "stderr", 1 << 16);
    if (!text) return {};
    const std::string line = text->substr(0, text->find('\n'));
    const auto colon = line.find(": ");
    return colon == std::string::npos ? line : line.substr(colon + 2);
  }

 private:
  UniqueFd kept_, caught_;
};

/// Options for libfuse, which takes them apart and puts them together again.
class Arguments {
 public:
  explicit Arguments(const std::string& options) {
    for (const char* word : {"ipnd", "-o", options.c_str()}) ::fuse_opt_add_arg(&args_, word);
  }
  ~Arguments() { ::fuse_opt_free_args(&args_); }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  fuse_args* get() { return &args_; }

 private:
  fuse_args args_ = FUSE_ARGS_INIT(0, nullptr);
};

struct SessionCloser {
  void operator()(fuse_session* session) const { ::fuse_session_destroy(session); }
};

Error mount_error(const std::string& path, int code, const std::string& said) {
  if (::access("/dev/fuse", F_OK) != 0) {
    return {ENOENT,
            "/dev/fuse: not there (the kernel has no module fuse, or the container was "
            "not given the device: --device /dev/fuse)"};
  }
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return system_error(errno, "/dev/fuse", "it has to be readable and writable for you");
  }
  const std::string reason = said.empty() ? errno_text(code) : said;
  return {code, path + ": cannot be mounted: " + reason +
                    " (needed: root, or fusermount3 of package fuse3, or a user and mount "
                    "namespace: unshare -rm)"};
}

}  // namespace

Result<bool> prepare_mount_point(const std::string& path) {
  const bool was_ours = remove_dead_mount(path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (auto ok = check_mount_point(path, status); !ok) return ok.error();
    return was_ours || path.starts_with("/dev/");
  }
  if (errno != ENOENT) return system_error(errno, path);
  const UniqueFd made(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!made) return system_error(errno, path, "choose a place where you may make files");
  return true;
}

Result<UniqueFd> mount_file(const std::string& path, bool everybody) {
  std::string options = "default_permissions,fsname=ipn,subtype=ipn";
  if (everybody) options += ",allow_other";
  Arguments arguments(options);
  // The session only mounts; it is the loop that speaks with the kernel.
  const fuse_lowlevel_ops operations{};
  const CaughtStderr caught;
  const std::unique_ptr<fuse_session, SessionCloser> session(
      ::fuse_session_new(arguments.get(), &operations, sizeof operations, nullptr));
  errno = 0;
  if (session == nullptr || ::fuse_session_mount(session.get(), path.c_str()) != 0) {
    return mount_error(path, errno != 0 ? errno : EPERM, caught.line());
  }
  UniqueFd fd(::fcntl(::fuse_session_fd(session.get()), F_DUPFD_CLOEXEC, 3));
  if (!fd || ::fcntl(fd.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
    return system_error(errno, "/dev/fuse");
  }
  return fd;
}

Result<void> unmount_file(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  const int code = errno;
  if (code != EPERM) return system_error(code, path);
  if (run_program({"fusermount3", "-u", "-q", "-z", "--", path}, kProgramLimit) == 0) return {};
  return system_error(code, path, "unmount it: fusermount3 -u " + path);
}

void clear_leftovers(const std::string& path) {
  remove_dead_mount(path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  const bool empty_file = S_ISREG(status.st_mode) && status.st_size == 0;
  if (empty_file && !is_mount_point(path, status)) ::unlink(path.c_str());
}

}  // namespace ipn
