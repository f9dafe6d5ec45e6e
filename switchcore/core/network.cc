// SPDX-License-Identifier: MIT
// The life of a network: who is in it, its settings, its logs.
#include "switchcore/core/network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn {
namespace {

/// Epochs of a log that may end within a second.
constexpr int kEpochsPerSecond = 10;

}  // namespace

Network::Network(NetworkId id, NetworkConfig config, bool exempt, const PolicyType& type,
                 NetworkServices services)
    : id_(id),
      config_(std::move(config)),
      exempt_(exempt),
      policy_name_(type.name),
      policy_(type.make()),
      services_(services) {}

Network::~Network() {
  IPN_ASSERT(members_.empty());
  if (made_) policy_->network_ended();
  if (shared_) services_.accounts.release_log(payer(), log_charge());
}

// Life ------------------------------------------------------------------------

Result<void> Network::start() {
  const bool own_logs = !policy_->sends_to_all() || (config_.flags & IPN_NET_CONFIDENTIAL) != 0;
  if (own_logs) {
    if (auto ok = services_.accounts.check_log(payer(), log_charge()); !ok) return ok;
  } else {
    auto storage = make_charged_storage(payer(), log_bytes(), log_charge());
    if (!storage) return storage.error();
    shared_ = std::make_unique<SharedLog>(std::move(*storage), config_.pool, config_.is_lossless(),
                                          ports_);
  }
  if (auto ok = policy_->network_made(*this); !ok) return ok;
  made_ = true;
  if (const TimeNs period = policy_->timer_period(); period > 0) {
    next_policy_timer_ = services_.clock.monotonic + period;
    services_.timed.push_back(*this);
    services_.next_check = std::min(services_.next_check, next_policy_timer_);
  }
  return {};
}

Result<std::unique_ptr<LogStorage>> Network::make_charged_storage(Uid uid, std::uint64_t ring_bytes,
                                                                  std::uint64_t charge) {
  if (auto ok = services_.accounts.charge_log(uid, charge); !ok) return ok.error();
  auto storage = services_.make_storage(Log::storage_bytes(ring_bytes));
  if (!storage) services_.accounts.release_log(uid, charge);
  return storage;
}

void Network::add_bound(Node& node) {
  members_.push_back(node);
  node.network_ = this;
  node.network_drops_ = &drops_;
  node.bound_ = true;
  node.state_ = Node::State::kBound;
}

Result<void> Network::add_connected(Node& node, std::optional<Port> wanted, Access roles) {
  auto port = policy_->port_asked(wanted, *this);
  if (!port) return port.error();
  if (port->value >= config_.ports || is_taken(*port)) {
    return Error{port->value >= config_.ports ? EADDRNOTAVAIL : EADDRINUSE,
                 config_.name + ": its policy chose port " + std::to_string(port->value) +
                     ", which is not free (ask for another one)"};
  }
  if (roles.receive && has_own_logs()) {
    auto storage = make_charged_storage(node.credentials_.uid, log_bytes(), log_charge());
    if (!storage) return storage.error();
    node.own_log_ = std::make_unique<Log>(std::move(*storage), config_.pool);
    node.cursor_ = node.own_log_->head_seq();
  }
  if (port->value >= ports_.size()) ports_.resize(port->value + 1, nullptr);
  ports_[port->value] = &node;
  if (port->value == lowest_free_) ++lowest_free_;
  node.port_ = *port;
  node.connected_at_ = services_.clock.monotonic;
  if (!node.is_bound()) members_.push_back(node);
  node.network_ = this;
  node.network_drops_ = &drops_;
  node.state_ = Node::State::kConnected;
  ++connected_;
  if (roles.receive) {
    node.can_receive_ = true;
    node.receiver_index_ = receivers_.size();
    receivers_.push_back(&node);
    if (shared_) shared_->join(node);
  }
  if (roles.send) {
    node.can_send_ = true;
    ++writers_;
  }
  policy_->port_added(*port);
  want_membership_.for_each([this](Node& waiting) { wake(waiting); });
  return {};
}

void Network::remove(Node& node, DropReason unread) {
  if (node.port_) {
    policy_->port_about_to_go(*node.port_);
    stop_receiving(node, unread);
    stop_sending(node, ECONNRESET);
    const Port port = *node.port_;
    ports_[port.value] = nullptr;
    lowest_free_ = std::min(lowest_free_, port.value);
    node.port_.reset();
    --connected_;
    policy_->port_gone(port);
  }
  node.ListHook<Node, MemberTag>::unlink();
  node.forget_wants();
  node.network_ = nullptr;
  node.network_drops_ = nullptr;
  node.bound_ = false;
  node.state_ = Node::State::kEnded;
}

void Network::stop_receiving(Node& node, DropReason unread) {
  if (!node.can_receive_) return;
  const std::uint64_t queued = queue_of(node);
  if (shared_) shared_->leave(node);
  node.can_receive_ = false;
  node.count_drop(unread, queued);
  receivers_[node.receiver_index_] = receivers_.back();
  receivers_[node.receiver_index_]->receiver_index_ = node.receiver_index_;
  receivers_.pop_back();
  if (node.own_log_) {
    if (node.own_log_full_) --own_logs_full_;
    node.own_log_full_ = false;
    node.own_log_.reset();
    services_.accounts.release_log(node.credentials_.uid, log_charge());
  }
  node.blocking_since_ = 0;
  // Whoever waited for this node waits for nobody now: tried again with the rest.
  queue_.splice_back(node.queue_);
  made_room();
  want_membership_.for_each([this](Node& waiting) { wake(waiting); });
  wake(node);
}

void Network::stop_sending(Node& node, int error) {
  if (!node.can_send_) return;
  node.can_send_ = false;
  --writers_;
  if (node.parked_sends_ > 0) fail_parked(error, &node);
  wake(node);
  forget_blockers();
}

void Network::end() {
  ending_ = true;
  fail_parked(ECONNRESET, nullptr);
  for (Node* receiver : receivers_) receiver->blocking_since_ = 0;
  wake_members();
}

Result<void> Network::change(const NetworkChange& change, std::uint64_t generation) {
  NetworkConfig wanted = config_;
  change.apply_to(wanted);
  if (auto ok = check_change(wanted); !ok) return ok;
  const bool new_log = wanted.mtu != config_.mtu || wanted.pool != config_.pool ||
                       wanted.log_bytes != config_.log_bytes;
  if (new_log) {
    if (auto ok = renew_logs(wanted); !ok) {
      if (wanted.ports != config_.ports) (void)policy_->network_resized(config_.ports);
      return ok;
    }
  }
  if (!exempt_) {
    services_.accounts.move_network(config_.owner, wanted.owner, shared_ ? log_charge() : 0);
  }
  const bool judge =
      wanted.mode != config_.mode || wanted.owner != config_.owner || wanted.group != config_.group;
  config_ = std::move(wanted);
  generation_ = generation;
  if (judge) members_.for_each([this](Node& node) { judge_again(node); });
  if (const auto due = next_time()) watch_deadline(*due);
  made_room();
  return {};
}

void Network::set_exempt(bool exempt) {
  const Uid before = payer();
  exempt_ = exempt;
  services_.accounts.move_network(before, payer(), shared_ ? log_charge() : 0);
}

Result<void> Network::check_change(const NetworkConfig& wanted) {
  if (auto ok = check_config(wanted); !ok) return ok;
  if (((wanted.flags ^ config_.flags) & ~IPN_NET_PERSISTENT) != 0) {
    return Error{EINVAL, config_.name +
                             ": lossless, excl and confidential cannot change while the network "
                             "exists (remove it and make it again)"};
  }
  for (std::size_t port = wanted.ports; port < ports_.size(); ++port) {
    if (ports_[port] != nullptr) {
      return Error{EBUSY, config_.name + ": port " + std::to_string(port) +
                              " is in use (ipnctl node kick " + config_.name + " " +
                              std::to_string(port) + ", or keep more ports)"};
    }
  }
  if (wanted.ports != config_.ports) return policy_->network_resized(wanted.ports);
  return {};
}

/// Everything that forbids logs for the new settings but memory and accounts.
Result<void> Network::check_new_logs(const NetworkConfig& wanted, std::uint64_t charge) {
  const TimeNs now = services_.clock.monotonic;
  if (now - epochs_since_ >= kSecond) {
    epochs_since_ = now;
    epochs_ = 0;
  }
  if (epochs_ >= kEpochsPerSecond) {
    return Error{EBUSY, config_.name +
                            ": mtu, pool and log_bytes change at most 10 times a second "
                            "(try again in a second)"};
  }
  // What is unread moves to memory that nobody is charged for: it has to fit.
  const std::uint64_t ring_bytes = ring_bytes_for(wanted);
  const auto has_too_much = [&](const Log& log) {
    return log.used_bytes() > ring_bytes || log.count() > wanted.pool;
  };
  const bool too_much =
      shared_ ? config_.is_lossless() && has_too_much(shared_->log())
              : std::any_of(receivers_.begin(), receivers_.end(), [&](const Node* receiver) {
                  return has_too_much(*receiver->own_log_);
                });
  if (too_much) {
    return Error{EBUSY, config_.name +
                            ": more is unread than the new log would hold (try again "
                            "when it is read, or see who does not read: ipnctl node "
                            "list " +
                            config_.name + ")"};
  }
  return check_log_growth(wanted, charge);
}

/// The receivers pay for logs of their own, the owner says how large they are: he
/// must not spend what is not his.
Result<void> Network::check_log_growth(const NetworkConfig& wanted, std::uint64_t charge) const {
  if (!has_own_logs() || charge <= log_charge()) return {};
  const Uid payer = exempt_ ? Uid{0} : wanted.owner;
  if (auto ok = services_.accounts.check_log(payer, charge); !ok) return ok;
  for (const Node* receiver : receivers_) {
    if (receiver->credentials_.uid != config_.owner) {
      return Error{EBUSY, config_.name +
                              ": larger logs would be charged to other users who receive now "
                              "(try again when only its owner does: ipnctl node list " +
                              config_.name + ")"};
    }
  }
  return {};
}

/// Ends the epoch of all logs: they go on in memory for the new settings.
Result<void> Network::renew_logs(const NetworkConfig& wanted) {
  // First everything that can be refused, then the change.
  const std::uint64_t ring_bytes = ring_bytes_for(wanted);
  const std::uint64_t charge = Log::memory_bytes(ring_bytes, wanted.pool);
  const std::uint64_t old_charge = log_charge();
  const std::uint64_t more = charge - std::min(charge, old_charge);
  const std::uint64_t less = old_charge - std::min(charge, old_charge);
  if (auto ok = check_new_logs(wanted, charge); !ok) return ok;
  std::vector<std::pair<Uid, std::unique_ptr<LogStorage>>> storages;
  const auto prepare = [&](Uid uid) -> Result<void> {
    auto storage = make_charged_storage(uid, ring_bytes, more);
    if (!storage) return storage.error();
    storages.emplace_back(uid, std::move(*storage));
    return {};
  };
  Result<void> prepared;
  if (shared_) {
    prepared = prepare(payer());
  } else {
    for (std::size_t i = 0; i < receivers_.size() && prepared; ++i) {
      prepared = prepare(receivers_[i]->credentials_.uid);
    }
  }
  if (!prepared) {
    for (const auto& [uid, storage] : storages) services_.accounts.release_log(uid, more);
    return prepared;
  }
  ++epochs_;
  for (std::size_t i = 0; i < storages.size(); ++i) {
    auto& [uid, storage] = storages[i];
    services_.accounts.release_log(uid, less);
    if (shared_) {
      shared_->begin_epoch(std::move(storage), wanted.pool);
    } else {
      receivers_[i]->own_log_->begin_epoch(std::move(storage), wanted.pool);
    }
  }
  config_.mtu = wanted.mtu;
  config_.pool = wanted.pool;
  config_.log_bytes = wanted.log_bytes;
  for (Node* receiver : receivers_) {
    receiver->blocking_since_ = 0;  // until somebody finds the new log full
    update_own_log_full(*receiver);
  }
  return {};
}

void Network::judge_again(Node& node) {
  const Access access = access_of(node.credentials_);
  if (!access.receive && node.can_receive_) {
    stop_receiving(node, DropReason::kClosed);
    node.shut_receive_ = true;
  }
  if (!access.send && node.can_send_) {
    stop_sending(node, EPIPE);
    node.shut_send_ = true;
  }
  if (node.bound_ && !access.manage) {
    node.bound_ = false;
    if (node.state_ == Node::State::kBound) wake(node);
  }
}

std::optional<Port> Network::first_free() const {
  std::uint32_t port = lowest_free_;
  while (is_taken(Port{port})) ++port;
  if (port >= config_.ports) return std::nullopt;
  return Port{port};
}

}  // namespace ipn
