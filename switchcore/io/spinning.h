// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "switchcore/base/time.h"

namespace ipn::io {

enum class Spin : std::uint8_t { kAdaptive, kNever, kAlways };

/// How long to look again and again before going to sleep. Spins that found
/// something double the next one, those in vain halve it, between 2 and 50 us.
/// With one usable CPU there is none: whoever is waited for could not run.
class Spinning {
 public:
  explicit Spinning(Spin spin);

  /// There was work at `now`.
  void worked(TimeNs now);
  /// There was none: is it worth to look again?
  bool goes_on(TimeNs now);

 private:
  static constexpr TimeNs kShortest = 2 * kMicrosecond;
  static constexpr TimeNs kLongest = 50 * kMicrosecond;

  const Spin spin_;
  bool one_cpu_ = false;
  TimeNs checked_at_ = 0;  ///< when the usable CPUs were counted
  TimeNs length_ = kLongest;
  TimeNs since_ = 0;  ///< of the last work
  bool idle_ = false;
};

}  // namespace ipn::io
