// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/statistics.h"

namespace ipn_bench {

/// One system at one work in one placement.
struct Row {
  std::string workload;
  std::string system;
  std::size_t size = 0;    ///< bytes of a message
  unsigned receivers = 1;  ///< of each message
  unsigned cpus = 0;       ///< that the processes might use
  bool pinned = false;     ///< all on one CPU
  double msgs_per_s = 0;
  std::optional<double> cpu_ns_per_msg;
  std::uint64_t loss = 0;
  std::optional<Spread> ratio;  ///< of ours to the other; on our row
  std::optional<std::uint64_t> p50_ns, p99_ns;
  unsigned disturbed = 0;  ///< pairs during which others used the CPUs too
};

/// An aligned table with a line of titles.
std::string table_of(const std::vector<Row>& rows);

/// One JSON list of objects. What is not known or does not apply is null.
std::string json_of(const std::vector<Row>& rows);

}  // namespace ipn_bench
