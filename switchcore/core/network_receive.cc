// SPDX-License-Identifier: MIT
// The way of a message out of a network: queues, readiness, who is told of what.
#include <algorithm>

#include "switchcore/core/network.h"

namespace ipn {

// Receiving -------------------------------------------------------------------

std::uint64_t Network::queue_of(Node& node) {
  return node.own_log_ ? node.own_log_->queue() : shared_->queue_of(node);
}

bool Network::is_readable(Node& node) {
  if (!node.can_receive_) return false;
  return node.own_log_ ? node.own_log_->is_readable() : shared_->is_readable(node);
}

bool Network::is_writable(const Node& node) {
  if (!lossless_) return true;
  if (receivers_besides(node) == 0) return true;
  if (blocked_senders_ > 0) return false;
  if (shared_receivers(&node, false) > 0 && !shared_->fits(config_.mtu)) return false;
  const auto are_full = [&] { return own_logs_full_ - (node.own_log_full_ ? 1 : 0) > 0; };
  if (are_full() && memory_readers_ > 0 && take_claims()) made_room();  // also for others
  return !are_full();
}

Readiness Network::readiness(Node& node) {
  Readiness ready;
  ready.hangup = ending_;
  ready.readable = is_readable(node) || ending_ || node.shut_receive_;
  ready.writable = !ending_ && ((node.can_send_ && is_writable(node)) || node.shut_send_);
  return ready;
}

RecvOutcome Network::peek(Node& node) {
  RecvOutcome outcome;
  if (!is_readable(node)) {
    const bool open = node.can_receive_ && !ending_;
    outcome.kind = open ? RecvOutcome::Kind::kWouldBlock : RecvOutcome::Kind::kEnd;
    return outcome;
  }
  outcome.kind = RecvOutcome::Kind::kMessage;
  outcome.message = node.own_log_ ? node.own_log_->peek() : shared_->peek(node);
  return outcome;
}

void Network::consume(Node& node) {
  bool room = true;
  if (node.own_log_) {
    node.own_log_->consume();
    update_own_log_full(node);
  } else {
    room = shared_->consume(node);
  }
  node.lost_ = 0;
  if (room) made_room();
}

void Network::want(Node& node, unsigned interest) {
  if ((interest & kWantReadable) != 0) want_readable_.push_back(node);
  if ((interest & kWantWritable) != 0) {
    want_writable_.push_back(node);
    note_waiting_writer(node);
  }
  if ((interest & kWantMembership) != 0) want_membership_.push_back(node);
}

void Network::wake(Node& node) {
  node.forget_wants();
  if (!node.ListHook<Node, ReadyTag>::is_linked()) services_.ready.push_back(node);
}

void Network::wake_members() {
  members_.for_each([this](Node& node) { wake(node); });
}

void Network::made_room() {
  if (blocked_senders_ == 0 && want_writable_.empty()) return;
  if (!ListHook<Network, NetworkWorkTag>::is_linked()) services_.work.push_back(*this);
}

void Network::update_own_log_full(Node& node) {
  if (!node.own_log_) return;
  const bool full = is_gate(node) && !node.own_log_->fits(config_.mtu);
  if (full && !node.own_log_full_) ++own_logs_full_;
  if (!full && node.own_log_full_) --own_logs_full_;
  node.own_log_full_ = full;
}

}  // namespace ipn
