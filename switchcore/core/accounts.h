// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <unordered_map>

#include "switchcore/base/ids.h"
#include "switchcore/base/result.h"
#include "switchcore/core/limits.h"

namespace ipn {

/// What is charged to one user.
struct Account {
  std::uint32_t networks = 0;
  std::uint32_t nodes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t parked_bytes = 0;

  bool is_empty() const {
    return networks == 0 && nodes == 0 && log_bytes == 0 && parked_bytes == 0;
  }
};

/// Everything that a user makes the daemon keep, by uid. A charge that would
/// exceed a limit is refused with EDQUOT and a text that names the limit; root
/// is counted and never refused.
class Accounts {
 public:
  explicit Accounts(const Limits& limits) : limits_(limits) {}

  Result<void> charge_network(Uid uid);
  Result<void> charge_node(Uid uid);
  Result<void> charge_log(Uid uid, std::uint64_t bytes);
  /// EDQUOT if the user alone could never be charged for such a log.
  Result<void> check_log(Uid uid, std::uint64_t bytes) const;
  /// Bounded per node by who parks; counted here to be seen.
  void add_parked(Uid uid, std::uint64_t bytes) { accounts_[uid].parked_bytes += bytes; }

  void release_network(Uid uid);
  void release_node(Uid uid);
  void release_log(Uid uid, std::uint64_t bytes);
  void release_parked(Uid uid, std::uint64_t bytes);

  /// Moves what a network costs to its new owner, who is not refused: an
  /// administrator decided it.
  void move_network(Uid from, Uid to, std::uint64_t log_bytes);

  Account of(Uid uid) const;
  const Limits& limits() const { return limits_; }
  void set_limits(const Limits& limits) { limits_ = limits; }
  static bool is_exempt(Uid uid) { return uid == Uid{0}; }

 private:
  void forget_if_empty(Uid uid);

  Limits limits_;
  std::unordered_map<Uid, Account> accounts_;
};

}  // namespace ipn
