// SPDX-License-Identifier: MIT
// How nodes come into networks, with which options and rights.
#include <cerrno>
#include <string>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/switch.h"
#include "switchcore/core/switch_errors.h"

namespace ipn {
namespace {

bool is_network_option(std::uint32_t name) { return name >= IPN_OPT_MTU && name <= IPN_OPT_MODE; }

}  // namespace

Result<void> Switch::charge_node(Node& node, const Credentials& who) {
  if (node.charged_to_) return {};
  if (auto ok = accounts_.charge_node(who.uid); !ok) return ok;
  node.charged_to_ = who.uid;
  return {};
}

void Switch::release_node(Node& node) {
  if (node.charged_to_) accounts_.release_node(*node.charged_to_);
  node.charged_to_.reset();
}

Result<JoinAnswer> Switch::bind(Node& node, const JoinRequest& request, const Credentials& who) {
  if (stopping_) return daemon_stops();
  if (node.state_ != Node::State::kFree) return already_joined(node);
  if (auto ok = check_name(request.name); !ok) return ok.error();
  if (auto ok = charge_node(node, who); !ok) return ok.error();
  auto network = network_for_bind(node, request, who);
  if (!network) {
    release_node(node);
    return network.error();
  }
  node.credentials_ = who;
  node.pending_ = {};
  (*network)->add_bound(node);
  joined_.emplace(node.id_, &node);
  return answer(node);
}

/// The network of that name, if `who` may bind to it, or a new one.
Result<Network*> Switch::network_for_bind(const Node& node, const JoinRequest& request,
                                          const Credentials& who) {
  const std::uint32_t flags = node.pending_.flags.value_or(0);
  const auto found = by_name_.find(request.name);
  if (found != by_name_.end()) {
    Network& network = *found->second;
    if (!network.access_of(who).manage) return not_allowed(network, "manage it", "x");
    if ((flags & IPN_NET_EXCL) != 0) {
      return Error{EEXIST, network.config().name +
                               ": exists already (choose another name, or bind without EXCL)"};
    }
    if ((network.config().flags & IPN_NET_EXCL) != 0) {
      return Error{ECONNREFUSED, network.config().name +
                                     ": was made with EXCL, nobody else may bind to it (connect "
                                     "without bind)"};
    }
    if (request.policy != IPN_ANY && request.policy != network.config().policy) {
      return other_policy(network);
    }
    return &network;
  }
  if (request.policy == IPN_ANY) {
    return Error{EPROTONOSUPPORT, std::string(request.name) +
                                      ": no such network, and policy \"any\" makes none (name a "
                                      "policy such as broadcast)"};
  }
  NetworkConfig config;
  config.name = request.name;
  config.policy = request.policy;
  config.mode = 0777 & ~who.umask;
  config.owner = who.uid;
  config.group = who.gid;
  node.pending_.apply_to(config);
  return make_network(config, false);
}

Result<JoinAnswer> Switch::connect(Node& node, const JoinRequest& request, const Credentials& who) {
  if (stopping_) return daemon_stops();
  const bool bound = node.state_ == Node::State::kBound;
  if (!bound && node.state_ != Node::State::kFree) return already_joined(node);
  Network* network = node.network_;
  if (bound) {
    if (network->is_ending()) return network_gone();
    if (!request.name.empty() && request.name != network->config().name) {
      return Error{EISCONN, "this open file: bound to " + network->config().name +
                                " (connect without a name, or open another one)"};
    }
  } else {
    if (auto ok = check_name(request.name); !ok) return ok.error();
    const auto found = by_name_.find(request.name);
    if (found == by_name_.end()) return no_such_network(request.name);
    network = found->second;
  }
  if (request.policy != IPN_ANY && request.policy != network->config().policy) {
    return other_policy(*network);
  }
  const std::uint32_t wanted = request.roles != 0 ? request.roles : IPN_ROLE_RECV | IPN_ROLE_SEND;
  Access roles = network->access_of(who);
  roles.receive = roles.receive && (wanted & IPN_ROLE_RECV) != 0 && !node.shut_receive_;
  roles.send = roles.send && (wanted & IPN_ROLE_SEND) != 0 && !node.shut_send_;
  if (!roles.receive && !roles.send) {
    return not_allowed(*network, "exchange messages in the roles you want", "r or w");
  }
  if (auto ok = charge_node(node, who); !ok) return ok.error();
  const Credentials before = std::exchange(node.credentials_, who);
  if (auto ok = network->add_connected(node, request.port, roles); !ok) {
    node.credentials_ = before;
    if (!bound) release_node(node);
    return ok.error();
  }
  node.pending_ = {};
  joined_.emplace(node.id_, &node);
  network->wake(node);  // who polls it already may find it writable now
  return answer(node);
}

JoinAnswer Switch::answer(const Node& node) const {
  JoinAnswer answer;
  answer.network = node.network_;
  answer.port = node.port_;
  answer.roles = (node.can_receive_ ? IPN_ROLE_RECV : 0) | (node.can_send_ ? IPN_ROLE_SEND : 0) |
                 (node.bound_ ? IPN_ROLE_MANAGE : 0);
  answer.next_seq = node.can_receive_ ? node.cursor_ : 0;
  return answer;
}

Result<void> Switch::set_option(Node& node, std::uint32_t name, std::uint32_t value) {
  if (!is_network_option(name)) {
    return Error{ENOPROTOOPT, "option " + std::to_string(name) + ": unknown (see ipn(4))"};
  }
  if (node.state_ != Node::State::kFree) return already_joined(node);
  NetworkChange change = node.pending_;
  if (name == IPN_OPT_MTU) change.mtu = value;
  if (name == IPN_OPT_NUMNODES) change.ports = value;
  if (name == IPN_OPT_MSGPOOLSIZE) change.pool = value;
  if (name == IPN_OPT_MODE) change.mode = value;
  if (name == IPN_OPT_FLAGS) {
    if ((value & IPN_NET_PERSISTENT) != 0) {
      return Error{EINVAL,
                   "option FLAGS: a program's network cannot be persistent (ipnctl net add)"};
    }
    change.flags = value;
  }
  NetworkConfig config;
  config.name = "option";  // a valid name: only the settings are looked at
  change.apply_to(config);
  if (auto ok = check_config(config); !ok) return ok;
  node.pending_ = change;
  return {};
}

Result<std::uint32_t> Switch::get_option(const Node& node, std::uint32_t name) const {
  NetworkConfig config;
  node.pending_.apply_to(config);
  if (node.network_ != nullptr) config = node.network_->config();
  const bool is_ending = node.network_ != nullptr && node.network_->ending_;
  switch (name) {
    case IPN_OPT_MTU:
      return config.mtu;
    case IPN_OPT_NUMNODES:
      return config.ports;
    case IPN_OPT_MSGPOOLSIZE:
      return config.pool;
    case IPN_OPT_FLAGS:
      return config.flags | (is_ending ? IPN_NET_TERMINATED : 0);
    case IPN_OPT_MODE:
      return config.mode;
    default:
      return Error{ENOPROTOOPT, "option " + std::to_string(name) + ": unknown (see ipn(4))"};
  }
}

Result<void> Switch::shutdown(Node& node, bool receive, bool send) {
  if (node.state_ == Node::State::kEnded) return already_joined(node);
  node.shut_receive_ = node.shut_receive_ || receive;
  node.shut_send_ = node.shut_send_ || send;
  if (Network* network = node.network_; network != nullptr) {
    if (receive) network->stop_receiving(node, DropReason::kClosed);
    if (send) network->stop_sending(node, EPIPE);
    network->wake(node);  // also one that never had the role sees its end now
  }
  return {};
}

Result<void> Switch::set_overflow(Node& node, std::uint32_t overflow, Uid who) {
  if (overflow != IPN_OVERFLOW_NETWORK && overflow != IPN_OVERFLOW_DROP_NEWEST &&
      overflow != IPN_OVERFLOW_LATEST) {
    return Error{EINVAL, "overflow " + std::to_string(overflow) +
                             ": not one that a node can have (network, drop-newest or latest)"};
  }
  if (node.state_ == Node::State::kEnded) return network_gone();
  if (node.state_ == Node::State::kConnected) {
    return node.network_->set_overflow(node, overflow, who);
  }
  node.overflow_ = overflow;
  return {};
}

Result<Policy*> Switch::policy_for(const Node& node, std::uint32_t policy) const {
  if (node.network_ == nullptr || policy != node.network_->config().policy) {
    return Error{EPROTONOSUPPORT,
                 "level " + std::to_string(policy) +
                     ": neither 0 nor the policy of this node's network (0 for options of IPN)"};
  }
  if (!node.port_) {
    return Error{ENOTCONN, "this open file: not connected to a network (IPN_IOC_CONNECT first)"};
  }
  return node.network_->policy_.get();
}

Result<void> Switch::set_policy_option(Node& node, std::uint32_t policy, std::uint32_t name,
                                       std::span<const std::byte> value) {
  auto found = policy_for(node, policy);
  if (!found) return found.error();
  return (*found)->set_option(*node.port_, name, value);
}

Result<std::size_t> Switch::get_policy_option(Node& node, std::uint32_t policy, std::uint32_t name,
                                              std::span<std::byte> value) {
  auto found = policy_for(node, policy);
  if (!found) return found.error();
  return (*found)->get_option(*node.port_, name, value);
}

}  // namespace ipn
