// SPDX-License-Identifier: MIT
#include "ipnd/rate_limit.h"

#include <algorithm>

namespace ipn {

std::optional<std::uint64_t> RateLimit::admit(std::uint64_t subject, std::string_view reason,
                                              TimeNs now) {
  const auto found = entries_.find({subject, reason});
  if (found != entries_.end()) {
    Entry& entry = found->second;
    if (now - entry.said < kPeriod) {
      ++entry.suppressed;
      return std::nullopt;
    }
    entry.said = now;
    return std::exchange(entry.suppressed, 0);
  }
  if (entries_.size() >= kSubjectsMax && now >= full_until_) forget_old(now);
  if (entries_.size() >= kSubjectsMax) return std::nullopt;
  entries_.emplace(std::pair(subject, reason), Entry{now, 0});
  return 0;
}

void RateLimit::forget_old(TimeNs now) {
  full_until_ = now + kPeriod;
  std::erase_if(entries_, [&](const auto& item) {
    const TimeNs old_at = item.second.said + kPeriod;
    if (old_at > now) full_until_ = std::min(full_until_, old_at);
    return old_at <= now;
  });
}

}  // namespace ipn
