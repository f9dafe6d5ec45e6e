// SPDX-License-Identifier: MIT
#pragma once

// What must come out, in the simplest terms: a queue of messages per receiver, a
// list of what each log still keeps, counters. No lists through hooks, no cursors,
// no lazy counting; everything is looked at again at every step.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "switchcore/core/credentials.h"
#include "switchcore/core/drops.h"
#include "switchcore/core/limits.h"
#include "switchcore/core/network_config.h"
#include "switchcore/core/node.h"

namespace ipn::sim {

/// The policy of the simulation that sends to one port: destination - 1.
inline constexpr std::uint32_t kUnicast = 5;

using Drops = std::array<std::uint64_t, IPN_DROP_SLOTS>;

/// What the account of a log is charged: its ring, and 8 bytes for each message
/// that it can hold, rounded up to a power of two.
std::uint64_t charge_of(const NetworkConfig& config);
/// What is charged for a message that waits, besides its bytes.
inline constexpr std::uint64_t kWaitingOverhead = 256;
/// What a program shares with the daemon besides its log, as it is charged here.
inline constexpr std::uint64_t kAreaBytes = 3000;

/// A message, known by a checksum.
struct Message {
  std::uint64_t checksum = 0;
  std::uint32_t len = 0;
  std::uint64_t destination = 0;
  bool operator==(const Message&) const = default;
};

/// The room of one log: which messages it keeps and where they lie.
class Room {
 public:
  Room() = default;
  Room(std::uint64_t ring_bytes, std::uint32_t pool) : ring_(ring_bytes), pool_(pool) {}

  /// `lost`: with a record that says how many messages were lost before it.
  bool fits(std::uint32_t len, bool lost = false) const;
  void append(std::uint64_t number, std::uint32_t len, bool lost = false);
  /// Everything with a smaller number is not needed any more.
  void release_below(std::uint64_t number);
  std::uint64_t used() const;
  std::size_t count() const { return kept_.size(); }
  int epoch() const { return epoch_; }
  std::uint64_t oldest() const { return kept_.front().number; }
  void begin_epoch(std::uint64_t ring_bytes, std::uint32_t pool);

 private:
  struct Kept {
    std::uint64_t number, pos;
    std::uint32_t len;
    int epoch;
  };
  static std::uint64_t record(std::uint32_t len) { return 32 + (len + 31) / 32 * 32; }
  static std::uint64_t need(std::uint32_t len, bool lost) { return record(len) + (lost ? 64 : 0); }
  std::uint64_t padding(std::uint64_t need) const;

  std::uint64_t ring_ = 0, head_ = 0;
  std::uint32_t pool_ = 0;
  int epoch_ = 0;
  std::deque<Kept> kept_;
};

struct ModelNetwork;

/// A message that a node has to read.
struct Unread {
  Message message;
  std::uint64_t source = 0;  ///< id of the node
  std::uint64_t number = 0;  ///< in its log
  std::uint64_t lost = 0;    ///< before this one
  int epoch = 0;             ///< of the log in which it lies
  bool is_past = false;      ///< overwritten for all but who has the old epoch in memory
  /// In the log from which it was moved here; 0: it was not. The receiver is told this one.
  std::uint64_t moved_number = 0;

  std::uint64_t told() const { return moved_number != 0 ? moved_number : number; }
};

struct ModelNode {
  std::uint64_t id = 0;
  Node::State state = Node::State::kFree;
  bool bound = false;
  bool shut_receive = false, shut_send = false;
  bool receives = false, sends = false;
  Credentials who;
  std::optional<std::uint32_t> charged;  ///< uid
  ModelNetwork* network = nullptr;
  std::uint32_t port = 0;

  std::deque<Unread> unread;
  std::uint64_t lost = 0;  ///< overwritten, and not told yet
  bool own = false;        ///< it has a log of its own, if it receives:
  Room room;
  std::uint64_t refused = 0;  ///< messages that found no room there since the last
  std::uint32_t overflow = IPN_OVERFLOW_NETWORK;
  std::uint64_t next_number = 1;
  std::deque<int> waiting;   ///< messages that wait for this receiver (unicast)
  bool polls_out = false;    ///< it may wait until it can write
  TimeNs held_up_since = 0;  ///< senders may have waited for it since; 0: no
  TimeNs front_since = 0;    ///< when `waiting` or what it waits for last changed

  bool attached = false, reads_memory = false;
  bool is_deaf = false;                    ///< it cannot be told of the next epoch
  std::vector<std::uint64_t> unnoticed{};  ///< overwritten, which it finds out on its way

  std::uint64_t msgs_in = 0, bytes_in = 0, msgs_out = 0, bytes_out = 0;
  Drops drops{};

  /// Messages that a call could read.
  std::uint64_t queue() const;
};

struct ModelNetwork {
  std::uint64_t id = 0;
  NetworkConfig config;
  bool ending = false;
  std::vector<ModelNode*> members;
  Room room;  ///< of the shared log
  std::uint64_t next_number = 1;
  std::deque<int> waiting;
  TimeNs front_since = 0;
  TimeNs epochs_since = 0;
  int epochs = 0;
  bool was_mapped = false;        ///< the shared log, in this epoch
  std::uint64_t epoch_first = 1;  ///< number that its first message got or gets
  std::uint64_t msgs = 0, bytes = 0;
  std::uint64_t addressed = 0;  ///< (message, receiver) pairs that were to be delivered
  Drops drops{};

  bool is_shared() const {
    return config.policy != kUnicast && (config.flags & IPN_NET_CONFIDENTIAL) == 0;
  }
  std::uint64_t ring() const { return ring_bytes_for(config); }
  std::uint32_t payer() const { return config.owner.value; }
};

struct ModelAccount {
  std::uint64_t networks = 0, nodes = 0, log_bytes = 0, parked_bytes = 0;
};

/// A send that waits.
struct ModelParked {
  int id = 0;
  ModelNode* from = nullptr;
  Message message;
};

struct ModelOutcome {
  SendOutcome::Kind kind = SendOutcome::Kind::kRefused;
  int error = 0;
  std::uint32_t receivers = 0;
  std::uint64_t seq = 0;
};

struct ModelDone {
  int id;
  ModelNode* from;
  std::uint64_t network;
  ModelOutcome outcome;
};

class Model {
 public:
  explicit Model(const Limits& limits) : limits_(limits) {}

  TimeNs now = 0;

  ModelNode* open(std::uint64_t id);
  void close(ModelNode& node);
  /// These return the errno that the call must give; 0: it was done. `id` is that
  /// of a network which is made.
  int add_network(const NetworkConfig& config);
  int bind(ModelNode& node, const NetworkConfig& wanted, const Credentials& who);
  int connect(ModelNode& node, const std::string& name, const Credentials& who, std::uint32_t roles,
              std::optional<std::uint32_t> port);
  int shutdown(ModelNode& node, bool receive, bool send);
  int change(ModelNetwork& network, const NetworkChange& change);
  void end(ModelNetwork& network);
  int kick(ModelNode& node);
  /// Disconnected for what its program wrote into memory.
  void cut_off(ModelNode& node);
  int set_overflow(ModelNode& node, std::uint32_t overflow);
  int attach(ModelNode& node);
  void detach(ModelNode& node);
  /// It reads by calls again.
  void detach_receive(ModelNode& node);
  /// It has found out what was overwritten below `number`; how many messages.
  std::uint64_t notice(ModelNode& node, std::uint64_t number);
  void evict(ModelNode& node);

  ModelOutcome send(ModelNode& node, const Message& message);
  int park(ModelNode& node, int id, const Message& message);
  void cancel(int id);
  /// What a look at the queue must show.
  RecvOutcome::Kind look(const ModelNode& node) const;
  void consume(ModelNode& node, std::optional<DropReason> discarded);
  /// The same, told by the program in memory.
  void consume_in_memory(ModelNode& node);
  Readiness readiness(const ModelNode& node) const;
  std::uint32_t peers_of(const ModelNode& node) const;
  /// Retries who waits; everything that has come to an end since the last call.
  std::vector<ModelDone> dispatch();
  /// A writer waits in vain: whoever does not read may be in its way.
  void note_held_up(ModelNetwork& network);

  /// Null if everybody who waits has waited less than the deadline, else why not.
  std::string find_missed_deadline() const;
  /// Null if the switch may disconnect the node for its deadline, else why not.
  std::string why_not_overdue(const ModelNode& node, TimeNs blocked) const;

  ModelNetwork* find(const std::string& name);
  std::map<std::uint64_t, ModelNode> nodes;
  std::map<std::uint64_t, ModelNetwork> networks;
  std::map<std::uint32_t, ModelAccount> accounts() const;
  std::map<int, ModelParked> parked;
  std::uint64_t gone_msgs = 0, gone_bytes = 0, gone_addressed = 0, evictions = 0;
  Drops gone_drops{};

 private:
  int make(const NetworkConfig& config);
  bool somebody_waits(const ModelNetwork& network) const;
  void forget_who_gave_up(ModelNetwork& network);
  std::vector<ModelNode*> receivers_of(const ModelNode& from, const Message& message) const;
  std::vector<ModelNode*> others_of(const ModelNode& from) const;
  ModelOutcome attempt(ModelNode& node, const Message& message, const std::deque<int>* own_queue,
                       std::deque<int>*& refused_by);
  void deliver(ModelNode& from, const std::vector<ModelNode*>& to, const Message& message,
               ModelOutcome& outcome);
  bool has_room(const ModelNetwork& network, const ModelNode& receiver, std::uint32_t len) const;
  bool append_own(ModelNode& receiver, const Message& message, std::uint64_t source);
  int move_to_own_log(ModelNode& node, std::uint32_t overflow);
  void pass(ModelNode& node);
  void release(ModelNetwork& network);
  void overwrite(ModelNode& node, int epoch, std::uint64_t number);
  void lose_below(ModelNetwork& network, std::uint64_t number);
  void stop_receiving(ModelNode& node, DropReason unread);
  void stop_sending(ModelNode& node, int error);
  void leave(ModelNode& node, DropReason unread);
  void judge(ModelNetwork& network);
  void retry(ModelNetwork& network, std::deque<int>& queue);
  void finish(int id, const ModelOutcome& outcome);
  void fail(ModelNetwork& network, const ModelNode* only, int error);
  void remove_if_unused(ModelNetwork& network);
  void begin_epochs(ModelNetwork& network, bool own_too);
  int renew_logs(ModelNetwork& network, const NetworkConfig& wanted, bool own_too,
                 int epochs_most = 10);
  bool over_limit(std::uint32_t uid, std::uint64_t ModelAccount::*what, std::uint64_t more,
                  std::uint64_t limit) const;
  void drop(ModelNode& node, DropReason reason, std::uint64_t count = 1);

  Limits limits_;
  std::uint64_t last_network_ = 0;
  std::vector<ModelDone> done_;
};

}  // namespace ipn::sim
