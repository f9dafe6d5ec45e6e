// SPDX-License-Identifier: MIT
#pragma once

#include "ipnd/doors.h"
#include "ipnd/helper.h"
#include "ipnd/journal.h"
#include "ipnd/plan.h"
#include "switchcore/base/result.h"
#include "switchcore/io/loop.h"

namespace ipn {

/// Serves a device that does nothing, through the same loop and doors as the
/// real one, until a signal ends it: what a benchmark compares with.
Result<void> run_null_daemon(const Plan& plan, io::Loop& loop, Helper& helper, Journal& journal,
                             std::vector<OpenedDoor> doors);

}  // namespace ipn
