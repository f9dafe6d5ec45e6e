// SPDX-License-Identifier: MIT
#pragma once

#include "bench/options.h"
#include "bench/works.h"

namespace ipn_bench {

/// Round trips between two nodes: against a relay that sleeps, both ends in one
/// thread, and among many idle nodes against none.
Result<WorkResult> run_pingpong_work(const Options& options, const Say& say);

}  // namespace ipn_bench
