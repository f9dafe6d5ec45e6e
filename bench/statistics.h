// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace ipn_bench {

/// The middle one, or the mean of the middle two. `values` is not empty.
double median(std::vector<double> values);

/// The smallest value that at least `percent` of all do not exceed. `values`
/// is not empty; 0 < percent <= 100.
std::uint64_t percentile(std::vector<std::uint64_t> values, double percent);

struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};

/// `values` is not empty.
Spread spread(const std::vector<double>& values);

}  // namespace ipn_bench
