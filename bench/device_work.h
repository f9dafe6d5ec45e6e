// SPDX-License-Identifier: MIT
#pragma once

#include "bench/options.h"
#include "bench/works.h"

namespace ipn_bench {

/// The work `device`: an IPN device against one that does nothing.
Result<WorkResult> run_device_work(const Options& options, const Say& say);

}  // namespace ipn_bench
