// SPDX-License-Identifier: MIT
#pragma once

#include "switchcore/core/policy.h"

namespace ipn {

/// IPN_BROADCAST: every message reaches every other node.
PolicyType broadcast_policy();

}  // namespace ipn
