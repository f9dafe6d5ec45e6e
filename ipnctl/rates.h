// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ipn/ioctl.h>

namespace ipnctl {

/// What happened in one network between two looks, per second.
struct NetworkRate {
  ipn_net_record network;  ///< as it is now
  double msgs = 0;
  double bytes = 0;
  double drops = 0;
};

/// One entry for each network of `now`, in its order. A network that was not
/// there `before` began with counters of 0; one that is gone has no rate.
std::vector<NetworkRate> network_rates(std::span<const ipn_net_record> before,
                                       std::span<const ipn_net_record> now, double seconds);

}  // namespace ipnctl
