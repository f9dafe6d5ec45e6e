// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ipnd/configuration.h"
#include "switchcore/base/result.h"
#include "switchcore/core/network_config.h"

namespace ipn {

/// The text of NAME.state: JSON, one network after the other.
std::string state_text(const std::vector<NetworkConfig>& networks);

/// The networks of such a text. EINVAL with what is wrong, without an object.
Result<std::vector<NetworkConfig>> parse_state(std::string_view text);

/// What a running daemon takes from a configuration that was read again: limits,
/// level of the log, networks. For the way from the helper to the loop.
std::string reload_text(const Configuration& configuration);
Result<Configuration> parse_reload(std::string_view text);

}  // namespace ipn
