// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "switchcore/base/ids.h"
#include "switchcore/base/result.h"
#include "switchcore/base/time.h"
#include "switchcore/core/drops.h"

namespace ipn {

/// The ports that a message goes to: a bounded value that allocates nothing.
class Destinations {
 public:
  static Destinations none() { return Destinations(Kind::kSome, {}); }
  /// Every port of the network but the sender's.
  static Destinations all() { return Destinations(Kind::kAll, {}); }
  static Destinations one(Port port) {
    Destinations one(Kind::kOne, {});
    one.port_ = port;
    return one;
  }
  /// `ports` belong to the policy and stay as they are until its next call.
  static Destinations some(std::span<const Port> ports) { return Destinations(Kind::kSome, ports); }

  bool is_all() const { return kind_ == Kind::kAll; }
  /// Calls f(port) for each, unless is_all().
  template <typename F>
  void for_each(F&& f) const {
    if (kind_ == Kind::kOne) f(port_);
    for (const Port port : ports_) f(port);
  }

 private:
  enum class Kind : std::uint8_t { kAll, kOne, kSome };
  Destinations(Kind kind, std::span<const Port> ports) : kind_(kind), ports_(ports) {}

  Kind kind_;
  Port port_;
  std::span<const Port> ports_;
};

/// What a policy decides about one message. The network does the rest, for all
/// policies in the same way: rooms, queues, copies, counters.
struct Verdict {
  enum class Action : std::uint8_t { kDeliver, kDrop, kRefuse };

  Action action = Action::kDrop;
  Destinations to = Destinations::none();
  DropReason reason = DropReason::kPolicy;  ///< kDrop: counted at the sender, who sees success
  int error = 0;                            ///< kRefuse: the sender's errno
  bool include_self = false;                ///< the sender gets it, too, if it is in `to`
  bool all_or_none = false;                 ///< lossy: one receiver without room: nobody gets it
  bool skip_full = false;                   ///< lossless: receivers without room lose it
  bool truncate = false;                    ///< longer than mtu: cut instead of EMSGSIZE

  static Verdict deliver(Destinations to) {
    Verdict verdict;
    verdict.action = Action::kDeliver;
    verdict.to = to;
    return verdict;
  }
  static Verdict drop(DropReason reason) {
    Verdict verdict;
    verdict.reason = reason;
    return verdict;
  }
  static Verdict refuse(int error) {
    Verdict verdict;
    verdict.action = Action::kRefuse;
    verdict.error = error;
    return verdict;
  }
};

/// What a policy may know of a message besides its first bytes.
struct MessageMeta {
  std::uint64_t destination = 0;  ///< as the sender named it; 0: none
  std::uint32_t length = 0;       ///< bytes of the whole message
  std::uint8_t hops = 0;          ///< networks that it came through
};

/// Sends for a policy. Never blocks: a receiver without room loses the message
/// and counts it; what is longer than mtu, or comes when the network ends, counts
/// at the network. What is emitted is delivered as it is and not decided again,
/// so that a policy cannot call itself. A policy that sends to all emits to all.
class Emitter {
 public:
  /// Callable from every hook except decide() and network_made().
  virtual void emit(const Destinations& to, std::span<const std::byte> payload) = 0;

 protected:
  ~Emitter() = default;
};

/// The ports of a network, for a policy that chooses one.
class PortTable {
 public:
  virtual std::uint32_t size() const = 0;
  virtual bool is_taken(Port port) const = 0;
  virtual std::optional<Port> first_free() const = 0;

 protected:
  ~PortTable() = default;
};

/// Decides where messages of one network go. One policy, one file. A policy
/// does not send, queue, count or log, and is owned by its network.
class Policy {
 public:
  virtual ~Policy() = default;

  /// Bytes of the message that decide() looks at (0 broadcast, 64 Ethernet...).
  /// Fixed for the life of the policy, as is what sends_to_all() says.
  virtual std::uint32_t window() const { return 0; }
  /// True if every member may see every message: each deliverable verdict is
  /// plain Destinations::all(), at most with include_self. Then the network keeps
  /// one shared log, and blocked senders stand in one queue.
  virtual bool sends_to_all() const { return false; }

  /// True if decide() looks at nothing of a message but its destination, and answers two of one
  /// port and destination alike unless a hook was called in between. Then it is not asked for
  /// each of several messages in a row.
  virtual bool decides_by_destination() const { return false; }

  virtual Verdict decide(Port from, std::span<const std::byte> window, const MessageMeta& meta) = 0;

  /// Hooks. The emitter stays valid until network_ended().
  virtual Result<void> network_made(Emitter& /*emitter*/) { return {}; }
  virtual void network_ended() {}
  /// The network is to have another number of ports; an error vetoes.
  virtual Result<void> network_resized(std::uint32_t /*ports*/) { return {}; }
  /// A node connects. Chooses a free port below table.size(), `wanted` if it is
  /// given; EADDRINUSE, EADDRNOTAVAIL.
  virtual Result<Port> port_asked(std::optional<Port> wanted, const PortTable& table);
  /// The node is active: messages to the port are delivered.
  virtual void port_added(Port /*port*/) {}
  /// The node is still active, but leaves when this returns.
  virtual void port_about_to_go(Port /*port*/) {}
  virtual void port_gone(Port /*port*/) {}
  virtual Result<void> set_option(Port /*from*/, std::uint32_t name, std::span<const std::byte>);
  virtual Result<std::size_t> get_option(Port /*from*/, std::uint32_t name, std::span<std::byte>);
  /// In and out share the buffer; returns how many bytes are the answer.
  virtual Result<std::size_t> command(Port /*from*/, std::uint32_t command, std::span<std::byte>);
  /// How often timer() is wanted; 0: never. Fixed for the life of the policy.
  virtual TimeNs timer_period() const { return 0; }
  virtual void timer(TimeNs /*now*/) {}
};

using PolicyFactory = std::function<std::unique_ptr<Policy>()>;

/// A policy that networks can be made with.
struct PolicyType {
  std::uint32_t number = 0;  ///< IPN_BROADCAST...
  std::string name;
  PolicyFactory make;
};

}  // namespace ipn
