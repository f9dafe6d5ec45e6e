// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>

// Other processes, which kill -9 can end. They use neither GoogleTest nor a World.

namespace ipn::scenarios {

/// Killed at the end of the test if it still runs.
class Process {
 public:
  /// What `body` returns is the exit status.
  explicit Process(const std::function<int()>& body);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The exit status, -1 if it was killed.
  int wait();
  void kill_and_reap();

 private:
  pid_t pid_;
};

/// A descriptor of the device, -1 with errno.
int raw_open();
bool raw_connect(int fd, const std::string& name, std::uint32_t roles = 0);

}  // namespace ipn::scenarios
