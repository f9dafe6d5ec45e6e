// SPDX-License-Identifier: MIT
#include "bench/stream_works.h"

#include <array>

#include "bench/measure.h"
#include "bench/node.h"
#include "bench/peers.h"

namespace ipn_bench {
namespace {

constexpr unsigned kMeshNodes = 4;
constexpr const char* kRing = "ring";
constexpr const char* kP2p = "p2p";
constexpr const char* kFanout = "fanout";
constexpr const char* kMesh = "mesh";

/// What a work measures unless it is told.
struct Defaults {
  const char* work;
  std::vector<std::size_t> sizes;
  std::vector<unsigned> receivers;
};

/// One of our systems against one other.
struct Match {
  const char* work;
  StreamPlan plan;
  Door door;
  const Peer& peer;
};

Row our_row_of(const Match& match) {
  Row row;
  row.workload = match.work;
  row.size = match.plan.size;
  row.senders = match.plan.senders;
  row.receivers = match.plan.receivers;
  row.mode = match.plan.mode == Mode::kInPlace ? "in-place" : "copy";
  row.lossless = match.plan.lossless;
  row.door = door_name(match.door);
  return row;
}

Row other_row_of(const Match& match) {
  Row row = our_row_of(match);
  row.door.clear();
  row.lossless.reset();
  return row;
}

void note_fault(const Match& match, const StreamSystem& system, WorkResult& result) {
  const std::string fault = system.fault();
  if (!fault.empty()) {
    result.faults.push_back(std::string(match.work) + ", " + std::to_string(match.plan.size) +
                            " bytes: " + fault);
  }
}

void note_once(const std::string& note, WorkResult& result) {
  for (const std::string& known : result.notes) {
    if (known == note) return;
  }
  result.notes.push_back(note);
}

/// Starts the two systems, ours on a daemon of its own, and compares them.
Result<void> run_match(const Match& match, const Options& options, const Placement& placement,
                       const Say& say, WorkResult& result) {
  const auto folder = ScratchFolder::make();
  if (!folder) return folder.error();
  const Pattern pattern(match.plan.size);
  const auto other = match.peer.start(match.plan, pattern, *folder);
  const bool may_fail = std::string_view(match.peer.name) != kRing;
  if (!other && may_fail && other.error().status == kExitFailure) {
    note_once(std::string(match.peer.name) + ": left out, " + other.error().text, result);
    return {};
  }
  if (!other) return other.error();
  if (!other->system) {
    note_once(other->note, result);
    return {};
  }
  const auto served = serve_ipn(options, *folder, "ipn", spin_of(options));
  if (!served) return served.error();
  const auto ours = start_ipn(match.plan, pattern, *served, options, match.door);
  if (!ours) return Failure{ours.error().text + words_of(*served), ours.error().status};
  const auto complete = [&](Row& row, Row& other_row) -> Result<void> {
    row.loss = (*ours)->seen().lost;
    other_row.loss = other->system->seen().lost;
    return {};
  };
  const Contest contest{**ours,         *other->system, our_row_of(match), other_row_of(match),
                        Measure::kRate, complete};
  const auto measured = measure_contest(contest, options, placement, say, result);
  note_fault(match, **ours, result);
  note_fault(match, *other->system, result);
  if (measured) return {};
  return Failure{measured.error().text + words_of(*served), measured.error().status};
}

/// Every plan that the options ask for.
std::vector<StreamPlan> plans_of(const Options& options, const Defaults& defaults) {
  std::vector<StreamPlan> plans;
  const auto sizes = options.sizes.empty() ? defaults.sizes : options.sizes;
  const auto receivers = options.receivers.empty() ? defaults.receivers : options.receivers;
  for (const bool lossless : options.lossless) {
    for (const Mode mode : options.modes) {
      for (const std::size_t size : sizes) {
        for (const unsigned count : receivers) {
          StreamPlan plan;
          plan.size = size;
          plan.receivers = count;
          plan.senders = options.senders.value_or(1);
          plan.mode = mode;
          plan.lossless = lossless;
          plan.pool = options.pool;
          plans.push_back(plan);
        }
      }
    }
  }
  return plans;
}

/// In a mesh each message goes to all nodes but one.
void make_mesh(StreamPlan& plan, const Options& options) {
  plan.is_mesh = true;
  plan.senders = options.senders.value_or(kMeshNodes);
  plan.receivers = plan.senders - 1;
}

Result<void> run_plan(const char* work, const StreamPlan& plan, const Options& options,
                      const Say& say, WorkResult& result) {
  for (const Door door : options.doors) {
    for (const Peer& peer : all_peers()) {
      if (!wants_peer(options, peer.name) || (plan.is_mesh && !peer.is_for_mesh)) continue;
      const Match match{work, plan, door, peer};
      auto done = in_every_placement(options, [&](const Placement& placement) {
        return run_match(match, options, placement, say, result);
      });
      if (!done) return done;
    }
  }
  return {};
}

Result<WorkResult> run_stream_work(const Defaults& defaults, const Options& options,
                                   const Say& say) {
  WorkResult result;
  for (StreamPlan plan : plans_of(options, defaults)) {
    if (std::string_view(defaults.work) == kMesh) make_mesh(plan, options);
    if (plan.size < kStampBytes) {
      return Failure{"--size: messages of this work have 8 bytes or more", kExitUsage};
    }
    const auto done = run_plan(defaults.work, plan, options, say, result);
    if (!done) return done.error();
  }
  return result;
}

}  // namespace

std::span<const Peer> all_peers() {
  static constexpr std::array kPeers{Peer{kRing, start_ring, true},
                                     Peer{"unix-dgram", start_unix_dgram, false},
                                     Peer{"unix-seqpacket", start_unix_seqpacket, false},
                                     Peer{"udp-multicast", start_udp_multicast, false},
                                     Peer{"vde", start_vde, false},
                                     Peer{"iceoryx", start_iceoryx, false},
                                     Peer{"zeromq", start_zeromq, false}};
  return kPeers;
}

Result<WorkResult> run_p2p_work(const Options& options, const Say& say) {
  Options one = options;
  one.receivers.clear();
  return run_stream_work({kP2p, {64, 1500, 65536}, {1}}, one, say);
}

Result<WorkResult> run_fanout_work(const Options& options, const Say& say) {
  return run_stream_work({kFanout, {64}, {1, 4, 16}}, options, say);
}

Result<WorkResult> run_mesh_work(const Options& options, const Say& say) {
  Options mesh = options;
  mesh.receivers.clear();
  return run_stream_work({kMesh, {64}, {1}}, mesh, say);
}

}  // namespace ipn_bench
