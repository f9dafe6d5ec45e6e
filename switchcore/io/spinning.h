// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "switchcore/base/time.h"

namespace ipn::io {

enum class Spin : std::uint8_t { kAdaptive, kNever, kAlways };

/// How long to look again and again before going to sleep. Spins that found
/// something double the next one, those in vain halve it, between 2 and 50 us.
/// With one usable CPU there is none: whoever is waited for could not run.
///
/// That one CPU is offered to others before a sleep, three times after work: the programs
/// go on without anybody being put to sleep and woken. If somebody else keeps it for
/// long instead, there are no more such offers for a second.
class Spinning {
 public:
  explicit Spinning(Spin spin);

  /// There was work at `now`.
  void worked(TimeNs now);
  /// There was none: is it worth to look again?
  bool goes_on(TimeNs now);
  /// Offers the only CPU; false: it is time to sleep.
  bool yield(TimeNs now);
  /// Of those that we may use.
  bool has_one_cpu(TimeNs now);

 private:
  static constexpr TimeNs kShortest = 2 * kMicrosecond;
  static constexpr TimeNs kLongest = 50 * kMicrosecond;
  static constexpr int kYields = 3;
  static constexpr TimeNs kTakenAway = 300 * kMicrosecond;

  const Spin spin_;
  bool one_cpu_ = false;
  TimeNs checked_at_ = 0;  ///< when the usable CPUs were counted
  TimeNs length_ = kLongest;
  TimeNs since_ = 0;  ///< of the last work
  bool idle_ = false;
  int yields_ = 0;          ///< left until there is work again
  TimeNs yields_from_ = 0;  ///< none before that time
};

}  // namespace ipn::io
