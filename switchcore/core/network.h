// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "switchcore/base/ids.h"
#include "switchcore/base/list.h"
#include "switchcore/base/time.h"
#include "switchcore/core/accounts.h"
#include "switchcore/core/network_config.h"
#include "switchcore/core/node.h"
#include "switchcore/core/own_log.h"
#include "switchcore/core/policy.h"
#include "switchcore/core/shared_log.h"
#include "switchcore/core/storage.h"

namespace ipn {

struct NetworkWorkTag;
struct NetworkTimedTag;
struct NetworkUnpublishedTag;
struct NetworkGatedTag;

/// What a network needs from the switch that holds it.
struct NetworkServices {
  const Clock& clock;
  Accounts& accounts;
  const StorageFactory& make_storage;
  List<Node, ReadyTag>& ready;            ///< nodes whose sinks are to be told
  List<ParkedSend, ParkedSendTag>& done;  ///< sends whose sinks are to be told
  List<Network, NetworkWorkTag>& work;    ///< networks in which room was made
  List<Network, NetworkTimedTag>& timed;  ///< networks with a deadline or timer running
  TimeNs& next_check;                     ///< when the first of them may be over
  /// Shared and own logs with messages that readers of their memory do not see yet.
  List<Network, NetworkUnpublishedTag>& unpublished;
  List<Node, UnpublishedTag>& unpublished_own;
  /// Networks in which somebody may wait for room that programs make in memory.
  List<Network, NetworkGatedTag>& gated;
  List<Node, FaultyTag>& faulty;  ///< nodes whose programs wrote nonsense into memory
};

/// The nodes of one network and the way of a message between them: asks the
/// policy, checks room everywhere, appends everywhere, tells who waits.
///
/// Owned by the Switch, which decides who may join and when it ends. Knows
/// neither names of other networks nor doors.
class Network final : public ListHook<Network, NetworkWorkTag>,
                      public ListHook<Network, NetworkTimedTag>,
                      public ListHook<Network, NetworkUnpublishedTag>,
                      public ListHook<Network, NetworkGatedTag>,
                      private Emitter,
                      private PortTable {
 public:
  /// Epochs of a network's logs that may end within a second.
  static constexpr int kEpochsPerSecond = 10;

  /// `exempt`: the configuration says that there has to be such a network.
  Network(NetworkId id, NetworkConfig config, bool exempt, const PolicyType& type,
          NetworkServices services);
  ~Network();

  NetworkId id() const { return id_; }
  const NetworkConfig& config() const { return config_; }
  const std::string& policy_name() const { return policy_name_; }
  std::uint64_t generation() const { return generation_; }
  bool is_ending() const { return ending_; }
  std::uint32_t connected() const { return connected_; }
  std::uint32_t readers() const { return static_cast<std::uint32_t>(receivers_.size()); }
  std::uint32_t writers() const { return writers_; }
  std::uint32_t blocked_senders() const { return blocked_senders_; }
  std::uint64_t msgs() const { return msgs_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t log_bytes() const { return ring_bytes_for(config_); }
  /// What one log costs in an account: to the payer if it is shared, else to its
  /// receiver.
  std::uint64_t log_charge() const { return Log::memory_bytes(log_bytes(), config_.pool); }
  /// Who is charged for the network and its shared log: its owner, or root if the
  /// network is one of the configuration, whoever owns it.
  Uid payer() const { return exempt_ ? Uid{0} : config_.owner; }
  /// Drops of all its nodes, present and gone. What a reader was lapped by counts
  /// when that reader next looks.
  const DropCounters& drops() const { return drops_; }
  Access access_of(const Credentials& who) const {
    return ipn::access_of(who, config_.mode, config_.owner, config_.group);
  }
  /// Others must not even learn its name. The owner can give itself any right.
  bool is_visible_to(const Credentials& who) const {
    return who.uid == config_.owner || access_of(who).any();
  }
  /// The node at a port, or null.
  Node* node_at(Port port) const {
    return port.value < ports_.size() ? ports_[port.value] : nullptr;
  }

 private:
  friend class SendRun;
  friend class Switch;
  using SendQueue = List<ParkedSend, ParkedSendTag>;

  /// Where a message that found no room has to wait, and who was in the way
  /// (null: readers of the shared log, or those who wait already).
  struct Refusal {
    SendQueue* queue = nullptr;
    Node* receiver = nullptr;
  };

  // Life: called by the switch, which has checked names and rights.
  Result<void> start();
  void add_bound(Node& node);
  Result<void> add_connected(Node& node, std::optional<Port> wanted, Access roles);
  void remove(Node& node, DropReason unread);
  void stop_receiving(Node& node, DropReason unread);
  void stop_sending(Node& node, int error);
  void end();
  Result<void> change(const NetworkChange& change, std::uint64_t generation);
  Result<void> check_change(const NetworkConfig& wanted);
  void set_exempt(bool exempt);
  void judge_again(Node& node);
  void make_receiver(Node& node);
  Result<void> make_own_log(Node& node);
  void add_own_log(Node& node, std::unique_ptr<LogStorage> storage, Uid payer,
                   std::uint64_t first_seq);
  void drop_own_log(Node& node);
  /// `payer` is charged if that needs a log of the node's own.
  Result<void> set_overflow(Node& node, std::uint32_t overflow, Uid payer);
  Result<void> move_to_own_log(Node& node, std::uint32_t overflow, Uid payer);

  // Epochs. First everything that can be refused, then the change.
  struct NewLogs {
    std::unique_ptr<LogStorage> shared;
    Uid shared_payer;
    std::vector<std::pair<Node*, std::unique_ptr<LogStorage>>> own;
    std::uint64_t less = 0;  ///< what each of them costs less than before
  };
  Result<NewLogs> prepare_logs(const NetworkConfig& wanted, bool own_too,
                               int epochs_most = kEpochsPerSecond);
  Result<void> make_storages(NewLogs& logs, const NetworkConfig& wanted, std::uint64_t more,
                             bool own_too);
  void install_logs(NewLogs logs);
  Result<void> check_new_logs(const NetworkConfig& wanted, std::uint64_t charge, int epochs_most);
  Result<void> check_log_growth(const NetworkConfig& wanted, std::uint64_t charge) const;
  bool was_mapped() const { return shared_ && shared_->was_mapped(); }

  // Programs that read the memory of a log.
  Result<LogPlace> attach_receive(Node& node);
  void detach_receive(Node& node, bool moved_to_device);
  void publish();
  void tell_readers() { shared_->tell_readers(); }
  void watch_gates();
  /// Looks whether programs have made room for those who wait.
  void look_for_room();
  void arm_gates();
  bool take_claims();
  bool has_members() const { return !members_.empty(); }

  // Sending. `own_queue` is the queue at whose front the message stands, null
  // for a new one. `outcome` is a new one, too.
  void send(Node& from, const Outgoing& message, SendQueue* own_queue, Refusal& refusal,
            SendOutcome& outcome);
  void carry_out(Node& from, const MessageMeta& meta, const ring::Pieces& payload,
                 const Verdict& verdict, SendQueue* own_queue, Refusal& refusal,
                 SendOutcome& outcome);
  void deliver(Node& from, const MessageMeta& meta, const ring::Pieces& payload,
               const Verdict& verdict, SendQueue* own_queue, Refusal& refusal,
               SendOutcome& outcome);
  bool has_room(Node& from, const Verdict& verdict, std::uint64_t bytes, SendQueue* own_queue,
                Refusal& refusal);
  bool drop_for_all(Node& from, const Verdict& verdict, std::uint64_t bytes);
  std::uint32_t append(const LogEntry& entry, const ring::Pieces& payload, Node* source,
                       const Verdict& verdict, std::uint64_t& seq);
  void tell_shared_readers(const Node* source, bool include_self);
  bool append_own(Node& receiver, const LogEntry& entry, const ring::Pieces& payload,
                  bool skip_full);
  void count_no_receiver(Node* source);
  /// Readers of the shared log who get a message of `source`.
  std::uint32_t shared_receivers(const Node* source, bool include_self) const;
  /// Senders wait for room in the node's own log.
  bool is_gate(const Node& node) const {
    return lossless_ && node.overflow_ == IPN_OVERFLOW_NETWORK;
  }
  /// Receivers of a message to all.
  std::uint32_t receivers_besides(const Node& from) const {
    return readers() - (from.can_receive_ ? 1 : 0);
  }
  /// Calls f(receiver) for each with a log of its own that `verdict` means.
  template <typename F>
  void for_each_own_receiver(const Verdict& verdict, const Node* from, F&& f);

  // Senders that wait.
  void park(Node& from, ParkedSend& send, const Refusal& refusal);
  void finish(ParkedSend& send, const SendOutcome& outcome);
  void fail_parked(int error, const Node* only_from);
  template <typename F>
  void for_each_queue(F&& f);
  void retry_parked();
  void retry_queue(SendQueue& queue);
  void wake_writers();
  void note_blocked(const Refusal& refusal);
  /// False if it does not have to wait.
  bool note_waiting_writer(const Node& writer);
  void watch_deadline(TimeNs due);
  void forget_blockers();
  /// True if a send is parked, or a node waits until it can write and cannot.
  bool somebody_waits();
  void forget_marks();
  void run_policy_timer(TimeNs now);
  /// A node that has been in the way of senders for the deadline, or null.
  Node* find_overdue(TimeNs now);
  /// When the next deadline or timer may be over; nullopt: none runs.
  std::optional<TimeNs> next_time() const;

  // Receiving.
  RecvOutcome peek(Node& node);
  void consume(Node& node);
  std::uint64_t queue_of(Node& node);
  Readiness readiness(Node& node);
  bool is_readable(Node& node);
  bool is_writable(const Node& node);
  void want(Node& node, unsigned interest);

  void wake(Node& node);
  void wake_members();
  void made_room();
  void update_own_log_full(Node& node);
  /// Every receiver has one, whatever it asked for.
  bool has_own_logs() const { return shared_ == nullptr; }
  /// Memory for a log; `charge` is what the user is charged more for it than before.
  Result<std::unique_ptr<LogStorage>> make_charged_storage(Uid uid, std::uint64_t ring_bytes,
                                                           std::uint64_t charge);

  // Emitter, PortTable
  void emit(const Destinations& to, std::span<const std::byte> payload) override;
  std::uint32_t size() const override { return config_.ports; }
  bool is_taken(Port port) const override { return node_at(port) != nullptr; }
  std::optional<Port> first_free() const override;

  const NetworkId id_;
  NetworkConfig config_;
  bool exempt_;
  const std::string policy_name_;
  std::unique_ptr<Policy> policy_;
  const bool lossless_;
  const bool sends_to_all_;     ///< says the policy
  const std::uint32_t window_;  ///< bytes that it looks at
  TimeNs next_policy_timer_ = 0;
  NetworkServices services_;
  std::uint64_t generation_ = 0;
  bool made_ = false;  ///< the policy has agreed
  bool ending_ = false;

  List<Node, MemberTag> members_;     ///< bound or connected
  std::vector<Node*> ports_;          ///< connected nodes by port; as long as was needed
  std::uint32_t lowest_free_ = 0;     ///< no port below it is free
  std::vector<Node*> receivers_;      ///< each knows its index
  std::vector<Node*> own_receivers_;  ///< those with a log of their own, the same
  std::uint32_t connected_ = 0;
  std::uint32_t writers_ = 0;

  std::unique_ptr<SharedLog> shared_;  ///< null: every receiver has a log of its own
  std::uint32_t own_logs_full_ = 0;    ///< of those that senders wait for
  std::uint32_t memory_readers_ = 0;
  SendQueue queue_;  ///< senders that wait for the network; else they wait at a node
  std::uint32_t blocked_senders_ = 0;  ///< in all queues
  List<Node, WaitingReadTag> want_readable_;
  List<Node, WaitingWriteTag> want_writable_;
  List<Node, WaitingMembersTag> want_membership_;
  TimeNs epochs_since_ = 0;  ///< when the second began in which `epochs_` ended
  int epochs_ = 0;

  std::uint64_t msgs_ = 0, bytes_ = 0;
  DropCounters drops_;
};

}  // namespace ipn
