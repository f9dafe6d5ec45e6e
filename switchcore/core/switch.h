// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "switchcore/base/ids.h"
#include "switchcore/base/list.h"
#include "switchcore/base/result.h"
#include "switchcore/base/time.h"
#include "switchcore/core/accounts.h"
#include "switchcore/core/limits.h"
#include "switchcore/core/network.h"
#include "switchcore/core/node.h"
#include "switchcore/core/policy.h"
#include "switchcore/core/storage.h"

namespace ipn {

struct JoinRequest {
  std::string_view name;  ///< empty: the network that the node is bound to
  std::uint32_t policy = 0;
  std::uint32_t roles = 0;  ///< IPN_ROLE_*; 0: what is allowed
  std::optional<Port> port;
};

struct JoinAnswer {
  const Network* network = nullptr;
  std::uint32_t roles = 0;
  std::optional<Port> port;
  std::uint64_t next_seq = 0;
};

/// Told about things that somebody has to write down. Calls nothing back.
class SwitchObserver {
 public:
  /// Persistent networks came, went or changed.
  virtual void on_networks_changed() = 0;
  /// The node was disconnected because senders waited for it for `blocked_ns`.
  virtual void on_evicted(const Network& network, const Node& node, TimeNs blocked_ns) = 0;
  /// The node is disconnected for what its program wrote into shared memory.
  virtual void on_cut_off(const Network& network, const Node& node, std::string_view reason) = 0;

 protected:
  ~SwitchObserver() = default;
};

/// All that `node list` tells of a node beyond its own accessors.
struct NodeView {
  const Node& node;
  std::uint64_t queue = 0, queue_max = 0;
  TimeNs connected_ns = 0;
  TimeNs blocking_ns = 0;
};

struct SwitchTotals {
  std::uint32_t networks = 0, connected = 0, open_nodes = 0;
  std::uint64_t msgs = 0, bytes = 0, evictions = 0;
  std::uint32_t attached = 0;
  std::uint64_t cut_off = 0;
  DropCounters drops;
};

/// All networks and nodes of a daemon, who may do what, and what it costs whom.
///
/// Pure: owns no descriptor, reads no clock, starts no thread. Time comes by
/// begin_round(), log memory by the factory, requests by the calls below. Nothing
/// calls back but dispatch(), which the owner calls after each request or batch.
class Switch {
 public:
  Switch(const Limits& limits, StorageFactory make_storage, SwitchObserver& observer);
  ~Switch();
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  void add_policy(PolicyType type);
  void set_limits(const Limits& limits) { accounts_.set_limits(limits); }
  void begin_round(const Clock& clock) { clock_ = clock; }

  // Nodes.
  /// A free node. ENFILE at the daemon's limit.
  Result<Node*> open_node(Door door, NodeSink& sink);
  /// The node is gone when this returns; parked sends of it are forgotten.
  void close_node(Node& node);
  Result<JoinAnswer> bind(Node& node, const JoinRequest& request, const Credentials& who);
  Result<JoinAnswer> connect(Node& node, const JoinRequest& request, const Credentials& who);
  Result<void> set_option(Node& node, std::uint32_t name, std::uint32_t value);
  Result<std::uint32_t> get_option(const Node& node, std::uint32_t name) const;
  Result<void> shutdown(Node& node, bool receive, bool send);
  /// Options of the policy of the node's network, in its own form. EPROTONOSUPPORT:
  /// `policy` is not its policy; ENOTCONN: the node is only bound; else the policy's.
  Result<void> set_policy_option(Node& node, std::uint32_t policy, std::uint32_t name,
                                 std::span<const std::byte> value);
  Result<std::size_t> get_policy_option(Node& node, std::uint32_t policy, std::uint32_t name,
                                        std::span<std::byte> value);

  // Messages.
  SendOutcome send(Node& node, const Outgoing& message);
  /// Queues the message that send() has just answered with kWouldBlock.
  /// ENOBUFS: the node has too many bytes parked.
  int park(ParkedSend& send);
  void cancel(ParkedSend& send);
  RecvOutcome peek(Node& node);
  /// Passes the message that peek() shows.
  void consume(Node& node);
  /// Passes it without having delivered it.
  void discard(Node& node, DropReason reason);
  Readiness readiness(Node& node);
  /// on_ready() once one of `interests` may have come true.
  void want(Node& node, unsigned interests);
  /// How the node receives (IPN_OVERFLOW_NETWORK, _DROP_NEWEST, _LATEST), now or
  /// when it connects. EINVAL, EDQUOT, ENOMEM.
  /// `who` is charged for the log of its own that a connected node may need for that.
  Result<void> set_overflow(Node& node, std::uint32_t overflow, Uid who);
  /// Receivers in the node's network besides itself.
  std::uint32_t peers_of(const Node& node) const;

  /// Retries senders that wait, tells sinks and shows messages to those who read
  /// memory, until there is nothing to do.
  void dispatch();

  // Messages through shared memory.
  /// The node's messages travel through memory from now on; where its log is, if
  /// it receives. `attachment` stays until detach(). `area_bytes` are charged.
  /// ENOTCONN, EISCONN, EAGAIN, EOPNOTSUPP, EDQUOT.
  Result<LogPlace> attach(Node& node, Attachment& attachment, std::uint64_t area_bytes);
  /// They travel by calls again, from where the program has read up to.
  void detach(Node& node);
  /// dispatch() calls the node's sink.
  void notify(Node& node) { ready_.push_back(node); }
  /// Disconnects a node whose program wrote nonsense into memory.
  void cut_off(Node& node, std::string_view reason);
  /// Looks whether programs made room for those who wait. True: there is work for
  /// dispatch(). To be called once a round, before a sleep arm_gates() instead.
  bool look_for_room();
  /// Programs will ring when they make much room. True: some have done so meanwhile.
  bool arm_gates();
  /// Somebody waits for room that programs make: look again after a while, for
  /// little room is made without a ring.
  bool has_gates() const { return !gated_.empty(); }

  // Management.
  /// EEXIST, EDQUOT, EINVAL, EPERM. `from_configuration`: root is charged, whoever
  /// owns it, and an owner may be given.
  Result<const Network*> add_network(const NetworkConfig& config, const Credentials& who,
                                     bool from_configuration);
  Result<const Network*> find_network(NetworkId id, std::string_view name) const;
  /// The network is one of the configuration from now on, or not any more.
  void set_exempt(NetworkId id, bool exempt);
  /// find_network() for somebody who needs some right to see it: EACCES by name;
  /// by id ENOENT as if there were none, so that ids tell nobody a name.
  Result<Network*> visible_network(NetworkId id, std::string_view name, const Credentials& who);
  Result<void> change_network(NetworkId id, const NetworkChange& change, std::uint64_t generation,
                              const Credentials& who);
  Result<void> end_network(NetworkId id, const Credentials& who);
  /// Also ends the epoch of memory that was mapped: what is sent from now on is
  /// not where the node could read it. EBUSY: too many epochs ended just now.
  Result<void> kick(NodeId id, const Credentials& who);
  /// A node that `who` may see: ENOENT else.
  Result<Node*> find_node(NodeId id, const Credentials& who);
  /// The same, of a network that `who` owns: EPERM else.
  Result<Node*> own_node(NodeId id, const Credentials& who);
  /// The daemon stops: ends all networks, nodes read what is left. From now on
  /// nobody joins, makes or changes a network (ENODEV).
  void end_all();

  /// Ascending by id from behind `after`, until f returns false.
  template <typename F>
  void for_each_network(NetworkId after, F&& f) {
    for (auto at = networks_.upper_bound(after); at != networks_.end(); ++at) {
      if (!f(*at->second)) return;
    }
  }
  /// The same for the nodes that are in a network.
  template <typename F>
  void for_each_node(NodeId after, F&& f) {
    for (auto at = joined_.upper_bound(after); at != joined_.end(); ++at) {
      if (!f(*at->second)) return;
    }
  }
  NodeView view(Node& node);
  SwitchTotals totals();
  Account account_of(Uid uid) const { return accounts_.of(uid); }
  const Limits& limits() const { return accounts_.limits(); }
  std::uint64_t generation() const { return generation_; }

  // Time.
  /// When run_timers() has something to do; nullopt: never.
  std::optional<TimeNs> next_timer() const;
  void run_timers();

 private:
  friend class SendRun;

  Result<Network*> make_network(const NetworkConfig& config, bool exempt);
  Result<Network*> network_for_bind(const Node& node, const JoinRequest& request,
                                    const Credentials& who);
  Result<Network*> live_network(NetworkId id, std::string_view name) const;
  Result<void> charge_node(Node& node, const Credentials& who);
  void release_node(Node& node);
  void disconnect(Node& node, DropReason unread);
  void end(Network& network);
  void destroy_if_unused(Network& network);
  bool disconnect_overdue(Network& network, TimeNs now);
  bool publish();
  JoinAnswer answer(const Node& node) const;
  Result<Policy*> policy_for(const Node& node, std::uint32_t policy) const;
  const PolicyType* policy_type(std::uint32_t number) const;

  Clock clock_;
  Accounts accounts_;
  StorageFactory make_storage_;
  SwitchObserver& observer_;
  std::map<std::uint32_t, PolicyType> policies_;
  std::uint64_t last_node_ = 0, last_network_ = 0;
  std::uint64_t generation_ = 1;

  List<Node, ReadyTag> ready_;
  List<ParkedSend, ParkedSendTag> done_;
  List<Network, NetworkWorkTag> work_;
  List<Network, NetworkTimedTag> timed_;
  List<Network, NetworkUnpublishedTag> unpublished_;
  List<Node, UnpublishedTag> unpublished_own_;
  List<Network, NetworkGatedTag> gated_;
  List<Node, FaultyTag> faulty_;
  TimeNs next_check_ = kNever;
  static constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();

  std::map<NetworkId, std::unique_ptr<Network>> networks_;
  std::map<std::string, Network*, std::less<>> by_name_;  ///< without those that end
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
  std::map<NodeId, Node*> joined_;  ///< those in a network
  bool stopping_ = false;

  Node* refused_node_ = nullptr;  ///< whom send() has just answered with kWouldBlock
  Network::Refusal refusal_;

  std::uint32_t attached_ = 0;
  std::uint64_t cut_off_ = 0;
  std::uint64_t gone_msgs_ = 0, gone_bytes_ = 0, evictions_ = 0;
  DropCounters gone_drops_;
};

}  // namespace ipn
