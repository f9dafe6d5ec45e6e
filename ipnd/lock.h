// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// One daemon per name: an exclusive flock(2) on NAME.lock, which holds the
/// process id of the loop.
///
/// The lock belongs to the open file, so the helper, which inherits it, keeps
/// it until it has cleaned up behind a loop that was killed.
class InstanceLock {
 public:
  /// Waits up to 2 s for somebody who is just ending. EBUSY: `device` is served
  /// by another daemon, which the text names; `remedy` says what to do then.
  static Result<InstanceLock> acquire(const std::string& path, const std::string& device,
                                      const std::string& remedy);

  /// Writes our process id into it.
  Result<void> sign();
  /// Removes the file; the lock stays until the last copy of it is closed.
  void remove();

 private:
  InstanceLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace ipn
