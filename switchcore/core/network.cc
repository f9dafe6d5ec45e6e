// SPDX-License-Identifier: MIT
#include "switchcore/core/network.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn {
namespace {

/// Epochs of a log that may end within a second.
constexpr int kEpochsPerSecond = 10;

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

Network::Network(NetworkId id, NetworkConfig config, Uid payer, const PolicyType& type,
                 NetworkServices services)
    : id_(id),
      config_(std::move(config)),
      payer_(payer),
      policy_name_(type.name),
      policy_(type.make()),
      services_(services) {}

Network::~Network() {
  IPN_ASSERT(members_.empty());
  if (made_) policy_->network_ended();
  if (shared_) services_.accounts.release_log(payer_, log_bytes());
}

// Life ------------------------------------------------------------------------

Result<void> Network::start() {
  const bool own_logs = !policy_->sends_to_all() || (config_.flags & IPN_NET_CONFIDENTIAL) != 0;
  if (!own_logs) {
    auto storage = make_charged_storage(payer_, log_bytes());
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

Result<std::unique_ptr<LogStorage>> Network::make_charged_storage(Uid uid,
                                                                  std::uint64_t ring_bytes) {
  if (auto ok = services_.accounts.charge_log(uid, ring_bytes); !ok) return ok.error();
  auto storage = services_.make_storage(Log::storage_bytes(ring_bytes));
  if (!storage) services_.accounts.release_log(uid, ring_bytes);
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
    auto storage = make_charged_storage(node.credentials_.uid, log_bytes());
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
    services_.accounts.release_log(node.credentials_.uid, log_bytes());
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
  forget_blockers();
  wake(node);
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
  if (payer_ == config_.owner) {
    services_.accounts.move_network(payer_, wanted.owner, shared_ ? ring_bytes_for(wanted) : 0);
    payer_ = wanted.owner;
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

/// Ends the epoch of all logs: they go on in memory for the new settings.
Result<void> Network::renew_logs(const NetworkConfig& wanted) {
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
  // First everything that can be refused, then the change.
  const std::uint64_t ring_bytes = ring_bytes_for(wanted);
  const std::uint64_t old_ring_bytes = log_bytes();
  // What is unread moves to memory that nobody is charged for: it has to fit.
  const auto has_too_much = [&](const Log& log) { return log.used_bytes() > ring_bytes; };
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
  std::vector<std::pair<Uid, std::unique_ptr<LogStorage>>> storages;
  const auto prepare = [&](Uid uid) -> Result<void> {
    auto storage = make_charged_storage(uid, ring_bytes);
    if (!storage) return storage.error();
    storages.emplace_back(uid, std::move(*storage));
    return {};
  };
  Result<void> prepared;
  if (shared_) {
    prepared = prepare(payer_);
  } else {
    for (std::size_t i = 0; i < receivers_.size() && prepared; ++i) {
      prepared = prepare(receivers_[i]->credentials_.uid);
    }
  }
  if (!prepared) {
    for (const auto& [uid, storage] : storages) services_.accounts.release_log(uid, ring_bytes);
    return prepared;
  }
  ++epochs_;
  for (std::size_t i = 0; i < storages.size(); ++i) {
    auto& [uid, storage] = storages[i];
    services_.accounts.release_log(uid, old_ring_bytes);
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
  const ring::Pieces payload = cut(message.payload, config_.mtu);
  if (config_.is_lossless() && !has_room(from, verdict, payload.size(), own_queue, refusal)) {
    note_blocked(refusal);
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
  if (shared_) return false;
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
  from.parked_bytes_ += send.message.payload.size();
  services_.accounts.add_parked(from.credentials_.uid, send.message.payload.size());
  ++blocked_senders_;
}

/// Takes the message out of its queue; dispatch() tells its sink.
void Network::finish(ParkedSend& send, const SendOutcome& outcome) {
  Node& from = *send.from_;
  send.outcome_ = outcome;
  --from.parked_sends_;
  from.parked_bytes_ -= send.message.payload.size();
  services_.accounts.release_parked(from.credentials_.uid, send.message.payload.size());
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

/// Nobody is in the way of senders that are gone.
void Network::forget_blockers() {
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

Node* Network::find_overdue(TimeNs now) const {
  if (config_.deadline_ms == 0) return nullptr;
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
