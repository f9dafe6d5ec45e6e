// SPDX-License-Identifier: MIT
#include "switchcore/core/switch.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/switch_errors.h"

namespace ipn {

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
  node.network_->send(node, message, nullptr, refusal_, outcome);
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
  // Who reads by a call reads no more by itself.
  if (node.reads_memory_) node.network_->detach_receive(node, true);
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
    } else if (!faulty_.empty()) {
      cut_off(faulty_.pop_front(), "its cursor makes no sense");
    } else if (!done_.empty()) {
      ParkedSend& send = done_.pop_front();
      send.on_done(send.outcome_);
    } else if (!ready_.empty()) {
      Node& node = ready_.pop_front();
      node.forget_wants();  // also what was wanted since it was woken
      node.sink_.on_ready(node);
    } else if (!publish()) {
      return;
    }
  }
}

/// Shows what was appended to those who read memory. False: there was nothing.
bool Switch::publish() {
  if (unpublished_.empty() && unpublished_own_.empty()) return false;
  unpublished_.for_each([](Network& network) { network.publish(); });
  unpublished_own_.for_each([](Node& node) { node.own_log_->publish(); });
  // A reader stores its wish, then looks at the head; here it is the other way round.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  while (!unpublished_.empty()) unpublished_.pop_front().tell_readers();
  while (!unpublished_own_.empty()) {
    Node& node = unpublished_own_.pop_front();
    if (node.reads_memory_) node.own_log_->tell_reader();
  }
  return true;
}

// Nodes whose messages travel through memory ------------------------------------

Result<LogPlace> Switch::attach(Node& node, Attachment& attachment, std::uint64_t area_bytes) {
  if (node.state_ == Node::State::kEnded) return network_gone();
  if (node.state_ != Node::State::kConnected || node.network_->ending_) {
    return Error{ENOTCONN, "this open file: not connected to a network (IPN_IOC_CONNECT first)"};
  }
  if (node.attachment_ != nullptr) {
    return Error{EISCONN, "this open file: attached already (IPN_IOC_DETACH first)"};
  }
  const Uid uid = node.credentials_.uid;
  if (auto ok = accounts_.charge_log(uid, area_bytes); !ok) return ok.error();
  LogPlace place;
  node.attachment_ = &attachment;
  if (node.can_receive_) {
    auto attached = node.network_->attach_receive(node);
    if (!attached) {
      node.attachment_ = nullptr;
      accounts_.release_log(uid, area_bytes);
      return attached.error();
    }
    place = *attached;
  }
  node.area_bytes_ = area_bytes;
  ++attached_;
  return place;
}

void Switch::detach(Node& node) {
  if (node.attachment_ == nullptr) return;
  if (node.reads_memory_) node.network_->detach_receive(node, true);
  node.attachment_ = nullptr;
  accounts_.release_log(node.credentials_.uid, node.area_bytes_);
  node.area_bytes_ = 0;
  --attached_;
}

void Switch::cut_off(Node& node, std::string_view reason) {
  if (node.network_ == nullptr) return;
  ++cut_off_;
  observer_.on_cut_off(*node.network_, node, reason);
  disconnect(node, DropReason::kEvicted);
}

bool Switch::look_for_room() {
  gated_.for_each([](Network& network) { network.look_for_room(); });
  return !work_.empty();
}

bool Switch::arm_gates() {
  if (gated_.empty()) return false;
  gated_.for_each([](Network& network) { network.arm_gates(); });
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return look_for_room();
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
