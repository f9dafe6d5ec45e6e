// SPDX-License-Identifier: MIT
// The way of a message into a network: room, receivers, senders that wait, deadlines.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "libipn/ring/shared_copy.h"
#include "switchcore/base/assert.h"
#include "switchcore/core/network.h"

namespace ipn {
namespace {

// A message costs some tens of nanoseconds on its way through this file. What is
// handed on by value there is built from small stores and read by large loads,
// each of which costs as much as a whole step: so results go into objects of the
// caller, and messages on by reference.

SendOutcome refused(int error) {
  SendOutcome outcome;
  outcome.error = error;
  return outcome;
}

/// What a policy may see of a message: its first bytes in one piece, which cannot
/// change any more.
class Window {
 public:
  Window(const Outgoing& message, std::size_t bytes) : payload_(&message.payload) {
    const ring::Pieces& all = message.payload;
    const std::size_t wanted = std::min({bytes, all.size(), buffer_.size()});
    if (!message.is_volatile && all.first.size() >= wanted) {
      bytes_ = all.first.first(wanted);
      return;
    }
    const std::size_t head = std::min(all.first.size(), wanted);
    ring::copy_from_shared(buffer_.data(), all.first.data(), head);
    ring::copy_from_shared(buffer_.data() + head, all.second.data(), wanted - head);
    bytes_ = std::span(buffer_).first(wanted);
    if (!message.is_volatile) return;
    IPN_ASSERT(all.second.empty());
    copied_ = {bytes_, all.first.subspan(wanted)};
    payload_ = &copied_;
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// The whole message; what the policy saw is delivered as it saw it.
  const ring::Pieces& payload() const { return *payload_; }

 private:
  const ring::Pieces* payload_;
  std::span<const std::byte> bytes_;
  ring::Pieces copied_;
  std::array<std::byte, 256> buffer_;
};

ring::Pieces cut(const ring::Pieces& payload, std::size_t bytes) {
  if (payload.size() <= bytes) return payload;
  const std::size_t first = std::min(bytes, payload.first.size());
  return {payload.first.first(first), payload.second.first(bytes - first)};
}

}  // namespace

// Sending ---------------------------------------------------------------------

template <typename F>
void Network::for_each_own_receiver(const Verdict& verdict, const Node* from, F&& f) {
  const auto visit = [&](Node* node) {
    if (node == nullptr || !node->own_log_) return;
    if (node == from && !verdict.include_self) return;
    f(*node);
  };
  if (verdict.to.is_all()) {
    for (Node* node : own_receivers_) visit(node);
  } else {
    verdict.to.for_each([&](Port port) { visit(node_at(port)); });
  }
}

void Network::send(Node& from, const Outgoing& message, SendQueue* own_queue, Refusal& refusal,
                   SendOutcome& outcome) {
  const MessageMeta meta{message.destination, static_cast<std::uint32_t>(message.payload.size()),
                         message.hops};
  if (window_ == 0) {
    const Verdict verdict = policy_->decide(*from.port_, {}, meta);
    return carry_out(from, meta, message.payload, verdict, own_queue, refusal, outcome);
  }
  const Window window(message, window_);
  const Verdict verdict = policy_->decide(*from.port_, window.bytes(), meta);
  carry_out(from, meta, window.payload(), verdict, own_queue, refusal, outcome);
}

void Network::carry_out(Node& from, const MessageMeta& meta, const ring::Pieces& payload,
                        const Verdict& verdict, SendQueue* own_queue, Refusal& refusal,
                        SendOutcome& outcome) {
  if (verdict.action == Verdict::Action::kRefuse) {
    outcome.error = verdict.error;
    return;
  }
  if (meta.length > config_.mtu && !verdict.truncate) {
    from.count_drop(DropReason::kTooLong);
    outcome.error = EMSGSIZE;
    return;
  }
  outcome.kind = SendOutcome::Kind::kSent;
  if (verdict.action == Verdict::Action::kDrop) {
    from.count_drop(verdict.reason);
  } else if (meta.length <= config_.mtu) {
    deliver(from, meta, payload, verdict, own_queue, refusal, outcome);
  } else {
    deliver(from, meta, cut(payload, config_.mtu), verdict, own_queue, refusal, outcome);
  }
  if (outcome.kind == SendOutcome::Kind::kSent) {
    ++from.counters_.msgs_in;
    from.counters_.bytes_in += meta.length;
    ++msgs_;
    bytes_ += meta.length;
  }
}

void Network::deliver(Node& from, const MessageMeta& meta, const ring::Pieces& payload,
                      const Verdict& verdict, SendQueue* own_queue, Refusal& refusal,
                      SendOutcome& outcome) {
  const bool is_plain = verdict.to.is_all() && !verdict.all_or_none && !verdict.skip_full;
  IPN_ASSERT(!sends_to_all_ || is_plain);
  if (lossless_ && !has_room(from, verdict, payload.size(), own_queue, refusal)) {
    // A new message waits only if it is parked.
    if (own_queue != nullptr) note_blocked(refusal);
    outcome.kind = SendOutcome::Kind::kWouldBlock;
    return;
  }
  if (verdict.all_or_none && drop_for_all(from, verdict, payload.size())) return;

  LogEntry entry;
  entry.source = from.id_;
  entry.port = *from.port_;
  entry.hops = meta.hops;
  entry.time = services_.clock.realtime;
  entry.loopback = verdict.include_self;
  outcome.receivers = append(entry, payload, &from, verdict, outcome.seq);
}

std::uint32_t Network::shared_receivers(const Node* source, bool include_self) const {
  if (!shared_) return 0;
  const auto readers = static_cast<std::uint32_t>(shared_->readers());
  const bool reads = source != nullptr && source->can_receive_ && !source->own_log_;
  return readers - (reads && !include_self ? 1 : 0);
}

bool Network::has_room(Node& from, const Verdict& verdict, std::uint64_t bytes,
                       SendQueue* own_queue, Refusal& refusal) {
  const bool one_queue = sends_to_all_;
  const bool nobody = readers() == 0 || (!verdict.include_self && receivers_besides(from) == 0);
  if (nobody || verdict.skip_full) return true;
  if (one_queue && own_queue == nullptr && !queue_.empty()) {
    refusal = {&queue_, nullptr};
    return false;
  }
  if (shared_receivers(&from, verdict.include_self) > 0 && !shared_->fits(bytes)) {
    refusal = {&queue_, nullptr};
    return false;
  }
  if (own_receivers_.empty()) return true;
  bool room = true;
  for_each_own_receiver(verdict, &from, [&](Node& receiver) {
    if (!room || !is_gate(receiver)) return;
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
  for_each_own_receiver(verdict, &from, [&](Node& receiver) {
    ++addressed;
    if (!receiver.own_log_->keeps_latest() && !receiver.own_log_->fits(bytes)) full = &receiver;
  });
  if (full == nullptr) return false;
  full->count_drop(DropReason::kLogFull, addressed);
  for_each_own_receiver(verdict, &from, [](Node& receiver) { receiver.own_log_->lose(); });
  return true;
}

/// One copy into the shared log, if anybody reads there, and one into each own log.
std::uint32_t Network::append(const LogEntry& entry, const ring::Pieces& payload, Node* source,
                              const Verdict& verdict, std::uint64_t& seq) {
  std::uint32_t receivers = shared_receivers(source, entry.loopback);
  bool addressed = receivers > 0;
  if (receivers > 0) {
    seq = shared_->append(entry, payload, source);
    tell_shared_readers(source, entry.loopback);
  }
  if (!own_receivers_.empty()) {
    // All get the same bytes, also if the sender changes them meanwhile.
    ring::Pieces bytes = receivers > 0 ? ring::Pieces{shared_->payload(seq), {}} : payload;
    for_each_own_receiver(verdict, source, [&](Node& receiver) {
      addressed = true;
      if (!append_own(receiver, entry, bytes, verdict.skip_full)) return;
      ++receivers;
      const OwnLog& log = *receiver.own_log_;
      bytes = {log.payload(log.log().head_seq() - 1), {}};
    });
  }
  if (!addressed) count_no_receiver(source);
  return receivers;
}

/// Something was appended to the shared log.
void Network::tell_shared_readers(const Node* source, bool include_self) {
  if (shared_->has_memory_readers() && !ListHook<Network, NetworkUnpublishedTag>::is_linked()) {
    services_.unpublished.push_back(*this);
  }
  want_readable_.for_each([&](Node& node) {
    if (!node.own_log_ && (&node != source || include_self)) wake(node);
  });
}

bool Network::append_own(Node& receiver, const LogEntry& entry, const ring::Pieces& payload,
                         bool skip_full) {
  OwnLog& log = *receiver.own_log_;
  // Who is skipped when full is skipped, too, where others wait already.
  const bool others_wait = skip_full && !receiver.queue_.empty();
  if (!log.keeps_latest() && (others_wait || !log.fits(payload.size()))) {
    receiver.count_drop(DropReason::kLogFull);
    log.lose();
    return false;
  }
  log.append(entry, payload);
  update_own_log_full(receiver);
  if (receiver.ListHook<Node, WaitingReadTag>::is_linked()) wake(receiver);
  if (receiver.reads_memory_ && !receiver.ListHook<Node, UnpublishedTag>::is_linked()) {
    services_.unpublished_own.push_back(receiver);
  }
  return true;
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
  IPN_ASSERT(!sends_to_all_ || to.is_all());
  // A network that ends only drains.
  if (ending_) return drops_.add(DropReason::kClosed);
  if (payload.size() > config_.mtu) return drops_.add(DropReason::kTooLong);
  const ring::Pieces pieces{payload, {}};
  LogEntry entry;
  entry.time = services_.clock.realtime;
  if (lossless_ && shared_receivers(nullptr, false) > 0 && !shared_->fits(pieces.size())) {
    drops_.add(DropReason::kLogFull, shared_->readers());
    return;
  }
  std::uint64_t seq = 0;
  append(entry, pieces, nullptr, Verdict::deliver(to), seq);
}

// Senders that wait -----------------------------------------------------------

template <typename F>
void Network::for_each_queue(F&& f) {
  f(queue_);
  if (sends_to_all_) return;
  for (Node* receiver : own_receivers_) f(receiver->queue_);
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
  watch_gates();
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
    SendOutcome outcome;
    this->send(*send.from_, send.message, &queue, refusal, outcome);
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
  if (refusal.receiver != nullptr) {
    if (refusal.receiver->blocking_since_ == 0) refusal.receiver->blocking_since_ = now;
  } else if (shared_ && (own_receivers_.empty() || !shared_->fits(config_.mtu))) {
    shared_->mark_blockers(now);
  }
  if (config_.deadline_ms != 0) watch_deadline(now + config_.deadline_ms * kMillisecond);
}

/// A node that waits until it can write is held up like one whose send waits.
bool Network::note_waiting_writer(const Node& writer) {
  if (ending_ || !writer.can_send_ || is_writable(writer)) return false;
  const TimeNs now = services_.clock.monotonic;
  if (shared_ && !shared_->fits(config_.mtu)) shared_->mark_blockers(now);
  for (Node* receiver : own_receivers_) {
    const bool in_the_way = receiver != &writer && receiver->own_log_full_;
    if (in_the_way && receiver->blocking_since_ == 0) receiver->blocking_since_ = now;
  }
  watch_gates();
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
  want_writable_.for_each(
      [&](Node& node) { waits = waits || (!ending_ && node.can_send_ && !is_writable(node)); });
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
  if (memory_readers_ > 0 && take_claims()) made_room();
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
