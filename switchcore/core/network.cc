// SPDX-License-Identifier: MIT
// The life of a network: who is in it, its settings, its logs.
#include "switchcore/core/network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn {
Network::Network(NetworkId id, NetworkConfig config, bool exempt, const PolicyType& type,
                 NetworkServices services)
    : id_(id),
      config_(std::move(config)),
      exempt_(exempt),
      policy_name_(type.name),
      policy_(type.make()),
      lossless_(config_.is_lossless()),
      sends_to_all_(policy_->sends_to_all()),
      window_(policy_->window()),
      services_(services) {}

Network::~Network() {
  IPN_ASSERT(members_.empty());
  if (made_) policy_->network_ended();
  if (shared_) services_.accounts.release_log(payer(), log_charge());
}

// Life ------------------------------------------------------------------------

Result<void> Network::start() {
  const bool own_logs = !sends_to_all_ || (config_.flags & IPN_NET_CONFIDENTIAL) != 0;
  if (own_logs) {
    if (auto ok = services_.accounts.check_log(payer(), log_charge()); !ok) return ok;
  } else {
    auto storage = make_charged_storage(payer(), log_bytes(), log_charge());
    if (!storage) return storage.error();
    shared_ = std::make_unique<SharedLog>(std::move(*storage), config_.pool, lossless_, ports_,
                                          services_.faulty);
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
  if (roles.receive && (has_own_logs() || node.overflow_ != IPN_OVERFLOW_NETWORK)) {
    if (auto ok = make_own_log(node); !ok) return ok;
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
    if (!node.own_log_) shared_->join(node);
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
  detach_receive(node, false);
  const std::uint64_t queued = queue_of(node);
  if (node.own_log_) {
    drop_own_log(node);
  } else {
    shared_->leave(node);
  }
  node.can_receive_ = false;
  node.count_drop(unread, queued);
  receivers_[node.receiver_index_] = receivers_.back();
  receivers_[node.receiver_index_]->receiver_index_ = node.receiver_index_;
  receivers_.pop_back();
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
  if (node.attachment_ != nullptr) node.attachment_->on_send_stopped(error);
  if (node.parked_sends_ > 0) fail_parked(error, &node);
  wake(node);
  forget_blockers();
}

void Network::end() {
  ending_ = true;
  fail_parked(ECONNRESET, nullptr);
  for (Node* receiver : receivers_) receiver->blocking_since_ = 0;
  // Programs that read memory see all that is there before they see the end.
  publish();
  members_.for_each([](Node& node) {
    if (node.attachment_ == nullptr) return;
    if (node.own_log_ && node.reads_memory_) node.own_log_->publish();
    node.attachment_->on_send_stopped(ECONNRESET);
    node.attachment_->on_last_message();
  });
  wake_members();
}

Result<void> Network::change(const NetworkChange& change, std::uint64_t generation) {
  NetworkConfig wanted = config_;
  change.apply_to(wanted);
  if (auto ok = check_change(wanted); !ok) return ok;
  const bool judge =
      wanted.mode != config_.mode || wanted.owner != config_.owner || wanted.group != config_.group;
  const bool resize = wanted.mtu != config_.mtu || wanted.pool != config_.pool ||
                      wanted.log_bytes != config_.log_bytes;
  NewLogs logs;
  // Who may read from now on must not find what was sent before that, nor who may not
  // any more what is sent after it.
  const bool renew = judge && shared_ && (was_mapped() || shared_->log().has_begun());
  if (resize || renew) {
    auto prepared = prepare_logs(wanted, resize);
    if (!prepared) {
      if (wanted.ports != config_.ports) (void)policy_->network_resized(config_.ports);
      return prepared.error();
    }
    logs = std::move(*prepared);
  }
  const Uid old_payer = payer();
  config_ = std::move(wanted);
  generation_ = generation;
  // Who may not read any more is gone before there is memory for those who may.
  if (judge) members_.for_each([this](Node& node) { judge_again(node); });
  install_logs(std::move(logs));
  if (!exempt_) {
    services_.accounts.move_network(old_payer, payer(), shared_ ? log_charge() : 0);
  }
  members_.for_each([this](Node& node) {
    if (node.attachment_ != nullptr) node.attachment_->on_mtu(config_.mtu);
  });
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
