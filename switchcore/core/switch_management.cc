// SPDX-License-Identifier: MIT
// Networks come, change and go; what can be told of them.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/claims.h"
#include "switchcore/core/switch.h"
#include "switchcore/core/switch_errors.h"

namespace ipn {
namespace {

bool owns(const Credentials& who, const Network& network) {
  return who.is_root() || who.uid == network.config().owner;
}

}  // namespace

const PolicyType* Switch::policy_type(std::uint32_t number) const {
  const auto found = policies_.find(number);
  return found == policies_.end() ? nullptr : &found->second;
}

Result<Network*> Switch::make_network(const NetworkConfig& config, bool exempt) {
  if (auto ok = check_config(config); !ok) return ok.error();
  const PolicyType* type = policy_type(config.policy);
  if (type == nullptr) {
    return Error{EPROTONOSUPPORT, config.name + ": policy " + std::to_string(config.policy) +
                                      " is not there (see ipnctl version)"};
  }
  const Uid payer = exempt ? Uid{0} : config.owner;
  if (auto ok = accounts_.charge_network(payer); !ok) return ok.error();
  const NetworkServices services{clock_, accounts_, make_storage_, ready_,       done_,
                                 work_,  timed_,    next_check_,   unpublished_, unpublished_own_,
                                 gated_, faulty_};
  auto network =
      std::make_unique<Network>(NetworkId{last_network_ + 1}, config, exempt, *type, services);
  if (auto ok = network->start(); !ok) {
    accounts_.release_network(payer);
    return ok.error();
  }
  ++last_network_;
  Network* made = network.get();
  networks_.emplace(made->id_, std::move(network));
  by_name_.emplace(made->config_.name, made);
  made->generation_ = ++generation_;
  if (config.is_persistent()) observer_.on_networks_changed();
  return made;
}

Result<const Network*> Switch::add_network(const NetworkConfig& config, const Credentials& who,
                                           bool from_configuration) {
  if (stopping_) return daemon_stops();
  if (auto ok = check_name(config.name); !ok) return ok.error();
  if (by_name_.find(config.name) != by_name_.end()) {
    return Error{EEXIST, config.name + ": exists already (see ipnctl net show " + config.name +
                             ", or choose another name)"};
  }
  const bool own = config.owner == who.uid && who.in_group(config.group);
  if (!own && !who.is_root() && !from_configuration) {
    return Error{EPERM, config.name +
                            ": only root may give a network to another user or group "
                            "(leave owner and group out)"};
  }
  auto made = make_network(config, from_configuration);
  if (!made) return made.error();
  return *made;
}

void Switch::set_exempt(NetworkId id, bool exempt) {
  const auto found = networks_.find(id);
  if (found != networks_.end()) found->second->set_exempt(exempt);
}

Result<Network*> Switch::live_network(NetworkId id, std::string_view name) const {
  if (id != NetworkId{}) {
    const auto found = networks_.find(id);
    if (found != networks_.end() && !found->second->ending_) return found->second.get();
    return no_such_network(id);
  }
  if (auto ok = check_name(name); !ok) return ok.error();
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return no_such_network(name);
  return found->second;
}

Result<const Network*> Switch::find_network(NetworkId id, std::string_view name) const {
  auto network = live_network(id, name);
  if (!network) return network.error();
  return *network;
}

Result<Network*> Switch::visible_network(NetworkId id, std::string_view name,
                                         const Credentials& who) {
  auto network = live_network(id, name);
  if (!network || (*network)->is_visible_to(who)) return network;
  if (id != NetworkId{}) return no_such_network(id);
  return not_allowed(**network, "see it", "r, w or x");
}

Result<void> Switch::change_network(NetworkId id, const NetworkChange& change,
                                    std::uint64_t generation, const Credentials& who) {
  if (stopping_) return daemon_stops();
  auto found = visible_network(id, {}, who);
  if (!found) return found.error();
  Network& network = **found;
  if (!owns(who, network)) return owner_only(network);
  const bool gives_away = (change.owner && *change.owner != network.config_.owner) ||
                          (change.group && !who.in_group(*change.group));
  if (gives_away && !who.is_root()) {
    return Error{EPERM,
                 network.config_.name + ": only root may give a network to another user or group"};
  }
  const bool resizes = change.mtu || change.pool || change.log_bytes;
  if (network.exempt_ && resizes && !who.is_root()) {
    return Error{EPERM, network.config_.name +
                            ": is a network of the configuration, only root may change its mtu, "
                            "pool and log_bytes (ask for it in ipnd.toml)"};
  }
  if (generation != 0 && generation != network.generation_) {
    return Error{EAGAIN, network.config_.name +
                             ": was changed by somebody else meanwhile (look again and repeat)"};
  }
  const bool was_persistent = network.config_.is_persistent();
  if (auto ok = network.change(change, generation_ + 1); !ok) return ok;
  ++generation_;
  if (was_persistent || network.config_.is_persistent()) observer_.on_networks_changed();
  destroy_if_unused(network);
  return {};
}

Result<void> Switch::end_network(NetworkId id, const Credentials& who) {
  auto network = visible_network(id, {}, who);
  if (!network) return network.error();
  if (!owns(who, **network)) return owner_only(**network);
  end(**network);
  return {};
}

void Switch::end(Network& network) {
  by_name_.erase(network.config_.name);
  network.end();
  ++generation_;
  if (network.config_.is_persistent()) observer_.on_networks_changed();
  destroy_if_unused(network);
}

/// A network without nodes goes if it is temporary or ends.
void Switch::destroy_if_unused(Network& network) {
  if (network.has_members()) return;
  if (network.config_.is_persistent() && !network.ending_) return;
  if (!network.ending_) {
    by_name_.erase(network.config_.name);
    ++generation_;
  }
  gone_msgs_ += network.msgs_;
  gone_bytes_ += network.bytes_;
  gone_drops_ += network.drops();
  const Uid payer = network.payer();
  networks_.erase(network.id_);
  accounts_.release_network(payer);
}

Result<Node*> Switch::find_node(NodeId id, const Credentials& who) {
  const auto found = joined_.find(id);
  if (found == joined_.end() || !found->second->network_->is_visible_to(who)) {
    return no_such_node(id);
  }
  return found->second;
}

Result<Node*> Switch::own_node(NodeId id, const Credentials& who) {
  auto node = find_node(id, who);
  if (node && !owns(who, *(*node)->network_)) return owner_only(*(*node)->network_);
  return node;
}

Result<void> Switch::kick(NodeId id, const Credentials& who) {
  auto node = own_node(id, who);
  if (!node) return node.error();
  Network& network = *(*node)->network_;
  const NetworkId network_id = network.id_;
  Network::NewLogs logs;
  if (network.was_mapped()) {
    auto prepared = network.prepare_logs(network.config_, false);
    if (!prepared) return prepared.error();
    logs = std::move(*prepared);
  }
  disconnect(**node, DropReason::kEvicted);
  if (networks_.find(network_id) != networks_.end()) network.install_logs(std::move(logs));
  return {};
}

void Switch::end_all() {
  stopping_ = true;
  while (!by_name_.empty()) end(*by_name_.begin()->second);
}

NodeView Switch::view(Node& node) {
  NodeView view{node};
  if (node.can_receive_) view.queue = node.network_->queue_of(node);
  Claims::count(node);  // of what was believed just now
  view.queue_max = node.queue_max_;
  if (node.port_) view.connected_ns = clock_.monotonic - node.connected_at_;
  if (node.blocking_since_ != 0) {
    // 0 says that they do not wait.
    view.blocking_ns = std::max<TimeNs>(1, clock_.monotonic - node.blocking_since_);
  }
  return view;
}

SwitchTotals Switch::totals() {
  SwitchTotals totals;
  totals.networks = static_cast<std::uint32_t>(by_name_.size());
  totals.open_nodes = static_cast<std::uint32_t>(nodes_.size());
  totals.msgs = gone_msgs_;
  totals.bytes = gone_bytes_;
  totals.evictions = evictions_;
  totals.attached = attached_;
  totals.cut_off = cut_off_;
  totals.drops = gone_drops_;
  for (const auto& [id, network] : networks_) {
    totals.connected += network->connected_;
    totals.msgs += network->msgs_;
    totals.bytes += network->bytes_;
    totals.drops += network->drops();
  }
  return totals;
}

}  // namespace ipn
