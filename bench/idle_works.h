// SPDX-License-Identifier: MIT
#pragma once

#include "bench/options.h"
#include "bench/works.h"

namespace ipn_bench {

/// How often daemon and clients wake up while nodes wait for messages.
Result<WorkResult> run_idle_work(const Options& options, const Say& say);

/// How much memory a node costs that is there and does nothing.
Result<WorkResult> run_scale_work(const Options& options, const Say& say);

}  // namespace ipn_bench
