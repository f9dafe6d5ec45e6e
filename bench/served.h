// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "bench/daemons.h"
#include "bench/options.h"
#include "bench/result.h"

namespace ipn_bench {

/// A device, and the daemon that we started to serve it, if we did.
struct Served {
  std::string path;
  std::optional<Daemon> daemon;
  std::optional<pid_t> pid;
};

/// The daemon's processes; empty: not known.
std::vector<pid_t> processes_of(const Served& served);

/// What a daemon that ended by itself said last; else nothing.
std::string words_of(const Served& served);

/// Looks whether the device that was given is ours, or starts an ipnd on a FUSE
/// file `name` in `folder`, with limits that are high enough for any work.
Result<Served> serve_ipn(const Options& options, const ScratchFolder& folder,
                         const std::string& name, Spin spin);

/// The same for the device that does nothing.
Result<Served> serve_null(const Options& options, const ScratchFolder& folder);

}  // namespace ipn_bench
