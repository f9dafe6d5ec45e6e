// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/statistics.h"

namespace ipn_bench {

/// One system at one work in one placement. What is empty is not known or does
/// not apply.
struct Row {
  std::string workload;
  std::string system;
  std::string against;     ///< whose figure `ratio` divides by
  std::size_t size = 0;    ///< bytes of a message
  unsigned senders = 1;    ///< nodes that send
  unsigned receivers = 1;  ///< of each message
  unsigned cpus = 0;       ///< that the processes might use
  bool pinned = false;     ///< all on one CPU
  std::string door;        ///< "fast", "device"
  std::string mode;        ///< how receivers read: "in-place", "copy"
  std::string spin;        ///< "adaptive", "never", "busy"
  std::string crowd;       ///< who is there and idle: "nodes", "networks"
  std::string process;     ///< the work idle: "daemon", "clients"
  std::optional<bool> lossless;
  std::optional<unsigned> idle_nodes;
  std::optional<double> msgs_per_s, deliveries_per_s;
  std::optional<double> cpu_ns_per_msg;  ///< of all processes, per delivery
  std::uint64_t loss = 0;
  std::optional<Spread> ratio;  ///< of ours to the other; on our row
  std::optional<std::uint64_t> p50_ns, p99_ns;
  std::optional<double> bytes_per_node;
  std::optional<std::uint64_t> wakeups;
  std::optional<double> seconds;  ///< during which `wakeups` were counted
  unsigned disturbed = 0;         ///< pairs during which others used the CPUs too
};

/// An aligned table with a line of titles.
std::string table_of(const std::vector<Row>& rows);

/// One JSON list of objects. What is not known or does not apply is null.
std::string json_of(const std::vector<Row>& rows);

/// "in-place lossy device", "spin never": what tells rows of a system apart
/// besides sizes and counts; empty: nothing.
std::string variant_of(const Row& row);

}  // namespace ipn_bench
