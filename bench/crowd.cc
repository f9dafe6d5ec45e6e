// SPDX-License-Identifier: MIT
#include "bench/crowd.h"

#include <algorithm>
#include <utility>

namespace ipn_bench {
namespace {

constexpr unsigned kNodesPerHelper = 1000;

Result<void> open_nodes(const CrowdPlan& plan, unsigned count, std::vector<Node>& nodes) {
  for (unsigned i = 0; i < count; i++) {
    Membership membership = plan.membership;
    if (plan.own_networks) membership.network.name = fresh_network_name();
    auto node = Node::join(membership);
    if (!node) return node.error();
    nodes.push_back(std::move(*node));
  }
  return {};
}

Member helper(const CrowdPlan& plan, unsigned count) {
  Member member;
  member.work = [plan, count](std::vector<Desk>& desks) -> Result<void> {
    std::vector<Node> nodes;
    nodes.reserve(count);
    desks[0].ready();
    while (desks[0].next_run()) {
      if (nodes.empty()) {
        if (auto opened = open_nodes(plan, count, nodes); !opened) return opened;
      }
      desks[0].rest();
    }
    return {};
  };
  return member;
}

}  // namespace

Result<Crowd> Crowd::start(const CrowdPlan& plan) {
  std::vector<Member> helpers;
  for (unsigned done = 0; done < plan.nodes; done += kNodesPerHelper) {
    helpers.push_back(helper(plan, std::min(kNodesPerHelper, plan.nodes - done)));
  }
  auto team = Team::start("idle nodes", helpers);
  if (!team) return team.error();
  return Crowd(std::move(*team));
}

Result<void> Crowd::fill() {
  const auto filled = team_.run(Nanoseconds(0));
  if (!filled) return filled.error();
  return {};
}

}  // namespace ipn_bench
