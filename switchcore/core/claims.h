// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "switchcore/core/node.h"

namespace ipn {

/// What programs that read the memory of a log say of themselves. The network's
/// books hold what was believed; everything here can be wrong but `read_seq`, which
/// is checked, because it makes room for others.
class Claims {
 public:
  /// The node joins `readers`. What it had passed so far is not part of its claims.
  static void begin(Node& node, std::vector<Node*>& readers);
  /// It leaves them; its last claims go into its counters.
  static void end(Node& node, std::vector<Node*>& readers);
  /// nullopt: the claim goes back, or ahead of the log, and the node is in `faulty`.
  static std::optional<ReaderClaims> checked(Node& node, std::uint64_t head_seq,
                                             List<Node, FaultyTag>& faulty);
  /// Adds what came since the last time to the node's counters.
  static void count(Node& node);
};

}  // namespace ipn
