// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace ipn {

/// What one user, one node and the whole daemon may use. Root and networks of
/// the configuration are exempt from the limits per user.
struct Limits {
  std::uint32_t networks_per_uid = 64;
  std::uint32_t nodes_per_uid = 1024;                ///< bound or connected
  std::uint64_t log_bytes_per_uid = 256ULL << 20;    ///< logs, rings and areas, as provisioned
  std::uint64_t parked_bytes_per_node = 4ULL << 20;  ///< messages that wait for room
  std::uint32_t open_nodes = 65536;                  ///< open files of the daemon
  std::uint32_t half_open_per_uid = 16;              ///< tickets that wait to be presented
};

/// What a message that waits is charged besides its bytes: the request that the
/// door keeps for it. Without it messages of no bytes would wait without limit.
inline constexpr std::uint64_t kParkedOverhead = 256;

}  // namespace ipn
