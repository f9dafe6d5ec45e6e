// SPDX-License-Identifier: MIT
#pragma once

#include "ipnd/configuration.h"
#include "ipnd/lock.h"
#include "ipnd/plan.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// Everything that the helper may ever be asked to do.
struct HelperTask {
  Plan plan;
  ConfigurationSource source;
  ConfigurationRules rules;
};

/// The life of the helper, in a process of its own: answers the loop until that
/// is gone, cleans up behind it and ends.
[[noreturn]] void run_helper(UniqueFd loop, const HelperTask& task, InstanceLock& lock);

}  // namespace ipn
