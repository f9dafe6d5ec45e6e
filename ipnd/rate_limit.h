// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "switchcore/base/time.h"

namespace ipn {

/// Lets a misbehaving peer cause one log line now and then, and counts the rest:
/// one line per subject and reason in kPeriod.
class RateLimit {
 public:
  static constexpr TimeNs kPeriod = 10 * kSecond;

  /// Nothing: this one is not to be said. Else how many were not said since the
  /// last one that was. `reason` has to stay where it is: a literal.
  std::optional<std::uint64_t> admit(std::uint64_t subject, std::string_view reason, TimeNs now);

 private:
  /// More subjects than this at a time are not worth remembering.
  static constexpr std::size_t kSubjectsMax = 1024;

  struct Entry {
    TimeNs said = 0;
    std::uint64_t suppressed = 0;
  };
  void forget_old(TimeNs now);

  std::map<std::pair<std::uint64_t, std::string_view>, Entry> entries_;
  TimeNs full_until_ = 0;  ///< before that nothing is old enough to be forgotten
};

}  // namespace ipn
