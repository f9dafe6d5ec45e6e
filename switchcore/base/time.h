// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace ipn {

/// Nanoseconds of a monotonic clock. Who reads the clock hands it in.
using TimeNs = std::int64_t;

inline constexpr TimeNs kMicrosecond = 1'000;
inline constexpr TimeNs kMillisecond = 1'000 * kMicrosecond;
inline constexpr TimeNs kSecond = 1'000 * kMillisecond;

/// The two clocks of one round of the loop.
struct Clock {
  TimeNs monotonic = 0;  ///< CLOCK_MONOTONIC
  TimeNs realtime = 0;   ///< CLOCK_REALTIME, ns since 1970; what messages carry
};

}  // namespace ipn
