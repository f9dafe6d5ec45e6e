// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "bench/served.h"
#include "bench/stream.h"

namespace ipn_bench {

/// Each starts a system for a plan. A Candidate without system has a note that
/// says why this one is left out: not built in, not installed, cannot do it. The
/// plan and the pattern outlive what is returned.

/// How clients and daemon of a stream wait.
Spin spin_of(const Options& options);

/// Ours, on a device that is served.
Result<std::unique_ptr<StreamSystem>> start_ipn(const StreamPlan& plan, const Pattern& pattern,
                                                const Served& served, const Options& options,
                                                Door door);

/// What all of the following have.
using Starter = Result<Candidate> (*)(const StreamPlan& plan, const Pattern& pattern,
                                      const ScratchFolder& folder);

Result<Candidate> start_ring(const StreamPlan&, const Pattern&, const ScratchFolder&);
Result<Candidate> start_unix_dgram(const StreamPlan&, const Pattern&, const ScratchFolder&);
Result<Candidate> start_unix_seqpacket(const StreamPlan&, const Pattern&, const ScratchFolder&);
Result<Candidate> start_udp_multicast(const StreamPlan&, const Pattern&, const ScratchFolder&);
Result<Candidate> start_vde(const StreamPlan&, const Pattern&, const ScratchFolder&);
Result<Candidate> start_iceoryx(const StreamPlan&, const Pattern&, const ScratchFolder&);
Result<Candidate> start_zeromq(const StreamPlan&, const Pattern&, const ScratchFolder&);

struct Peer {
  const char* name;
  Starter start;
  bool is_for_mesh;
};

/// In the order of measuring.
std::span<const Peer> all_peers();

}  // namespace ipn_bench
