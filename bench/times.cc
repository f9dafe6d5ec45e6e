// SPDX-License-Identifier: MIT
#include "bench/times.h"

#include <algorithm>
#include <cmath>

namespace ipn_bench {

void Times::clear() {
  counts_.fill(0);
  count_ = 0;
}

std::uint64_t Times::time_of(std::size_t bin) {
  if (bin < kLinear) return bin;
  const std::size_t shift = bin / (kLinear / 2) - 1;
  return (bin - shift * (kLinear / 2)) << shift;
}

std::uint64_t Times::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double rank = std::ceil(percent / 100 * static_cast<double>(count_));
  auto left = std::max<std::uint64_t>(static_cast<std::uint64_t>(rank), 1);
  for (std::size_t bin = 0; bin < counts_.size(); bin++) {
    if (counts_[bin] >= left) return time_of(bin);
    left -= counts_[bin];
  }
  return time_of(kBins - 1);
}

}  // namespace ipn_bench
