// SPDX-License-Identifier: MIT
// The logs of a network: who has one of its own, when an epoch ends, and the
// programs that read them by themselves.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/network.h"

namespace ipn {
namespace {

/// Epochs that may end within a second, for a reason that members can give as often as they like:
/// the rest is left to the owner's kicks.
constexpr int kEpochsForMembers = Network::kEpochsPerSecond / 2;

}  // namespace

// Logs of receivers' own --------------------------------------------------------

Result<void> Network::make_own_log(Node& node) {
  auto storage = make_charged_storage(node.credentials_.uid, log_bytes(), log_charge());
  if (!storage) return storage.error();
  add_own_log(node, std::move(*storage), node.credentials_.uid, 1);
  return {};
}

void Network::add_own_log(Node& node, std::unique_ptr<LogStorage> storage, Uid payer,
                          std::uint64_t first_seq) {
  node.own_log_ =
      std::make_unique<OwnLog>(node, std::move(storage), config_.pool, first_seq, services_.faulty);
  node.own_log_payer_ = payer;
  node.own_log_index_ = own_receivers_.size();
  own_receivers_.push_back(&node);
}

void Network::drop_own_log(Node& node) {
  own_receivers_[node.own_log_index_] = own_receivers_.back();
  own_receivers_[node.own_log_index_]->own_log_index_ = node.own_log_index_;
  own_receivers_.pop_back();
  if (node.own_log_full_) --own_logs_full_;
  node.own_log_full_ = false;
  node.ListHook<Node, UnpublishedTag>::unlink();
  node.own_log_.reset();
  services_.accounts.release_log(node.own_log_payer_, log_charge());
}

Result<void> Network::set_overflow(Node& node, std::uint32_t overflow, Uid payer) {
  if (node.overflow_ == overflow) return {};
  if (node.can_receive_ && !node.own_log_) return move_to_own_log(node, overflow, payer);
  // A program may read in place only what is not overwritten.
  const bool changes_reading =
      node.overflow_ == IPN_OVERFLOW_LATEST || overflow == IPN_OVERFLOW_LATEST;
  std::unique_ptr<LogStorage> memory;
  if (node.reads_memory_ && overflow == IPN_OVERFLOW_LATEST) {
    // It may be reading there, and looks at nothing that could tell.
    auto storage = make_charged_storage(node.own_log_payer_, log_bytes(), 0);
    if (!storage) return storage.error();
    memory = std::move(*storage);
  }
  if (changes_reading) detach_receive(node, true);
  if (memory) node.own_log_->begin_epoch(std::move(memory), config_.pool);
  node.overflow_ = overflow;
  node.blocking_since_ = 0;
  update_own_log_full(node);
  made_room();
  return {};
}

/// What it has not read goes with it, as far as there is room, under the numbers that it has:
/// the program throws away what it has read meanwhile. Those of the new log are all higher.
Result<void> Network::move_to_own_log(Node& node, std::uint32_t overflow, Uid payer) {
  // It may be reading in the shared log, where nothing is overwritten as long as it has a say.
  NewLogs renewed;
  if (node.reads_memory_ && lossless_) {
    auto prepared = prepare_logs(config_, false, kEpochsForMembers);
    if (!prepared) return prepared.error();
    renewed = std::move(*prepared);
  }
  auto storage = make_charged_storage(payer, log_bytes(), log_charge());
  if (!storage) return storage.error();
  detach_receive(node, true);
  install_logs(std::move(renewed));  // before the tail passes what the program looks at
  struct Unread {
    std::uint64_t seq;
    LogEntry entry;
    std::vector<std::byte> payload;
  };
  std::vector<Unread> unread;
  while (shared_->is_readable(node)) {
    const Incoming message = shared_->peek(node);
    LogEntry entry = shared_->log().entry(message.seq);
    entry.lost = 0;
    unread.push_back({message.seq, entry, {message.payload.begin(), message.payload.end()}});
    shared_->consume(node);
  }
  shared_->leave(node);
  add_own_log(node, std::move(*storage), payer, shared_->log().head_seq());
  node.overflow_ = overflow;
  for (const auto& [seq, entry, payload] : unread) {
    if (append_own(node, entry, {payload, {}}, false)) node.own_log_->keep_number(seq);
  }
  made_room();
  return {};
}

// Epochs -----------------------------------------------------------------------

/// Everything that forbids logs for the new settings but memory and accounts.
Result<void> Network::check_new_logs(const NetworkConfig& wanted, std::uint64_t charge,
                                     int epochs_most) {
  const TimeNs now = services_.clock.monotonic;
  if (now - epochs_since_ >= kSecond) {
    epochs_since_ = now;
    epochs_ = 0;
  }
  if (epochs_ >= epochs_most) {
    return Error{EBUSY, config_.name + ": its memory was renewed " + std::to_string(epochs_) +
                            " times in this second, by new settings, kicks or overflow policies "
                            "(try again in a second)"};
  }
  // What is unread moves to memory that nobody is charged for: it has to fit.
  if (memory_readers_ > 0 && take_claims()) made_room();
  const std::uint64_t ring_bytes = ring_bytes_for(wanted);
  const auto has_too_much = [&](const Log& log) {
    return log.used_bytes() > ring_bytes || log.count() > wanted.pool;
  };
  const bool too_much =
      (shared_ && lossless_ && has_too_much(shared_->log())) ||
      std::any_of(own_receivers_.begin(), own_receivers_.end(),
                  [&](const Node* receiver) { return has_too_much(receiver->own_log_->log()); });
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
  if (charge <= log_charge()) return {};
  const Uid payer = exempt_ ? Uid{0} : wanted.owner;
  if (has_own_logs()) {
    if (auto ok = services_.accounts.check_log(payer, charge); !ok) return ok;
  }
  for (const Node* receiver : own_receivers_) {
    if (receiver->own_log_payer_ != config_.owner) {
      return Error{EBUSY, config_.name +
                              ": larger logs would be charged to other users who receive now "
                              "(try again when only its owner does: ipnctl node list " +
                              config_.name + ")"};
    }
  }
  return {};
}

/// Memory for new logs, charged as far as they cost more than before.
Result<Network::NewLogs> Network::prepare_logs(const NetworkConfig& wanted, bool own_too,
                                               int epochs_most) {
  const std::uint64_t charge = Log::memory_bytes(ring_bytes_for(wanted), wanted.pool);
  const std::uint64_t more = charge - std::min(charge, log_charge());
  if (auto ok = check_new_logs(wanted, charge, epochs_most); !ok) return ok.error();
  NewLogs logs;
  logs.less = log_charge() - std::min(charge, log_charge());
  if (auto made = make_storages(logs, wanted, more, own_too); !made) {
    if (logs.shared) services_.accounts.release_log(logs.shared_payer, more);
    for (const auto& [node, storage] : logs.own) {
      services_.accounts.release_log(node->own_log_payer_, more);
    }
    return made.error();
  }
  ++epochs_;
  return logs;
}

Result<void> Network::make_storages(NewLogs& logs, const NetworkConfig& wanted, std::uint64_t more,
                                    bool own_too) {
  const std::uint64_t ring_bytes = ring_bytes_for(wanted);
  if (shared_) {
    auto storage = make_charged_storage(payer(), ring_bytes, more);
    if (!storage) return storage.error();
    logs.shared = std::move(*storage);
    logs.shared_payer = payer();
  }
  if (!own_too) return {};
  for (Node* receiver : own_receivers_) {
    auto storage = make_charged_storage(receiver->own_log_payer_, ring_bytes, more);
    if (!storage) return storage.error();
    logs.own.emplace_back(receiver, std::move(*storage));
  }
  return {};
}

/// The logs go on in memory for the settings that are in force now.
void Network::install_logs(NewLogs logs) {
  if (!logs.shared && logs.own.empty()) return;
  if (logs.shared) {
    services_.accounts.release_log(logs.shared_payer, logs.less);
    shared_->begin_epoch(std::move(logs.shared), config_.pool);
  }
  for (auto& [receiver, storage] : logs.own) {
    services_.accounts.release_log(receiver->own_log_payer_, logs.less);
    if (receiver->own_log_) receiver->own_log_->begin_epoch(std::move(storage), config_.pool);
  }
  memory_readers_ = 0;
  for (Node* receiver : receivers_) {
    receiver->blocking_since_ = 0;  // until somebody finds the new log full
    update_own_log_full(*receiver);
    // Who could not be told of the new memory does not read it.
    if (receiver->reads_memory_) ++memory_readers_;
  }
  made_room();  // senders that wait try again, and find who is in their way
}

// Programs that read the memory of a log -------------------------------------------

Result<LogPlace> Network::attach_receive(Node& node) {
  readiness(node);  // settles the cursor
  const bool has_old =
      node.own_log_ ? !node.own_log_->can_attach() : !shared_->log().is_in_epoch(node.cursor_);
  if (has_old) {
    return Error{EAGAIN, config_.name +
                             ": unread messages lie in memory of older settings (receive them "
                             "first, then try again)"};
  }
  LogStorage& memory = node.own_log_ ? node.own_log_->storage() : shared_->storage();
  if (memory.descriptor() < 0) {
    return Error{EOPNOTSUPP, config_.name +
                                 ": its log is in memory that nobody else can map (raise the "
                                 "limit of open files of ipnd: LimitNOFILE)"};
  }
  ++memory_readers_;
  watch_gates();  // somebody may wait for this node already
  return node.own_log_ ? node.own_log_->attach() : shared_->attach(node);
}

void Network::detach_receive(Node& node, bool moved_to_device) {
  if (!node.reads_memory_) return;
  --memory_readers_;
  if (node.own_log_) {
    node.own_log_->publish();
    node.own_log_->detach(moved_to_device);
    update_own_log_full(node);
  } else {
    shared_->publish();
    shared_->detach(node, moved_to_device);
  }
  made_room();
}

void Network::publish() {
  if (shared_ && shared_->has_memory_readers()) shared_->publish();
}

/// Somebody waits: room that programs make has to be looked for.
void Network::watch_gates() {
  if (memory_readers_ > 0) services_.gated.push_back(*this);
}

void Network::look_for_room() {
  const bool somebody = blocked_senders_ > 0 || !want_writable_.empty();
  if (somebody && !ending_ && memory_readers_ > 0) {
    if (take_claims()) made_room();
    return;
  }
  ListHook<Network, NetworkGatedTag>::unlink();
  if (shared_) shared_->disarm();
  for (Node* receiver : own_receivers_) receiver->own_log_->disarm();
}

void Network::arm_gates() {
  if (shared_) shared_->arm();
  for (Node* receiver : own_receivers_) {
    if (is_gate(*receiver)) receiver->own_log_->arm();
  }
}

/// Claims are also taken where somebody looks whether a message fits: what came of
/// that is part of the answer.
bool Network::take_claims() {
  bool room = false;
  if (shared_) {
    shared_->take_claims();
    room = shared_->take_room_made();
  }
  for (Node* receiver : own_receivers_) {
    if (receiver->reads_memory_) receiver->own_log_->take_claim();
    if (!receiver->own_log_->take_room_made()) continue;
    update_own_log_full(*receiver);
    room = true;
  }
  return room;
}

}  // namespace ipn
