// SPDX-License-Identifier: MIT
#pragma once

#include "bench/options.h"
#include "bench/works.h"

namespace ipn_bench {

/// One sender, one receiver: at every size, in place and with copies.
Result<WorkResult> run_p2p_work(const Options& options, const Say& say);
/// One sender, several receivers of each message.
Result<WorkResult> run_fanout_work(const Options& options, const Say& say);
/// Every node sends to all others.
Result<WorkResult> run_mesh_work(const Options& options, const Say& say);

}  // namespace ipn_bench
