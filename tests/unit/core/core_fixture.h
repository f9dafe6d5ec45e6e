// SPDX-License-Identifier: MIT
#pragma once

// What the tests of the core share: a switch whose memory are vectors, whose
// sinks write down what they are told, and whose clock stands still.

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "switchcore/core/switch.h"
#include "switchcore/policy/broadcast.h"

#include <ipn/ioctl.h>

namespace ipn::test {

class VectorStorage final : public LogStorage {
 public:
  explicit VectorStorage(std::uint64_t bytes) : words_((bytes + 7) / 8), bytes_(bytes) {}
  std::span<std::byte> bytes() override {
    return std::as_writable_bytes(std::span(words_)).first(bytes_);
  }
  int descriptor() const override { return 0; }  // nobody uses it as one

 private:
  std::vector<std::uint64_t> words_;  // aligned as a mapping would be
  std::uint64_t bytes_;
};

inline std::unique_ptr<LogStorage> storage_for_ring(std::uint64_t ring_bytes) {
  return std::make_unique<VectorStorage>(Log::storage_bytes(ring_bytes));
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline ring::Pieces pieces_of(std::string_view text) { return {bytes_of(text), {}}; }

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Credentials user(std::uint32_t uid) {
  Credentials who;
  who.uid = Uid{uid};
  who.gid = Gid{uid};
  who.pid = 1000 + uid;
  who.umask = 0;
  who.program = "test";
  return who;
}

/// One open file of a test: keeps what its sink was told.
class Member final : public NodeSink {
 public:
  struct Sent {
    const ParkedSend* send;
    SendOutcome outcome;
  };

  void on_ready(Node&) override {
    ++readies;
    if (when_ready) when_ready();
  }

  Node& operator*() const { return *node; }
  Node* operator->() const { return node; }

  Node* node = nullptr;
  int readies = 0;
  std::vector<Sent> done;
  std::function<void()> when_ready, when_done;
};

/// A message that waits, with its bytes.
struct Parked {
  class Send final : public ParkedSend {
   public:
    void on_done(const SendOutcome& outcome) override {
      if (member == nullptr) return;
      member->done.push_back({this, outcome});
      if (member->when_done) member->when_done();
    }
    Member* member = nullptr;
  };
  explicit Parked(std::string text) : bytes(std::move(text)) {
    send.message.payload = pieces_of(bytes);
  }
  std::string bytes;
  Send send;
};

class Observer final : public SwitchObserver {
 public:
  struct Eviction {
    std::string network, program;
    std::uint32_t port, pid;
    TimeNs blocked_ns;
  };
  void on_networks_changed() override { ++changes; }
  void on_evicted(const Network& network, const Node& node, TimeNs blocked_ns) override {
    evictions.push_back({network.config().name, node.credentials().program, node.port()->value,
                         node.credentials().pid, blocked_ns});
  }
  void on_cut_off(const Network&, const Node& node, std::string_view reason) override {
    cut_off.emplace_back(node.credentials().program + ": " + std::string(reason));
  }
  int changes = 0;
  std::vector<Eviction> evictions;
  std::vector<std::string> cut_off;
};

/// A switch and what is around it.
class World {
 public:
  explicit World(const Limits& limits = {})
      : core(
            limits,
            [this](std::uint64_t bytes) -> Result<std::unique_ptr<LogStorage>> {
              if (storages_left == 0) return Error{ENOMEM, "test: no memory (have some)"};
              --storages_left;
              return std::unique_ptr<LogStorage>(std::make_unique<VectorStorage>(bytes));
            },
            observer) {
    core.add_policy(broadcast_policy());
    core.begin_round(clock);
  }

  void advance(TimeNs by) {
    clock.monotonic += by;
    clock.realtime += by;
    core.begin_round(clock);
    core.run_timers();
    core.dispatch();
  }

  const Network& add(NetworkConfig config, const Credentials& who = user(0)) {
    if (config.policy == IPN_ANY) config.policy = IPN_BROADCAST;
    if (config.owner == Uid{}) config.owner = who.uid;
    if (config.group == Gid{}) config.group = who.gid;
    auto made = core.add_network(config, who, false);
    EXPECT_TRUE(made) << (made ? "" : made.error().text);
    return **made;
  }

  Member& open() {
    Member& member = members.emplace_back();
    auto node = core.open_node(Door::kDevice, member);
    EXPECT_TRUE(node);
    member.node = *node;
    return member;
  }
  int bind(Member& member, std::string_view name, const Credentials& who = user(0),
           std::uint32_t policy = IPN_BROADCAST) {
    return code(core.bind(*member, {name, policy, 0, {}}, who));
  }
  int connect(Member& member, std::string_view name, const Credentials& who = user(0),
              std::uint32_t roles = 0, std::optional<Port> port = {},
              std::uint32_t policy = IPN_ANY) {
    return code(core.connect(*member, {name, policy, roles, port}, who));
  }
  /// A node that is connected.
  Member& join(std::string_view name, const Credentials& who = user(0), std::uint32_t roles = 0) {
    Member& member = open();
    EXPECT_EQ(connect(member, name, who, roles), 0);
    core.dispatch();
    member.readies = 0;
    return member;
  }
  void close(Member& member) {
    core.close_node(*member);
    member.node = nullptr;
    core.dispatch();
  }

  /// The errno, 0 if it was sent, EAGAIN if it would block.
  int send(Member& member, std::string_view text, std::uint64_t destination = 0) {
    last = core.send(*member, {pieces_of(text), destination, 0});
    core.dispatch();
    if (last.kind == SendOutcome::Kind::kWouldBlock) return EAGAIN;
    return last.kind == SendOutcome::Kind::kSent ? 0 : last.error;
  }
  /// Sends a message that has to wait.
  void park(Member& member, Parked& parked) {
    last = core.send(*member, parked.send.message);
    ASSERT_EQ(last.kind, SendOutcome::Kind::kWouldBlock);
    parked.send.member = &member;
    ASSERT_EQ(core.park(parked.send), 0);
    core.dispatch();
  }
  /// The next message; "<empty>", "<end>" or "<errno N>".
  std::string receive(Member& member) {
    const RecvOutcome got = core.peek(*member);
    switch (got.kind) {
      case RecvOutcome::Kind::kWouldBlock:
        return "<empty>";
      case RecvOutcome::Kind::kEnd:
        return "<end>";
      case RecvOutcome::Kind::kRefused:
        return "<errno " + std::to_string(got.error) + ">";
      case RecvOutcome::Kind::kMessage:
        break;
    }
    received = got.message;
    std::string text = text_of(got.message.payload);
    core.consume(*member);
    core.dispatch();
    return text;
  }
  std::vector<std::string> receive_all(Member& member) {
    std::vector<std::string> all;
    for (std::string text = receive(member); text[0] != '<'; text = receive(member)) {
      all.push_back(std::move(text));
    }
    return all;
  }

  template <typename T>
  static int code(const Result<T>& result) {
    if (result) return 0;
    EXPECT_FALSE(result.error().text.empty());
    return result.error().code;
  }

  Clock clock{1'000 * kSecond, 1'700'000'000 * kSecond};
  int storages_left = 1'000'000;
  Observer observer;
  std::deque<Member> members;  // outlive the switch
  Switch core;
  SendOutcome last;
  Incoming received;
};

inline NetworkConfig config_of(std::string name, std::uint32_t flags = 0) {
  NetworkConfig config;
  config.name = std::move(name);
  config.policy = IPN_BROADCAST;
  config.flags = flags | IPN_NET_PERSISTENT;
  return config;
}

/// Tests that hold for the shared log and for private ones.
class BothKinds : public testing::TestWithParam<std::uint32_t> {
 protected:
  static bool is_shared() { return (GetParam() & IPN_NET_CONFIDENTIAL) == 0; }
  static NetworkConfig lossless(std::string name) {
    return config_of(std::move(name), GetParam() | IPN_NET_LOSSLESS);
  }
  static NetworkConfig lossy(std::string name) { return config_of(std::move(name), GetParam()); }
  World world;
};

inline std::string kind_name(const testing::TestParamInfo<std::uint32_t>& info) {
  return (info.param & IPN_NET_CONFIDENTIAL) == 0 ? "SharedLog" : "PrivateLogs";
}

}  // namespace ipn::test

/// Runs the tests of a class derived from BothKinds with both kinds of log.
#define IPN_BOTH_KINDS(suite)                                                                \
  INSTANTIATE_TEST_SUITE_P(Logs, suite, testing::Values(0u, unsigned{IPN_NET_CONFIDENTIAL}), \
                           ipn::test::kind_name)
