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

/// How messages of our system travel.
enum class Door { kFast, kDevice };

/// How receivers read: where messages lie, or by copying them.
enum class Mode { kInPlace, kCopy };

/// What a side does before it sleeps.
enum class Spin { kAdaptive, kNever, kBusy };

/// What stands on the command line. An empty list is what the work chooses.
struct Options {
  std::vector<Work> works;         ///< in the order of running
  std::vector<std::size_t> sizes;  ///< bytes of a message
  std::vector<unsigned> receivers;
  std::optional<unsigned> senders;
  std::vector<bool> lossless{true};
  std::vector<Mode> modes{Mode::kInPlace, Mode::kCopy};
  std::vector<Door> doors{Door::kFast};
  std::vector<Spin> spins;
  unsigned pool = 4096;            ///< messages of a network
  std::optional<unsigned> nodes;   ///< idle ones
  std::vector<std::string> peers;  ///< those to compare with; empty: all
  Method method;
  bool has_doors = false;                  ///< `doors` was told
  bool has_run_time = false;               ///< `method.run` was told
  std::optional<std::string> device;       ///< a device that is served already
  std::optional<std::string> null_device;  ///< the same, one that does nothing
  std::optional<pid_t> device_pid, null_pid;
  std::optional<std::string> svg;  ///< file for plots
  bool json = false;
  bool progress = false;
};

/// Whether `peer` is to be compared with.
bool wants_peer(const Options& options, const std::string& peer);

/// The options, or what to print instead of running, and with which status.
struct CommandLine {
  Options options;
  bool run = false;
  int status = 0;
  std::string text;  ///< help or version; with a status, what is wrong
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace ipn_bench
