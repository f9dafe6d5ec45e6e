// SPDX-License-Identifier: MIT
#include "switchcore/core/switch.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn {
namespace {

Error no_such_network(std::string_view name) {
  return {ENOENT, std::string(name) + ": no such network (make it: ipnctl net add " +
                      std::string(name) + ")"};
}

Error not_allowed(const Network& network, const char* right, const char* letter) {
  return {EACCES, network.config().name + ": permission denied: its mode does not let you " +
                      right + " (its owner can grant " + letter + ": ipnctl net set " +
                      network.config().name + " --mode M)"};
}

Error network_gone() {
  return {ECONNRESET, "this open file: its network ended or it was disconnected (open again)"};
}

Error already_joined(const Node& node) {
  if (node.state() == Node::State::kEnded) return network_gone();
  return {EISCONN, "this open file: already bound or connected (open another one)"};
}

Error other_policy(const Network& network) {
  return {EPROTO, network.config().name + ": its policy is " + network.policy_name() +
                      " (ask for that one, or for any)"};
}

Error no_such_network(NetworkId id) {
  return {ENOENT,
          "network " + std::to_string(id.value) + ": no such network (see ipnctl net list)"};
}

Error no_such_node(NodeId id) {
  return {ENOENT, "node " + std::to_string(id.value) + ": no such node (see ipnctl node list)"};
}

Error daemon_stops() {
  return {ENODEV, "ipnd: the daemon is stopping (open again when it runs again)"};
}

Error owner_only(const Network& network) {
  return {EPERM, network.config().name +
                     ": only its owner or root may do that (see ipnctl net show " +
                     network.config().name + ")"};
}

bool owns(const Credentials& who, const Network& network) {
  return who.is_root() || who.uid == network.config().owner;
}

bool is_network_option(std::uint32_t name) { return name >= IPN_OPT_MTU && name <= IPN_OPT_MODE; }

}  // namespace

Switch::Switch(const Limits& limits, StorageFactory make_storage, SwitchObserver& observer)
    : accounts_(limits), make_storage_(std::move(make_storage)), observer_(observer) {}

Switch::~Switch() {
  while (!nodes_.empty()) close_node(*nodes_.begin()->second);
}

void Switch::add_policy(PolicyType type) {
  const std::uint32_t number = type.number;
  IPN_ASSERT(number != IPN_ANY && number <= IPN_POLICY_MAX);
  const bool added = policies_.emplace(number, std::move(type)).second;
  IPN_ASSERT(added);
}

// Nodes -----------------------------------------------------------------------

Result<Node*> Switch::open_node(Door door, NodeSink& sink) {
  if (nodes_.size() >= limits().open_nodes) {
    return Error{ENFILE, "device: the limit of " + std::to_string(limits().open_nodes) +
                             " open files of the daemon is reached (close some)"};
  }
  const NodeId id{++last_node_};
  auto node = std::make_unique<Node>(id, door, sink);
  Node* opened = node.get();
  nodes_.emplace(id, std::move(node));
  return opened;
}

void Switch::close_node(Node& node) {
  disconnect(node, DropReason::kClosed);
  done_.for_each([&](ParkedSend& send) {
    if (send.from_ == &node) send.unlink();
  });
  if (refused_node_ == &node) refused_node_ = nullptr;
  nodes_.erase(node.id_);
}

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

/// Takes the node out of its network, which may end with it.
void Switch::disconnect(Node& node, DropReason unread) {
  Network* network = node.network_;
  if (network == nullptr) return;
  network->remove(node, unread);
  joined_.erase(node.id_);
  release_node(node);
  ready_.push_back(node);
  destroy_if_unused(*network);
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

// Messages --------------------------------------------------------------------

SendOutcome Switch::send(Node& node, const Outgoing& message) {
  SendOutcome outcome;
  refused_node_ = nullptr;
  if (node.state_ == Node::State::kEnded || (node.network_ != nullptr && node.network_->ending_)) {
    outcome.error = ECONNRESET;
    return outcome;
  }
  if (node.network_ == nullptr || node.state_ != Node::State::kConnected) {
    outcome.error = ENOTCONN;
    return outcome;
  }
  if (!node.can_send_) {
    node.count_drop(DropReason::kNotAllowed);
    outcome.error = EPIPE;
    return outcome;
  }
  outcome = node.network_->send(node, message, nullptr, refusal_);
  if (outcome.kind == SendOutcome::Kind::kWouldBlock) refused_node_ = &node;
  return outcome;
}

int Switch::park(ParkedSend& send) {
  IPN_ASSERT(refused_node_ != nullptr);
  Node& node = *std::exchange(refused_node_, nullptr);
  if (node.parked_bytes_ + send.charge() > limits().parked_bytes_per_node) return ENOBUFS;
  node.network_->park(node, send, refusal_);
  return 0;
}

void Switch::cancel(ParkedSend& send) {
  // A message that has its outcome already belongs to no queue of a network.
  if (send.from_ != nullptr && send.outcome_.kind == SendOutcome::Kind::kWouldBlock) {
    Network& network = *send.from_->network_;
    network.finish(send, SendOutcome{});
    network.made_room();  // who stood behind it may fit
    network.forget_blockers();
  }
  send.unlink();
}

RecvOutcome Switch::peek(Node& node) {
  if (node.network_ != nullptr && node.state_ == Node::State::kConnected) {
    return node.network_->peek(node);
  }
  RecvOutcome outcome;
  if (node.state_ == Node::State::kEnded) outcome.kind = RecvOutcome::Kind::kEnd;
  outcome.error = ENOTCONN;
  return outcome;
}

void Switch::consume(Node& node) {
  const RecvOutcome at = peek(node);
  IPN_ASSERT(at.kind == RecvOutcome::Kind::kMessage);
  ++node.counters_.msgs_out;
  node.counters_.bytes_out += at.message.payload.size();
  node.network_->consume(node);
}

void Switch::discard(Node& node, DropReason reason) {
  IPN_ASSERT(peek(node).kind == RecvOutcome::Kind::kMessage);
  node.count_drop(reason);
  node.network_->consume(node);
}

Readiness Switch::readiness(Node& node) {
  if (node.network_ != nullptr && node.state_ == Node::State::kConnected) {
    return node.network_->readiness(node);
  }
  Readiness ready;
  const bool ended =
      node.state_ == Node::State::kEnded || (node.network_ != nullptr && node.network_->ending_);
  ready.hangup = ready.readable = ended;
  return ready;
}

void Switch::want(Node& node, unsigned interests) {
  if (node.network_ != nullptr) node.network_->want(node, interests);
}

std::uint32_t Switch::peers_of(const Node& node) const {
  if (node.network_ == nullptr) return 0;
  return node.network_->readers() - (node.can_receive_ ? 1 : 0);
}

void Switch::dispatch() {
  for (;;) {
    if (!work_.empty()) {
      work_.pop_front().retry_parked();
    } else if (!done_.empty()) {
      ParkedSend& send = done_.pop_front();
      send.from_->sink_.on_send_done(send, send.outcome_);
    } else if (!ready_.empty()) {
      Node& node = ready_.pop_front();
      node.forget_wants();  // also what was wanted since it was woken
      node.sink_.on_ready(node);
    } else {
      return;
    }
  }
}

// Management ------------------------------------------------------------------

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
  const NetworkServices services{clock_, accounts_, make_storage_, ready_,
                                 done_,  work_,     timed_,        next_check_};
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

Result<void> Switch::kick(NodeId id, const Credentials& who) {
  const auto found = joined_.find(id);
  if (found == joined_.end() || !found->second->network_->is_visible_to(who)) {
    return no_such_node(id);
  }
  Node& node = *found->second;
  if (!owns(who, *node.network_)) return owner_only(*node.network_);
  disconnect(node, DropReason::kEvicted);
  return {};
}

void Switch::end_all() {
  stopping_ = true;
  while (!by_name_.empty()) end(*by_name_.begin()->second);
}

NodeView Switch::view(Node& node) {
  NodeView view{node};
  if (node.can_receive_) view.queue = node.network_->queue_of(node);
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
  totals.drops = gone_drops_;
  for (const auto& [id, network] : networks_) {
    totals.connected += network->connected_;
    totals.msgs += network->msgs_;
    totals.bytes += network->bytes_;
    totals.drops += network->drops();
  }
  return totals;
}

// Time ------------------------------------------------------------------------

std::optional<TimeNs> Switch::next_timer() const {
  if (timed_.empty()) return std::nullopt;
  return next_check_;
}

void Switch::run_timers() {
  const TimeNs now = clock_.monotonic;
  if (timed_.empty() || now < next_check_) return;
  next_check_ = kNever;
  List<Network, NetworkTimedTag> due;
  due.splice_back(timed_);
  while (!due.empty()) {
    Network& network = due.pop_front();
    network.run_policy_timer(now);
    if (!disconnect_overdue(network, now)) continue;
    if (const auto next = network.next_time()) {
      timed_.push_back(network);
      next_check_ = std::min(next_check_, *next);
    }
  }
}

/// False if the network has lost its last node and is gone.
bool Switch::disconnect_overdue(Network& network, TimeNs now) {
  const NetworkId id = network.id_;
  while (Node* overdue = network.find_overdue(now)) {
    ++evictions_;
    observer_.on_evicted(network, *overdue, now - overdue->blocking_since_);
    disconnect(*overdue, DropReason::kEvicted);
    if (networks_.find(id) == networks_.end()) return false;
  }
  return true;
}

}  // namespace ipn
