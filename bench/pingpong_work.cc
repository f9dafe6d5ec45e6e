// SPDX-License-Identifier: MIT
#include "bench/pingpong_work.h"

#include <algorithm>
#include <limits>
#include <sys/resource.h>

#include "bench/crowd.h"
#include "bench/measure.h"
#include "bench/round_trips.h"
#include "bench/served.h"

namespace ipn_bench {
namespace {

constexpr const char* kWork = "pingpong";
constexpr std::size_t kSize = 64;
constexpr unsigned kCrowd = 10'000;
constexpr std::uint32_t kSpareNodes = 8;

Row row_of(std::size_t size, Door door, Spin spin) {
  Row row;
  row.workload = kWork;
  row.size = size;
  row.mode = "copy";
  row.door = door_name(door);
  row.spin = spin_name(spin);
  row.lossless = true;
  return row;
}

Membership membership_of(const Served& served, const Options& options, std::size_t size, Door door,
                         Spin spin) {
  Membership membership;
  membership.device = served.path;
  membership.door = door;
  membership.spin = spin;
  membership.network.name = fresh_network_name();
  membership.network.mtu = static_cast<std::uint32_t>(size);
  membership.network.pool = options.pool;
  return membership;
}

void note_fault(const RoundTripSystem& system, WorkResult& result) {
  const std::string fault = system.fault();
  if (!fault.empty()) result.faults.push_back(std::string(kWork) + ", " + fault);
}

/// One thing to measure, on a daemon of its own.
struct Case {
  const Options& options;
  const Say& say;
  const ScratchFolder& folder;
  std::size_t size;
  Door door;
  WorkResult& result;
};

Result<void> run_against_relay(const Case& at, Spin spin, const Placement& placement) {
  const auto served = serve_ipn(at.options, at.folder, "ipn", spin);
  if (!served) return served.error();
  const auto ours = start_ipn_round_trips(
      membership_of(*served, at.options, at.size, at.door, spin), at.size, processes_of(*served));
  if (!ours) return Failure{ours.error().text + words_of(*served), ours.error().status};
  const auto relay = start_relay(at.size);
  if (!relay) return relay.error();
  Row relay_row = row_of(at.size, at.door, spin);
  relay_row.door = relay_row.spin = relay_row.mode = "";
  relay_row.lossless.reset();
  const Contest contest{**ours, **relay, row_of(at.size, at.door, spin), relay_row, Measure::kTime};
  auto measured = measure_contest(contest, at.options, placement, at.say, at.result);
  note_fault(**ours, at.result);
  note_fault(**relay, at.result);
  return measured;
}

/// One CPU for the thread with both ends, and one for the daemon.
Result<void> run_busy(const Case& at) {
  const std::vector<int> cpus = usable_cpus();
  if (cpus.size() < 2) {
    at.result.notes.push_back("pingpong, busy: left out, it needs two CPUs");
    return {};
  }
  const auto served = serve_ipn(at.options, at.folder, "ipn", Spin::kBusy);
  if (!served) return served.error();
  const auto daemons = processes_of(*served);
  const auto ours = start_ipn_one_thread(
      membership_of(*served, at.options, at.size, at.door, Spin::kBusy), at.size, daemons);
  if (!ours) return Failure{ours.error().text + words_of(*served), ours.error().status};
  const auto clients = Pinning::pin((*ours)->own_processes(), cpus[0]);
  if (!clients) return clients.error();
  const auto daemon = Pinning::pin(daemons, cpus[1]);
  if (!daemon) return daemon.error();
  auto measured = measure_solo(**ours, row_of(at.size, at.door, Spin::kBusy), at.options,
                               {2, false}, at.say, at.result);
  note_fault(**ours, at.result);
  return measured;
}

/// Among idle nodes, against the same without them; a daemon each.
Result<void> run_in_crowd(const Case& at, unsigned nodes, bool own_networks,
                          const Placement& placement) {
  const auto crowded = serve_ipn(at.options, at.folder, "crowded", Spin::kAdaptive);
  if (!crowded) return crowded.error();
  const auto empty = serve_ipn(at.options, at.folder, "empty", Spin::kAdaptive);
  if (!empty) return empty.error();
  Membership membership = membership_of(*crowded, at.options, at.size, at.door, Spin::kAdaptive);
  membership.network.nodes = nodes + kSpareNodes;
  Membership alone = membership;
  alone.device = empty->path;

  CrowdPlan plan{membership, nodes, own_networks};
  if (own_networks) plan.membership.network = {"", 64, 8, kSpareNodes, true};
  if (!own_networks) plan.membership.roles = IPN_ROLE_SEND;
  at.say("making " + std::to_string(nodes) + " idle nodes");
  auto crowd = Crowd::start(plan);
  if (!crowd) return crowd.error();
  if (auto filled = crowd->fill(); !filled) {
    return Failure{filled.error().text + words_of(*crowded), filled.error().status};
  }
  const auto ours = start_ipn_round_trips(membership, at.size, processes_of(*crowded));
  if (!ours) return ours.error();
  const auto other = start_ipn_round_trips(alone, at.size, processes_of(*empty));
  if (!other) return other.error();
  Contest contest{**ours, **other, row_of(at.size, at.door, Spin::kAdaptive),
                  row_of(at.size, at.door, Spin::kAdaptive), Measure::kTime};
  contest.our_row.idle_nodes = nodes;
  contest.other_row.idle_nodes = 0;
  contest.our_row.crowd = contest.other_row.crowd = own_networks ? "networks" : "nodes";
  auto measured = measure_contest(contest, at.options, placement, at.say, at.result);
  note_fault(**ours, at.result);
  note_fault(**other, at.result);
  return measured;
}

/// Networks with an attached node that a daemon may have: it keeps two files open
/// for each, the log and the node's socket.
unsigned networks_max() {
  constexpr rlim_t kFilesOfItsOwn = 500;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max <= kFilesOfItsOwn) return 0;
  return static_cast<unsigned>(
      std::min<rlim_t>((limit.rlim_max - kFilesOfItsOwn) / 2, std::numeric_limits<int>::max()));
}

bool wants_spin(const Options& options, Spin spin) {
  return options.spins.empty() ||
         std::find(options.spins.begin(), options.spins.end(), spin) != options.spins.end();
}

Result<void> run_case(const Case& at) {
  const auto everywhere = [&](const auto& run) { return in_every_placement(at.options, run); };
  const auto against_relay = [&](Spin spin) {
    return
        [&at, spin](const Placement& placement) { return run_against_relay(at, spin, placement); };
  };
  const auto in_crowd = [&](unsigned nodes, bool own_networks) {
    return [&at, nodes, own_networks](const Placement& placement) {
      return run_in_crowd(at, nodes, own_networks, placement);
    };
  };
  const bool is_fast = at.door == Door::kFast;
  if (wants_spin(at.options, Spin::kAdaptive)) {
    if (auto done = everywhere(against_relay(Spin::kAdaptive)); !done) return done;
  }
  if (is_fast && wants_spin(at.options, Spin::kNever)) {
    if (auto done = everywhere(against_relay(Spin::kNever)); !done) return done;
  }
  if (is_fast && wants_spin(at.options, Spin::kBusy)) {
    if (auto done = run_busy(at); !done) return done;
  }
  const unsigned crowd = at.options.nodes.value_or(at.options.spins.empty() ? kCrowd : 0);
  if (crowd == 0) return {};
  if (at.options.device) {
    at.result.notes.push_back("pingpong: nothing among idle nodes on a device that was given");
    return {};
  }
  if (auto done = everywhere(in_crowd(crowd, false)); !done) return done;
  const unsigned networks = std::min(crowd, networks_max());
  if (networks < crowd) {
    at.result.notes.push_back("pingpong: " + std::to_string(networks) +
                              " idle networks instead of " + std::to_string(crowd) +
                              ", the daemon may not open more files (see ulimit -Hn)");
  }
  return everywhere(in_crowd(networks, true));
}

}  // namespace

Result<WorkResult> run_pingpong_work(const Options& options, const Say& say) {
  const auto folder = ScratchFolder::make();
  if (!folder) return folder.error();
  WorkResult result;
  const auto sizes = options.sizes.empty() ? std::vector{kSize} : options.sizes;
  for (const Door door : options.doors) {
    for (const std::size_t size : sizes) {
      if (size < kStampBytes) {
        return Failure{"--size: messages of this work have 8 bytes or more", kExitUsage};
      }
      const auto done = run_case({options, say, *folder, size, door, result});
      if (!done) return done.error();
    }
  }
  return result;
}

}  // namespace ipn_bench
