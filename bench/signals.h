// SPDX-License-Identifier: MIT
#pragma once

#include "bench/result.h"

namespace ipn_bench {

/// From now on SIGINT, SIGTERM and SIGHUP do not end the program but are
/// noted, so that it can end its daemons first. Waits return with EINTR.
void catch_ending_signals();

/// Whether one of them came.
bool is_interrupted();

/// How a run ends that was interrupted: the status is that of a shell for the
/// signal.
Failure interrupted();

}  // namespace ipn_bench
