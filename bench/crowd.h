// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "bench/node.h"
#include "bench/team.h"

namespace ipn_bench {

/// Nodes that are there and do nothing, spread over helper processes, each of
/// which may open only so many files.
struct CrowdPlan {
  Membership membership;
  unsigned nodes = 0;
  bool own_networks = false;  ///< each node in a network of its own
};

class Crowd {
 public:
  /// Starts the helpers; they have no nodes yet.
  static Result<Crowd> start(const CrowdPlan& plan);
  /// Opens all nodes.
  Result<void> fill();
  const std::vector<pid_t>& helpers() const { return team_.pids(); }

 private:
  explicit Crowd(Team team) : team_(std::move(team)) {}
  Team team_;
};

}  // namespace ipn_bench
