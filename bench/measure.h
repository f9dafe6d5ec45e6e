// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "bench/compare.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/works.h"

namespace ipn_bench {

/// Where processes may run during a measurement.
struct Placement {
  unsigned cpus = 0;
  bool pinned = false;
};

/// Two systems that do the same work, and what their rows say besides figures.
struct Contest {
  System& ours;
  System& other;
  Row our_row;
  Row other_row;
  Measure measure = Measure::kRate;
  /// Called where systems have been measured, to complete the two rows.
  std::function<Result<void>(Row& ours, Row& other)> complete{};
};

/// Compares on all CPUs and again with all processes on one, and appends two
/// rows for each. Where processes of a system are not known there is a note
/// instead of the second.
Result<void> measure_everywhere(const Contest& contest, const Options& options, const Say& say,
                                WorkResult& result);

/// Calls `measure` with all CPUs, and again with this process on one CPU, and
/// with it all that is started meanwhile: who asks at its start how many CPUs there
/// are gets the right answer. The daemon of a given device is moved there, too.
Result<void> in_every_placement(const Options& options,
                                const std::function<Result<void>(const Placement&)>& measure);

/// Compares in one placement.
Result<void> measure_contest(const Contest& contest, const Options& options,
                             const Placement& placement, const Say& say, WorkResult& result);

/// Measures a system that has nothing to be compared with; appends its row.
Result<void> measure_solo(System& system, Row row, const Options& options,
                          const Placement& placement, const Say& say, WorkResult& result);

/// All CPUs that this process may use.
Placement free_placement();

}  // namespace ipn_bench
