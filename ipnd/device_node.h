// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "ipnd/plan.h"
#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// A character device by CUSE, and what udev does with it. For the helper only:
/// it blocks, and it needs root.

/// /dev/cuse, opened without blocking, ready to become /dev/NAME = `path`. Tries
/// to load the module. EBUSY if the name is taken.
Result<UniqueFd> open_cuse(const std::string& path);

/// Waits until udev has applied its rules to the device, but not longer than 5 s
/// and not after the other side of `loop` is gone; ETIMEDOUT. Done at once where
/// no udev runs.
Result<void> wait_for_udev(const std::string& path, int loop);

/// Gives the device its mode and group, unless udev's rules decide them.
Result<void> set_node_mode(const std::string& path, const AccessPlan& access);

}  // namespace ipn
