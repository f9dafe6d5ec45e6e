// SPDX-License-Identifier: MIT
#include "switchcore/core/send_run.h"

#include <utility>

namespace ipn {

SendRun::SendRun(Switch& core, Node& node)
    : core_(core), node_(node), network_(node.network_), short_way_(has_short_way()) {
  if (!short_way_) return;
  log_ = &*network_->shared_;
  receivers_ = network_->shared_receivers(&node_, false);
  LogEntry entry;
  entry.source = node_.id_;
  entry.port = *node_.port_;
  entry.time = time_ = network_->services_.clock.realtime;
  head_ = Log::head_of(entry);
  Policy& policy = *network_->policy_;
  if (policy.decides_by_destination() && is_plain(policy.decide(*node_.port_, {}, {}))) {
    plain_below_ = std::size_t{network_->config_.mtu} + 1;
  }
}

bool SendRun::has_short_way() const {
  return node_.state_ == Node::State::kConnected && node_.can_send_ && !network_->ending_ &&
         network_->shared_ != nullptr && network_->own_receivers_.empty() &&
         network_->window_ == 0 && network_->shared_receivers(&node_, false) > 0;
}

/// After what was known to be free is used up.
bool SendRun::has_room(std::uint64_t bytes) {
  if (network_->lossless_ && (!network_->queue_.empty() || !log_->fits(bytes))) return false;
  if (!network_->lossless_) log_->make_room(bytes);
  room_ = log_->log().room();
  // A message that needs padding uses up what this does not know of.
  if (!room_.takes(bytes)) room_ = {};
  return true;
}

void SendRun::send(const Outgoing& message, SendOutcome& outcome) {
  if (!short_way_) {
    outcome = core_.send(node_, message);
    return;
  }
  const std::span<const std::byte> payload = message.payload.first;
  const MessageMeta meta{message.destination, static_cast<std::uint32_t>(payload.size()),
                         message.hops};
  const Verdict verdict = network_->policy_->decide(*node_.port_, {}, meta);
  const bool plain = is_plain(verdict) && meta.length <= network_->config_.mtu && message.hops == 0;
  if (plain && (room_.takes(payload.size()) || has_room(payload.size()))) {
    outcome.kind = SendOutcome::Kind::kSent;
    outcome.receivers = receivers_;
    outcome.seq = put(payload);
    return;
  }
  room_ = {};  // it may find room by itself, and use it up
  core_.refused_node_ = nullptr;
  network_->carry_out(node_, meta, message.payload, verdict, nullptr, core_.refusal_, outcome);
  if (outcome.kind == SendOutcome::Kind::kWouldBlock) core_.refused_node_ = &node_;
}

void SendRun::finish() {
  if (msgs_ == 0) return;
  node_.counters_.msgs_in += msgs_;
  node_.counters_.bytes_in += bytes_;
  network_->msgs_ += msgs_;
  network_->bytes_ += bytes_;
  msgs_ = bytes_ = 0;
  network_->tell_shared_readers(&node_, false);
}

}  // namespace ipn
