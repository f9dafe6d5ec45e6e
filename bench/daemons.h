// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "bench/result.h"

namespace ipn_bench {

/// A folder for one run, removed with all that is in it.
class ScratchFolder {
 public:
  /// In $TMPDIR, else in /tmp.
  static Result<ScratchFolder> make();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  std::string path_of(std::string_view name) const { return path_ + '/' + std::string(name); }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

/// One started daemon that serves a device file. It is ended with this object:
/// by SIGTERM, and by SIGKILL if that does not help in time. It is also told to
/// end if this program dies.
class Daemon {
 public:
  /// Runs `command` with standard output and error in the file `log`. `device`
  /// is the file that it serves.
  static Result<Daemon> start(std::vector<std::string> command, std::string device,
                              std::string log);
  Daemon(Daemon&& other) noexcept;
  Daemon& operator=(Daemon&&) = delete;
  ~Daemon();

  /// Calls `is_ready` until it says yes. Failures: the daemon ended, or was not
  /// ready in time, each with its last words; `is_ready` failed; a signal.
  Result<void> wait_until_ready(const std::function<Result<bool>()>& is_ready,
                                std::chrono::milliseconds deadline);

  pid_t pid() const { return pid_; }
  bool is_running() const;
  const std::string& device() const { return device_; }

  /// The end of what the daemon printed, in one line; empty: nothing.
  std::string last_words() const;

 private:
  Daemon(pid_t pid, int handle, std::string name, std::string device, std::string log);
  bool has_ended(std::chrono::milliseconds wait) const;
  Failure ended();
  Failure complaint(const std::string& reason) const;

  pid_t pid_;
  int handle_;  ///< pidfd; readable once the process ended
  std::string name_;
  std::string device_;
  std::string log_;
};

/// The program `name`: beside this one, in the sbin next to its folder, or in
/// PATH.
Result<std::string> find_program(const std::string& name);

}  // namespace ipn_bench
