// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "ipnd/environment.h"
#include "switchcore/base/ids.h"
#include "switchcore/base/result.h"

namespace ipn {

/// Whom the loop becomes when it needs root no longer.
struct LoopUser {
  Uid uid;
  Gid gid;
  std::string name;
};

/// User `ipn`, or `nobody` where there is none; nothing if we are not root and
/// stay who we are.
Result<std::optional<LoopUser>> find_loop_user(const Environment& environment);

/// The loop's own: that user, no groups, no capabilities, never any again. To be
/// called before there are threads.
Result<void> give_up_privileges(const std::optional<LoopUser>& user);

/// The helper's own: of the capabilities only those that its requests need.
Result<void> keep_helper_privileges();

}  // namespace ipn
