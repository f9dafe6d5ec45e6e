// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ipn_bench {

/// How often each time was measured, in bins that are at most a thousandth of the
/// time wide. Of one size whatever is added, so that a measurement neither
/// allocates nor leaves the caches.
class Times {
 public:
  void add(std::uint64_t ns) {
    counts_[bin_of(ns)]++;
    count_++;
  }
  void clear();

  std::uint64_t count() const { return count_; }
  /// The smallest time that `percent` of all do not exceed; 0: there is none.
  std::uint64_t percentile(double percent) const;

 private:
  // Times below kLinear have bins of their own; each doubling above has as many.
  static constexpr unsigned kBits = 11;
  static constexpr std::uint64_t kLinear = 1 << kBits;
  static constexpr unsigned kDoublings = 30;

  static std::size_t bin_of(std::uint64_t ns) {
    if (ns < kLinear) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - kBits;
    if (shift > kDoublings) return kBins - 1;
    return shift * (kLinear / 2) + (ns >> shift);
  }
  static std::uint64_t time_of(std::size_t bin);

  static constexpr std::size_t kBins = (kDoublings + 2) * (kLinear / 2);

  std::array<std::uint32_t, kBins> counts_{};
  std::uint64_t count_ = 0;
};

}  // namespace ipn_bench
