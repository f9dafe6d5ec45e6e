// SPDX-License-Identifier: MIT
// The way of a message into a network: room, receivers, senders that wait, deadlines.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/network.h"

namespace ipn {
namespace {

SendOutcome sent(std::uint32_t receivers, std::uint64_t seq) {
  SendOutcome outcome;
  outcome.kind = SendOutcome::Kind::kSent;
  outcome.receivers = receivers;
  outcome.seq = seq;
  return outcome;
}

SendOutcome refused(int error) {
  SendOutcome outcome;
  outcome.error = error;
  return outcome;
}

/// The first `bytes` of a message in one piece; uses `buffer` if they lie apart.
std::span<const std::byte> window_of(const ring::Pieces& payload, std::size_t bytes,
                                     std::span<std::byte> buffer) {
  const std::size_t wanted = std::min({bytes, payload.size(), buffer.size()});
  if (payload.first.size() >= wanted) return payload.first.first(wanted);
  const std::size_t head = payload.first.size();
  if (head > 0) std::memcpy(buffer.data(), payload.first.data(), head);
  std::memcpy(buffer.data() + head, payload.second.data(), wanted - head);
  return buffer.first(wanted);
}

ring::Pieces cut(const ring::Pieces& payload, std::size_t bytes) {
  if (payload.size() <= bytes) return payload;
  const std::size_t first = std::min(bytes, payload.first.size());
  return {payload.first.first(first), payload.second.first(bytes - first)};
}

}  // namespace

// Sending ---------------------------------------------------------------------

template <typename F>
void Network::for_each_receiver(const Verdict& verdict, const Node* from, F&& f) {
  const auto visit = [&](Node* node) {
    if (node == nullptr || !node->can_receive_) return;
    if (node == from && !verdict.include_self) return;
    f(*node);
  };
  if (verdict.to.is_all()) {
    for (Node* node : receivers_) visit(node);
  } else {
    verdict.to.for_each([&](Port port) { visit(node_at(port)); });
  }
}

SendOutcome Network::send(Node& from, const Outgoing& message, SendQueue* own_queue,
                          Refusal& refusal) {
  std::array<std::byte, 256> buffer;
  const MessageMeta meta{message.destination, static_cast<std::uint32_t>(message.payload.size()),
                         message.hops};
  const Verdict verdict =
      policy_->decide(*from.port_, window_of(message.payload, policy_->window(), buffer), meta);
  if (verdict.action == Verdict::Action::kRefuse) return refused(verdict.error);
  if (meta.length > config_.mtu && !verdict.truncate) {
    from.count_drop(DropReason::kTooLong);
    return refused(EMSGSIZE);
  }
  SendOutcome outcome = sent(0, 0);
  if (verdict.action == Verdict::Action::kDrop) {
    from.count_drop(verdict.reason);
  } else {
    outcome = deliver(from, message, verdict, own_queue, refusal);
  }
  if (outcome.kind == SendOutcome::Kind::kSent) {
    ++from.counters_.msgs_in;
    from.counters_.bytes_in += meta.length;
    ++msgs_;
    bytes_ += meta.length;
  }
  return outcome;
}

SendOutcome Network::deliver(Node& from, const Outgoing& message, const Verdict& verdict,
                             SendQueue* own_queue, Refusal& refusal) {
  const bool is_plain = verdict.to.is_all() && !verdict.all_or_none && !verdict.skip_full;
  IPN_ASSERT(!policy_->sends_to_all() || is_plain);
  const ring::Pieces payload = cut(message.payload, config_.mtu);
  if (config_.is_lossless() && !has_room(from, verdict, payload.size(), own_queue, refusal)) {
    // A new message waits only if it is parked.
    if (own_queue != nullptr) note_blocked(refusal);
    SendOutcome outcome;
    outcome.kind = SendOutcome::Kind::kWouldBlock;
    return outcome;
  }
  if (verdict.all_or_none && drop_for_all(from, verdict, payload.size())) return sent(0, 0);

  LogEntry entry;
  entry.source = from.id_;
  entry.port = *from.port_;
  entry.hops = message.hops;
  entry.time = services_.clock.realtime;
  entry.loopback = verdict.include_self;
  std::uint64_t seq = 0;
  const std::uint32_t receivers = shared_ ? append_shared(entry, payload, &from, seq)
                                          : append_own(entry, payload, &from, verdict);
  return sent(receivers, seq);
}

bool Network::has_room(Node& from, const Verdict& verdict, std::uint64_t bytes,
                       SendQueue* own_queue, Refusal& refusal) {
  const bool one_queue = policy_->sends_to_all();
  const bool nobody = readers() == 0 || (!verdict.include_self && receivers_besides(from) == 0);
  if (nobody || verdict.skip_full) return true;
  if (one_queue && own_queue == nullptr && !queue_.empty()) {
    refusal = {&queue_, nullptr};
    return false;
  }
  if (shared_) {
    if (shared_->fits(bytes)) return true;
    refusal = {&queue_, nullptr};
    return false;
  }
  bool room = true;
  for_each_receiver(verdict, &from, [&](Node& receiver) {
    if (!room) return;
    SendQueue& queue = one_queue ? queue_ : receiver.queue_;
    const bool others_wait = !one_queue && &queue != own_queue && !queue.empty();
    if (others_wait || !receiver.own_log_->fits(bytes)) {
      refusal = {&queue, &receiver};
      room = false;
    }
  });
  return room;
}

/// all_or_none: if one receiver has no room, all of them lose the message, and
/// the one in the way is charged for it.
bool Network::drop_for_all(Node& from, const Verdict& verdict, std::uint64_t bytes) {
  Node* full = nullptr;
  std::uint64_t addressed = 0;
  for_each_receiver(verdict, &from, [&](Node& receiver) {
    ++addressed;
    if (!receiver.own_log_->fits(bytes)) full = &receiver;
  });
  if (full == nullptr) return false;
  full->count_drop(DropReason::kLogFull, addressed);
  for_each_receiver(verdict, &from, [](Node& receiver) { ++receiver.lost_in_own_log_; });
  return true;
}

std::uint32_t Network::append_shared(const LogEntry& entry, const ring::Pieces& payload,
                                     Node* source, std::uint64_t& seq) {
  const bool to_source = source != nullptr && source->can_receive_ && entry.loopback;
  const std::uint32_t receivers =
      source == nullptr ? readers() : receivers_besides(*source) + (to_source ? 1 : 0);
  if (receivers == 0) {
    count_no_receiver(source);
    return 0;
  }
  seq = shared_->append(entry, payload, source);
  want_readable_.for_each([&](Node& node) {
    if (&node != source || to_source) wake(node);
  });
  return receivers;
}

std::uint32_t Network::append_own(const LogEntry& entry, const ring::Pieces& payload, Node* source,
                                  const Verdict& verdict) {
  std::uint32_t receivers = 0;
  bool addressed = false;
  for_each_receiver(verdict, source, [&](Node& receiver) {
    addressed = true;
    // Who is skipped when full is skipped, too, where others wait already.
    const bool others_wait = verdict.skip_full && !receiver.queue_.empty();
    if (others_wait || !receiver.own_log_->fits(payload.size())) {
      receiver.count_drop(DropReason::kLogFull);
      ++receiver.lost_in_own_log_;
      return;
    }
    LogEntry own = entry;
    own.lost = static_cast<std::uint32_t>(std::exchange(receiver.lost_in_own_log_, 0));
    receiver.own_log_->append(own, payload);
    update_own_log_full(receiver);
    ++receivers;
    if (receiver.ListHook<Node, WaitingReadTag>::is_linked()) wake(receiver);
  });
  if (!addressed) count_no_receiver(source);
  return receivers;
}

/// What the policy emits has no sender: it counts at the network.
void Network::count_no_receiver(Node* source) {
  if (source != nullptr) {
    source->count_drop(DropReason::kNoReceiver);
  } else {
    drops_.add(DropReason::kNoReceiver);
  }
}

void Network::emit(const Destinations& to, std::span<const std::byte> payload) {
  IPN_ASSERT(!policy_->sends_to_all() || to.is_all());
  // A network that ends only drains.
  if (ending_) return drops_.add(DropReason::kClosed);
  if (payload.size() > config_.mtu) return drops_.add(DropReason::kTooLong);
  const Verdict verdict = Verdict::deliver(to);
  const ring::Pieces pieces{payload, {}};
  LogEntry entry;
  entry.time = services_.clock.realtime;
  if (!shared_) {
    append_own(entry, pieces, nullptr, verdict);
    return;
  }
  if (config_.is_lossless() && !shared_->fits(pieces.size())) {
    drops_.add(DropReason::kLogFull, shared_->readers());
    return;
  }
  std::uint64_t seq = 0;
  append_shared(entry, pieces, nullptr, seq);
}

// Senders that wait -----------------------------------------------------------

template <typename F>
void Network::for_each_queue(F&& f) {
  f(queue_);
  if (policy_->sends_to_all()) return;
  for (Node* receiver : receivers_) f(receiver->queue_);
}

void Network::park(Node& from, ParkedSend& send, const Refusal& refusal) {
  send.from_ = &from;
  send.outcome_.kind = SendOutcome::Kind::kWouldBlock;
  refusal.queue->push_back(send);
  ++from.parked_sends_;
  from.parked_bytes_ += send.charge();
  services_.accounts.add_parked(from.credentials_.uid, send.charge());
  ++blocked_senders_;
  note_blocked(refusal);
}

/// Takes the message out of its queue; dispatch() tells its sink.
void Network::finish(ParkedSend& send, const SendOutcome& outcome) {
  Node& from = *send.from_;
  send.outcome_ = outcome;
  --from.parked_sends_;
  from.parked_bytes_ -= send.charge();
  services_.accounts.release_parked(from.credentials_.uid, send.charge());
  --blocked_senders_;
  services_.done.push_back(send);
}

void Network::fail_parked(int error, const Node* only_from) {
  for_each_queue([&](SendQueue& queue) {
    queue.for_each([&](ParkedSend& send) {
      if (only_from == nullptr || send.from_ == only_from) finish(send, refused(error));
    });
  });
  made_room();
}

void Network::retry_parked() {
  if (!ending_) {
    for_each_queue([this](SendQueue& queue) { retry_queue(queue); });
  }
  wake_writers();
}

void Network::retry_queue(SendQueue& queue) {
  while (!queue.empty()) {
    ParkedSend& send = queue.front();
    Refusal refusal;
    const SendOutcome outcome = this->send(*send.from_, send.message, &queue, refusal);
    if (outcome.kind != SendOutcome::Kind::kWouldBlock) {
      finish(send, outcome);
    } else if (refusal.queue == &queue) {
      return;
    } else {
      refusal.queue->push_back(send);
    }
  }
}

void Network::wake_writers() {
  want_writable_.for_each([this](Node& node) {
    if (ending_ || is_writable(node)) wake(node);
  });
  // Who is in the way of those that wait on has not gone out of it by reading a little.
  // Two of them see all receivers, as only the own log is in nobody's own way.
  int noted = 0;
  want_writable_.for_each([&](Node& node) {
    if (noted < 2 && note_waiting_writer(node)) ++noted;
  });
}

void Network::note_blocked(const Refusal& refusal) {
  const TimeNs now = services_.clock.monotonic;
  if (shared_) {
    shared_->mark_blockers(now);
  } else if (refusal.receiver != nullptr && refusal.receiver->blocking_since_ == 0) {
    refusal.receiver->blocking_since_ = now;
  }
  if (config_.deadline_ms != 0) watch_deadline(now + config_.deadline_ms * kMillisecond);
}

/// A node that waits until it can write is held up like one whose send waits.
bool Network::note_waiting_writer(const Node& writer) {
  if (ending_ || !writer.can_send_ || is_writable(writer)) return false;
  const TimeNs now = services_.clock.monotonic;
  if (shared_) {
    if (!shared_->fits(config_.mtu)) shared_->mark_blockers(now);
  } else {
    for (Node* receiver : receivers_) {
      const bool in_the_way = receiver != &writer && receiver->own_log_full_;
      if (in_the_way && receiver->blocking_since_ == 0) receiver->blocking_since_ = now;
    }
  }
  if (config_.deadline_ms != 0) watch_deadline(now + config_.deadline_ms * kMillisecond);
  return true;
}

/// Looks who is overdue at `due`, which may be too early but not too late.
void Network::watch_deadline(TimeNs due) {
  if (!ListHook<Network, NetworkTimedTag>::is_linked()) services_.timed.push_back(*this);
  services_.next_check = std::min(services_.next_check, due);
}

bool Network::somebody_waits() {
  bool waits = blocked_senders_ > 0;
  want_writable_.for_each([&](const Node& node) {
    waits = waits || (!ending_ && node.can_send_ && !is_writable(node));
  });
  return waits;
}

void Network::forget_marks() {
  for (Node* receiver : receivers_) receiver->blocking_since_ = 0;
  if (shared_) shared_->forget_marks();
}

/// Nobody is in the way of senders that are gone or have given up.
void Network::forget_blockers() {
  if (!somebody_waits()) return forget_marks();
  if (writers_ > 1) return;
  for (Node* receiver : receivers_) {
    if (writers_ == (receiver->can_send_ ? 1 : 0)) receiver->blocking_since_ = 0;
  }
  if (shared_) shared_->forget_marks();
}

void Network::run_policy_timer(TimeNs now) {
  if (next_policy_timer_ == 0 || now < next_policy_timer_) return;
  policy_->timer(now);
  next_policy_timer_ = now + policy_->timer_period();
}

Node* Network::find_overdue(TimeNs now) {
  if (config_.deadline_ms == 0) return nullptr;
  if (!somebody_waits()) forget_marks();
  for (Node* node : receivers_) {
    const TimeNs since = node->blocking_since_;
    if (since != 0 && now - since >= config_.deadline_ms * kMillisecond) return node;
  }
  return nullptr;
}

std::optional<TimeNs> Network::next_time() const {
  std::optional<TimeNs> next;
  if (next_policy_timer_ != 0) next = next_policy_timer_;
  if (config_.deadline_ms == 0) return next;
  for (const Node* node : receivers_) {
    if (node->blocking_since_ == 0) continue;
    const TimeNs due = node->blocking_since_ + config_.deadline_ms * kMillisecond;
    next = std::min(next.value_or(due), due);
  }
  return next;
}

}  // namespace ipn
