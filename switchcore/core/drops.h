// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include <ipn/ioctl.h>

namespace ipn {

/// Why a message did not reach a receiver. Every message is delivered to each
/// receiver or counted under one of these, at the node that caused it.
enum class DropReason : std::uint8_t {
  kNoReceiver = IPN_DROP_NO_RECEIVER,
  kLogFull = IPN_DROP_LOG_FULL,
  kLapped = IPN_DROP_LAPPED,
  kTooLong = IPN_DROP_TOO_LONG,
  kNotAllowed = IPN_DROP_NOT_ALLOWED,
  kMalformed = IPN_DROP_MALFORMED,
  kPolicy = IPN_DROP_POLICY,
  kHopLimit = IPN_DROP_HOP_LIMIT,
  kInterfaceFull = IPN_DROP_INTERFACE_FULL,
  kEvicted = IPN_DROP_EVICTED,
  kExpired = IPN_DROP_EXPIRED,
  kClosed = IPN_DROP_CLOSED,
  kEmpty = IPN_DROP_EMPTY,
};

/// Messages dropped, by reason.
class DropCounters {
 public:
  void add(DropReason reason, std::uint64_t messages = 1) {
    counts_[static_cast<std::size_t>(reason)] += messages;
  }
  DropCounters& operator+=(const DropCounters& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    return *this;
  }
  std::uint64_t operator[](DropReason reason) const {
    return counts_[static_cast<std::size_t>(reason)];
  }
  const std::array<std::uint64_t, IPN_DROP_SLOTS>& all() const { return counts_; }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) sum += count;
    return sum;
  }

 private:
  std::array<std::uint64_t, IPN_DROP_SLOTS> counts_{};
};

}  // namespace ipn
