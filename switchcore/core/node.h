// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "libipn/ring/log_writer.h"
#include "switchcore/base/ids.h"
#include "switchcore/base/list.h"
#include "switchcore/base/time.h"
#include "switchcore/core/attachment.h"
#include "switchcore/core/credentials.h"
#include "switchcore/core/drops.h"
#include "switchcore/core/limits.h"
#include "switchcore/core/log.h"
#include "switchcore/core/network_config.h"

#include <ipn/ioctl.h>

namespace ipn {

class Network;
class Node;
class OwnLog;

/// The way by which a node came in.
enum class Door : std::uint8_t {
  kDevice = IPN_DOOR_DEVICE,
  kFile = IPN_DOOR_FILE,
  kFast = IPN_DOOR_FAST,
};

/// What a node can wait for. Bits.
enum Interest : unsigned {
  kWantReadable = 1,
  kWantWritable = 2,
  kWantMembership = 4,  ///< the number of receivers of its network changed
};

/// A message on its way in. The bytes are borrowed until the call returns.
struct Outgoing {
  ring::Pieces payload;
  std::uint64_t destination = 0;
  std::uint8_t hops = 0;
  bool is_volatile = false;  ///< the sender can change the bytes at any time
};

/// What became of a send.
struct SendOutcome {
  enum class Kind : std::uint8_t {
    kSent,        ///< accepted: delivered, or dropped and counted
    kWouldBlock,  ///< lossless and no room: nothing happened, park() or EAGAIN
    kRefused,     ///< `error` is the errno; nothing was delivered
  };
  Kind kind = Kind::kRefused;
  int error = 0;
  std::uint32_t receivers = 0;  ///< nodes that it was delivered to
  std::uint64_t seq = 0;        ///< number in the shared log, 0 if it is not there
};

/// A message that waits for room, in order. Its bytes belong to the door and
/// stay until on_done() or Switch::cancel().
struct ParkedSendTag;
class ParkedSend : public ListHook<ParkedSend, ParkedSendTag> {
 public:
  virtual ~ParkedSend() = default;

  Outgoing message;

  /// Called from Switch::dispatch(); may call the switch, also to close the node.
  virtual void on_done(const SendOutcome& outcome) = 0;

  /// What it takes of Limits::parked_bytes_per_node. Nothing where it lies in
  /// memory that is charged already.
  std::uint64_t charge() const {
    return message.is_volatile ? 0 : message.payload.size() + kParkedOverhead;
  }

 private:
  friend class Network;
  friend class Switch;
  Node* from_ = nullptr;
  SendOutcome outcome_;
};

/// What the core tells a door about one of its nodes. Called from
/// Switch::dispatch() only; may call the switch, also to close the node.
class NodeSink {
 public:
  /// Something that was wanted may have happened; wants are gone and have to be
  /// renewed. Also called when the node's or its network's end changed what calls
  /// return.
  virtual void on_ready(Node& node) = 0;

 protected:
  ~NodeSink() = default;
};

/// A message on its way out; valid until the next call that changes the switch.
struct Incoming {
  std::span<const std::byte> payload;
  std::uint64_t seq = 0;   ///< number in this receiver's log
  std::uint64_t lost = 0;  ///< messages that this receiver lost just before it
  NodeId source;
  Port port;
  std::uint8_t hops = 0;
  TimeNs time = 0;  ///< realtime of sending
};

struct RecvOutcome {
  enum class Kind : std::uint8_t {
    kMessage,
    kWouldBlock,  ///< nothing there yet
    kEnd,         ///< end-of-file: network gone, or receive side shut
    kRefused,     ///< `error` is the errno
  };
  Kind kind = Kind::kRefused;
  int error = 0;
  Incoming message;
};

/// poll(2) in the words of the core: what would not block.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool hangup = false;  ///< kicked, or the network is gone
};

/// Messages and bytes; directions are the network's: `in` came from the node.
struct NodeCounters {
  std::uint64_t msgs_in = 0, bytes_in = 0;
  std::uint64_t msgs_out = 0, bytes_out = 0;
  std::uint64_t truncated = 0;  ///< handed out in part, to a short buffer
  DropCounters drops;
};

struct MemberTag;
struct WaitingReadTag;
struct WaitingWriteTag;
struct WaitingMembersTag;
struct ReadyTag;
struct UnpublishedTag;
struct FaultyTag;

/// One open of the device, or one attached interface.
///
/// free -> bound -> connected -> ended; see docs/architecture.md. Holds its
/// place in its network and its cursor; what happens to messages is the
/// Network's business. Owned by the Switch; doors hold a reference between
/// open_node() and close_node().
class Node : public ListHook<Node, MemberTag>,
             public ListHook<Node, WaitingReadTag>,
             public ListHook<Node, WaitingWriteTag>,
             public ListHook<Node, WaitingMembersTag>,
             public ListHook<Node, ReadyTag>,
             public ListHook<Node, UnpublishedTag>,
             public ListHook<Node, FaultyTag> {
 public:
  enum class State : std::uint8_t { kFree, kBound, kConnected, kEnded };

  Node(NodeId id, Door door, NodeSink& sink);
  ~Node();

  NodeId id() const { return id_; }
  Door door() const { return attachment_ != nullptr ? Door::kFast : door_; }
  bool is_attached() const { return attachment_ != nullptr; }
  /// It reads its log by itself, through memory.
  bool reads_memory() const { return reads_memory_; }
  State state() const { return state_; }
  bool is_bound() const { return bound_; }
  const Network* network() const { return network_; }
  std::optional<Port> port() const { return port_; }
  bool receives() const { return can_receive_; }
  bool sends() const { return can_send_; }
  /// IPN_OVERFLOW_NETWORK, _DROP_NEWEST or _LATEST.
  std::uint32_t overflow() const { return overflow_; }
  const Credentials& credentials() const { return credentials_; }
  const NodeCounters& counters() const { return counters_; }
  /// Counts messages here and at the network. A door does so for what it refuses
  /// before it reaches a network.
  void count_drop(DropReason reason, std::uint64_t messages = 1) {
    counters_.drops.add(reason, messages);
    if (network_drops_ != nullptr) network_drops_->add(reason, messages);
  }
  void count_truncated() { ++counters_.truncated; }
  std::uint32_t parked_sends() const { return parked_sends_; }
  std::uint64_t parked_bytes() const { return parked_bytes_; }

 private:
  friend class Claims;
  friend class Network;
  friend class OwnLog;
  friend class SendRun;
  friend class SharedLog;
  friend class Switch;

  void forget_wants() {
    ListHook<Node, WaitingReadTag>::unlink();
    ListHook<Node, WaitingWriteTag>::unlink();
    ListHook<Node, WaitingMembersTag>::unlink();
  }

  const NodeId id_;
  const Door door_;
  NodeSink& sink_;

  State state_ = State::kFree;
  bool bound_ = false;             ///< may manage; charged to credentials_.uid
  std::optional<Uid> charged_to_;  ///< counts as a node of this user
  bool shut_receive_ = false;      ///< by shutdown(), before or after connect
  bool shut_send_ = false;
  bool can_receive_ = false;  ///< connected, allowed and not shut
  bool can_send_ = false;
  NetworkChange pending_;    ///< options for the network that bind makes
  Credentials credentials_;  ///< of bind or connect
  Network* network_ = nullptr;
  std::optional<Port> port_;
  TimeNs connected_at_ = 0;

  // The receiving side: a cursor in the shared log, or a log of its own.
  std::unique_ptr<OwnLog> own_log_;
  Uid own_log_payer_;
  std::uint32_t overflow_ = IPN_OVERFLOW_NETWORK;
  bool own_log_full_ = false;       ///< mtu bytes do not fit into it, and senders have to wait
  std::size_t own_log_index_ = 0;   ///< among the receivers with a log of their own
  std::uint64_t cursor_ = 0;        ///< number of the next message; never points at an own one
  std::size_t receiver_index_ = 0;  ///< among the receivers of the network
  std::size_t reader_index_ = 0;    ///< among the readers of the shared log
  std::uint64_t lost_ = 0;          ///< overwritten, and not reported yet
  std::uint64_t queue_max_ = 0;
  // How many of the node's own messages the shared log has taken since it joined,
  // how many of them lie behind the cursor, and how many behind the log's tail.
  std::uint64_t own_taken_ = 0, own_passed_ = 0, own_evicted_ = 0;
  std::uint64_t own_until_ = 0;  ///< all behind the cursor is its own up to there, as far as known
  TimeNs blocking_since_ = 0;    ///< senders wait for it; 0: they do not

  // The program's end, if messages travel through shared memory.
  Attachment* attachment_ = nullptr;
  bool reads_memory_ = false;
  std::size_t memory_reader_index_ = 0;  ///< among those of its log
  std::uint64_t area_bytes_ = 0;         ///< charged for what it shares with the daemon
  std::uint64_t claims_from_ = 0;        ///< its cursor when it attached
  std::uint64_t claimed_ = 0;            ///< read_seq, as it was believed last
  std::uint64_t claim_base_ = 0;         ///< own_passed_ when it attached
  ReaderClaims settled_;                 ///< what of its claims is in the counters

  // The sending side.
  List<ParkedSend, ParkedSendTag> queue_;  ///< senders whom this node has refused
  std::uint32_t parked_sends_ = 0;
  std::uint64_t parked_bytes_ = 0;

  NodeCounters counters_;
  DropCounters* network_drops_ = nullptr;  ///< where the network counts
};

}  // namespace ipn
