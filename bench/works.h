// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report.h"
#include "bench/result.h"

namespace ipn_bench {

struct Options;

/// Told what is going on, one line each.
using Say = std::function<void(const std::string&)>;

struct WorkResult {
  std::vector<Row> rows;
  std::vector<std::string> notes;   ///< what a reader of the rows should know
  std::vector<std::string> faults;  ///< messages that came otherwise than sent
};

/// Something to measure, as it is named on the command line.
struct Work {
  std::string_view name;
  Result<WorkResult> (*run)(const Options& options, const Say& say);
};

std::span<const Work> all_works();

}  // namespace ipn_bench
