// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "bench/compare.h"
#include "bench/works.h"

namespace ipn_bench {

/// What stands on the command line.
struct Options {
  std::vector<Work> works;  ///< in the order of running
  std::size_t size = 64;    ///< bytes of a message
  Method method;
  std::optional<std::string> device;       ///< a device that is served already
  std::optional<std::string> null_device;  ///< the same, one that does nothing
  std::optional<pid_t> device_pid, null_pid;
  bool json = false;
  bool progress = false;
};

/// The options, or what to print instead of running, and with which status.
struct CommandLine {
  Options options;
  bool run = false;
  int status = 0;
  std::string text;  ///< help or version; with a status, what is wrong
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace ipn_bench
