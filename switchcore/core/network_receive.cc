// SPDX-License-Identifier: MIT
// The way of a message out of a network: queues, readiness, who is told of what.
#include <algorithm>

#include "switchcore/core/network.h"

namespace ipn {

// Receiving -------------------------------------------------------------------

std::uint64_t Network::queue_of(Node& node) {
  if (shared_) return shared_->queue_of(node);
  const std::uint64_t queue = node.own_log_->head_seq() - node.cursor_;
  node.queue_max_ = std::max(node.queue_max_, queue);
  return queue;
}

bool Network::is_readable(Node& node) {
  if (!node.can_receive_) return false;
  return shared_ ? shared_->is_readable(node) : node.cursor_ < node.own_log_->head_seq();
}

bool Network::is_writable(const Node& node) const {
  if (!config_.is_lossless()) return true;
  if (receivers_besides(node) == 0) return true;
  if (blocked_senders_ > 0) return false;
  if (shared_) return shared_->fits(config_.mtu);
  return own_logs_full_ - (node.own_log_full_ ? 1 : 0) == 0;
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
  if (shared_) {
    outcome.message = shared_->peek(node);
  } else {
    const LogEntry& entry = node.own_log_->entry(node.cursor_);
    outcome.message = {node.own_log_->payload(node.cursor_),
                       node.cursor_,
                       entry.lost,
                       entry.source,
                       entry.port,
                       entry.hops,
                       entry.time};
  }
  return outcome;
}

void Network::consume(Node& node) {
  bool room = true;
  if (shared_) {
    room = shared_->consume(node);
    node.lost_ = 0;
  } else {
    queue_of(node);  // it only shrinks from here: the moment to note its length
    node.own_log_->release_to(++node.cursor_);
    node.blocking_since_ = 0;
    update_own_log_full(node);
  }
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
  const bool full = !node.own_log_->fits(config_.mtu);
  if (full && !node.own_log_full_) ++own_logs_full_;
  if (!full && node.own_log_full_) --own_logs_full_;
  node.own_log_full_ = full;
}

}  // namespace ipn
