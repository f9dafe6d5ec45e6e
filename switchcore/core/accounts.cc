// SPDX-License-Identifier: MIT
#include "switchcore/core/accounts.h"

#include <cerrno>
#include <string>

#include "switchcore/base/assert.h"

namespace ipn {
namespace {

Error over_limit(Uid uid, const std::string& what, std::uint64_t limit, const char* remedy) {
  return {EDQUOT, "user " + std::to_string(uid.value) + ": the limit of " + std::to_string(limit) +
                      " " + what + " per user is reached (" + remedy + ")"};
}

}  // namespace

Result<void> Accounts::charge_network(Uid uid) {
  Account& account = accounts_[uid];
  if (!is_exempt(uid) && account.networks >= limits_.networks_per_uid) {
    return over_limit(uid, "networks", limits_.networks_per_uid,
                      "remove one, or raise limits.networks in ipnd.toml");
  }
  ++account.networks;
  return {};
}

Result<void> Accounts::charge_node(Uid uid) {
  Account& account = accounts_[uid];
  if (!is_exempt(uid) && account.nodes >= limits_.nodes_per_uid) {
    return over_limit(uid, "nodes", limits_.nodes_per_uid,
                      "close some, or raise limits.nodes in ipnd.toml");
  }
  ++account.nodes;
  return {};
}

Result<void> Accounts::charge_log(Uid uid, std::uint64_t bytes) {
  Account& account = accounts_[uid];
  // Who is over the limit, as an administrator may decide, may still go on with less.
  if (!is_exempt(uid) && bytes > 0 && account.log_bytes + bytes > limits_.log_bytes_per_uid) {
    return over_limit(uid, "bytes of logs", limits_.log_bytes_per_uid,
                      "use a smaller pool or mtu, or raise limits.log_bytes in ipnd.toml");
  }
  account.log_bytes += bytes;
  return {};
}

Result<void> Accounts::check_log(Uid uid, std::uint64_t bytes) const {
  if (is_exempt(uid) || bytes <= limits_.log_bytes_per_uid) return {};
  return Error{EDQUOT, "user " + std::to_string(uid.value) + ": a log that takes " +
                           std::to_string(bytes) + " bytes is above the limit of " +
                           std::to_string(limits_.log_bytes_per_uid) +
                           " bytes of logs per user (use a smaller pool, mtu or log_bytes, or "
                           "raise limits.log_bytes in ipnd.toml)"};
}

void Accounts::release_network(Uid uid) {
  IPN_ASSERT(accounts_[uid].networks > 0);
  --accounts_[uid].networks;
  forget_if_empty(uid);
}

void Accounts::release_node(Uid uid) {
  IPN_ASSERT(accounts_[uid].nodes > 0);
  --accounts_[uid].nodes;
  forget_if_empty(uid);
}

void Accounts::release_log(Uid uid, std::uint64_t bytes) {
  IPN_ASSERT(accounts_[uid].log_bytes >= bytes);
  accounts_[uid].log_bytes -= bytes;
  forget_if_empty(uid);
}

void Accounts::release_parked(Uid uid, std::uint64_t bytes) {
  IPN_ASSERT(accounts_[uid].parked_bytes >= bytes);
  accounts_[uid].parked_bytes -= bytes;
  forget_if_empty(uid);
}

void Accounts::move_network(Uid from, Uid to, std::uint64_t log_bytes) {
  if (from == to) return;
  accounts_[to].networks += 1;
  accounts_[to].log_bytes += log_bytes;
  release_network(from);
  release_log(from, log_bytes);
}

Account Accounts::of(Uid uid) const {
  const auto found = accounts_.find(uid);
  return found == accounts_.end() ? Account{} : found->second;
}

void Accounts::forget_if_empty(Uid uid) {
  const auto found = accounts_.find(uid);
  if (found != accounts_.end() && found->second.is_empty()) accounts_.erase(found);
}

}  // namespace ipn
