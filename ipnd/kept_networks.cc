// SPDX-License-Identifier: MIT
#include "ipnd/kept_networks.h"

#include <array>

#include <ipn/ioctl.h>

namespace ipn {
namespace {

constexpr std::uint32_t kFixedFlags = IPN_NET_LOSSLESS | IPN_NET_EXCL | IPN_NET_CONFIDENTIAL;

template <typename T>
void note_difference(std::optional<T>& change, const T& is, const T& wanted) {
  if (is != wanted) change = wanted;
}

NetworkChange difference(const NetworkConfig& is, const NetworkConfig& wanted) {
  NetworkChange change;
  note_difference(change.flags, is.flags, wanted.flags);
  note_difference(change.mtu, is.mtu, wanted.mtu);
  note_difference(change.ports, is.ports, wanted.ports);
  note_difference(change.pool, is.pool, wanted.pool);
  note_difference(change.mode, is.mode, wanted.mode);
  note_difference(change.deadline_ms, is.deadline_ms, wanted.deadline_ms);
  note_difference(change.log_bytes, is.log_bytes, wanted.log_bytes);
  note_difference(change.owner, is.owner, wanted.owner);
  note_difference(change.group, is.group, wanted.group);
  return change;
}

bool is_empty(const NetworkChange& change) {
  return !change.flags && !change.mtu && !change.ports && !change.pool && !change.mode &&
         !change.deadline_ms && !change.log_bytes && !change.owner && !change.group;
}

std::string counted(unsigned number, const char* thing) {
  return std::to_string(number) + ' ' + thing + (number == 1 ? "" : "s");
}

}  // namespace

void KeptNetworks::configure(const std::vector<NetworkConfig>& networks) {
  std::array<unsigned, 4> count{};
  configured_.clear();
  for (const NetworkConfig& network : networks) {
    const Outcome outcome = configure_one(network);
    ++count[static_cast<std::size_t>(outcome)];
    if (outcome != Outcome::kFailed) configured_.insert(network.name);
  }
  core_.for_each_network({}, [&](const Network& network) {
    const bool configured = configured_.find(network.config().name) != configured_.end();
    if (!network.is_ending()) core_.set_exempt(network.id(), configured);
    return true;
  });
  const auto of = [&](Outcome outcome) { return count[static_cast<std::size_t>(outcome)]; };
  if (networks.empty()) return;
  journal_.info("configuration: " + counted(of(Outcome::kAdded), "network") + " made, " +
                std::to_string(of(Outcome::kChanged)) + " changed, " +
                std::to_string(of(Outcome::kSame)) + " as before, " +
                std::to_string(of(Outcome::kFailed)) + " failed");
}

KeptNetworks::Outcome KeptNetworks::configure_one(const NetworkConfig& wanted) {
  const auto found = core_.find_network({}, wanted.name);
  if (found) return change(**found, wanted);
  const auto made = core_.add_network(wanted, Credentials{}, true);
  if (made) return Outcome::kAdded;
  journal_.error("configuration: " + made.error().text);
  return Outcome::kFailed;
}

KeptNetworks::Outcome KeptNetworks::change(const Network& network, const NetworkConfig& wanted) {
  const NetworkConfig& is = network.config();
  const bool other_kind =
      is.policy != wanted.policy || ((is.flags ^ wanted.flags) & kFixedFlags) != 0;
  if (other_kind) {
    journal_.error(
        "configuration: " + wanted.name +
        ": policy, lossless and confidential cannot change while it exists (ipnctl net del " +
        wanted.name + ", then read the configuration again)");
    return Outcome::kFailed;
  }
  core_.set_exempt(network.id(), true);
  const NetworkChange change = difference(is, wanted);
  if (is_empty(change)) return Outcome::kSame;
  const auto changed = core_.change_network(network.id(), change, 0, Credentials{});
  if (changed) return Outcome::kChanged;
  journal_.error("configuration: " + changed.error().text);
  return Outcome::kFailed;
}

void KeptNetworks::restore(const std::vector<NetworkConfig>& networks, std::string_view file) {
  unsigned restored = 0;
  for (const NetworkConfig& network : networks) {
    if (configured_.find(network.name) != configured_.end()) continue;
    const auto made = core_.add_network(network, Credentials{}, false);
    if (made) {
      ++restored;
    } else {
      not_restored_.push_back(network);
      journal_.error(std::string(file) + ": " + made.error().text);
    }
  }
  if (restored != 0)
    journal_.info("restored " + counted(restored, "network") + " from " + std::string(file));
}

std::vector<NetworkConfig> KeptNetworks::to_save() {
  std::vector<NetworkConfig> networks;
  core_.for_each_network({}, [&](const Network& network) {
    const NetworkConfig& config = network.config();
    const bool configured = configured_.find(config.name) != configured_.end();
    if (config.is_persistent() && !network.is_ending() && !configured) networks.push_back(config);
    return true;
  });
  for (const NetworkConfig& network : not_restored_) {
    if (!core_.find_network({}, network.name)) networks.push_back(network);
  }
  return networks;
}

}  // namespace ipn
