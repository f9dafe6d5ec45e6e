// SPDX-License-Identifier: MIT
#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ipn_bench {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const bool has_one_middle = values.size() % 2 != 0;
  return has_one_middle ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::uint64_t percentile(std::vector<std::uint64_t> values, double percent) {
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  const std::size_t last = values.size() - 1;
  const std::size_t place = std::min(static_cast<std::size_t>(std::max(rank, 1.0)) - 1, last);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Spread spread(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {median(values), *low, *high};
}

}  // namespace ipn_bench
