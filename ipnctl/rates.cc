// SPDX-License-Identifier: MIT
#include "ipnctl/rates.h"

#include <algorithm>

#include "ipnctl/forms.h"

namespace ipnctl {
namespace {

double per_second(std::uint64_t before, std::uint64_t now, double seconds) {
  return now <= before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

}  // namespace

std::vector<NetworkRate> network_rates(std::span<const ipn_net_record> before,
                                       std::span<const ipn_net_record> now, double seconds) {
  std::vector<NetworkRate> rates;
  for (const ipn_net_record& network : now) {
    const auto old = std::find_if(before.begin(), before.end(), [&](const ipn_net_record& other) {
      return other.id == network.id;
    });
    const ipn_net_record start = old == before.end() ? ipn_net_record{} : *old;
    rates.push_back({network, per_second(start.msgs, network.msgs, seconds),
                     per_second(start.bytes, network.bytes, seconds),
                     per_second(drop_sum(start.drops), drop_sum(network.drops), seconds)});
  }
  return rates;
}

}  // namespace ipnctl
