// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ipnd/journal.h"
#include "switchcore/core/switch.h"

namespace ipn {

/// The networks that are there without anybody's bind: those of the
/// configuration, and those that were made persistent and have to come back
/// after a restart.
///
/// What the configuration says, it says at every start, so the state file holds
/// the others only. A network that is taken out of the configuration stays until
/// `ipnctl net del`.
class KeptNetworks {
 public:
  KeptNetworks(Switch& core, Journal& journal) : core_(core), journal_(journal) {}

  /// Makes the networks of the configuration, or makes those that are there
  /// already as it says. What cannot be done is logged, the rest is done.
  void configure(const std::vector<NetworkConfig>& networks);
  /// Makes the networks of a state file.
  void restore(const std::vector<NetworkConfig>& networks, std::string_view file);
  /// What belongs into the state file now.
  std::vector<NetworkConfig> to_save();

 private:
  enum class Outcome { kAdded, kChanged, kSame, kFailed };

  Outcome configure_one(const NetworkConfig& wanted);
  Outcome change(const Network& network, const NetworkConfig& wanted);

  Switch& core_;
  Journal& journal_;
  std::set<std::string, std::less<>> configured_;
  std::vector<NetworkConfig> not_restored_;  ///< not to be forgotten for that
};

}  // namespace ipn
