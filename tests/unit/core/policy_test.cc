// SPDX-License-Identifier: MIT
// A policy of the test that addresses single ports: what a network makes of every
// verdict, of what a policy emits, and in which order it calls the hooks.
#include "switchcore/core/policy.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/unit/core/core_fixture.h"

namespace ipn::test {
namespace {

using Texts = std::vector<std::string>;

/// What the test tells its policy, and what the policy tells the test.
struct Script {
  Verdict next = Verdict::drop(DropReason::kPolicy);
  std::vector<Port> ports;  ///< of `next`, if it says some()
  std::function<Result<Port>(std::optional<Port>, const PortTable&)> choose;
  int refuse_made = 0, refuse_resized = 0;
  TimeNs period = 0;
  std::uint32_t window = 0;
  std::string seen;  ///< the window of the last message
  MessageMeta meta;
  Port from;
  Emitter* emitter = nullptr;
  std::function<void(Port)> on_added, on_about_to_go;
  Texts hooks;
};

class ScriptedPolicy final : public Policy {
 public:
  explicit ScriptedPolicy(Script& script) : script_(script) {}

  std::uint32_t window() const override { return script_.window; }
  Verdict decide(Port from, std::span<const std::byte> window, const MessageMeta& meta) override {
    script_.from = from;
    script_.seen = text_of(window);
    script_.meta = meta;
    return script_.next;
  }
  Result<void> network_made(Emitter& emitter) override {
    note("made");
    script_.emitter = &emitter;
    if (script_.refuse_made != 0) return Error{script_.refuse_made, "test: made (do not ask)"};
    return {};
  }
  void network_ended() override { note("ended"); }
  Result<void> network_resized(std::uint32_t ports) override {
    note("resized " + std::to_string(ports));
    if (script_.refuse_resized != 0) return Error{script_.refuse_resized, "test: resized (no)"};
    return {};
  }
  Result<Port> port_asked(std::optional<Port> wanted, const PortTable& table) override {
    note("asked");
    return script_.choose ? script_.choose(wanted, table) : Policy::port_asked(wanted, table);
  }
  void port_added(Port port) override {
    note("added " + std::to_string(port.value));
    if (script_.on_added) script_.on_added(port);
  }
  void port_about_to_go(Port port) override {
    note("about to go " + std::to_string(port.value));
    if (script_.on_about_to_go) script_.on_about_to_go(port);
  }
  void port_gone(Port port) override { note("gone " + std::to_string(port.value)); }
  Result<void> set_option(Port from, std::uint32_t name, std::span<const std::byte> v) override {
    note("set " + std::to_string(from.value) + " " + std::to_string(name) + " " + text_of(v));
    return {};
  }
  TimeNs timer_period() const override { return script_.period; }
  void timer(TimeNs now) override { note("timer " + std::to_string(now / kMillisecond)); }

 private:
  void note(std::string hook) { script_.hooks.push_back(std::move(hook)); }
  Script& script_;
};

constexpr std::uint32_t kScripted = 5;

class PolicyTest : public testing::Test {
 protected:
  PolicyTest() {
    world.core.add_policy(
        {kScripted, "scripted", [this] { return std::make_unique<ScriptedPolicy>(script); }});
  }
  const Network& make(std::uint32_t flags = 0, std::uint32_t pool = 2, std::uint32_t mtu = 100) {
    NetworkConfig config = config_of("net", flags);
    config.policy = kScripted;
    config.pool = pool;
    config.mtu = mtu;
    return world.add(config);
  }
  void to(std::vector<Port> ports) {
    script.ports = std::move(ports);
    script.next = Verdict::deliver(Destinations::some(script.ports));
  }
  static std::uint64_t dropped(Member& member, DropReason reason) {
    return member->counters().drops[reason];
  }

  Script script;
  World world;
};

// Verdicts --------------------------------------------------------------------------

TEST_F(PolicyTest, SeesTheFirstBytesTheLengthAndTheDestination) {
  script.window = 8;
  make();
  Member& sender = world.join("net");
  ASSERT_EQ(world.core.send(*sender, {{bytes_of("abc"), bytes_of("defghijk")}, 77, 2}).kind,
            SendOutcome::Kind::kSent);
  EXPECT_EQ(script.seen, "abcdefgh");
  EXPECT_EQ(script.meta.length, 11u);
  EXPECT_EQ(script.meta.destination, 77u);
  EXPECT_EQ(script.meta.hops, 2);
  EXPECT_EQ(script.from, *sender->port());
  ASSERT_EQ(world.send(sender, "xy"), 0);
  EXPECT_EQ(script.seen, "xy") << "a short message is all there is";
}

TEST_F(PolicyTest, DeliversToThePortsOfTheVerdictAndNobodyElse) {
  make();
  Member& sender = world.join("net");
  Member& one = world.join("net");
  Member& two = world.join("net");
  to({Port{2}});
  EXPECT_EQ(world.send(sender, "two"), 0);
  EXPECT_EQ(world.last.receivers, 1u);
  script.next = Verdict::deliver(Destinations::one(Port{1}));
  EXPECT_EQ(world.send(sender, "one"), 0);
  script.next = Verdict::deliver(Destinations::all());
  EXPECT_EQ(world.send(sender, "all"), 0);
  EXPECT_EQ(world.last.receivers, 2u);
  EXPECT_EQ(world.receive_all(one), (Texts{"one", "all"}));
  EXPECT_EQ(world.receive_all(two), (Texts{"two", "all"}));
  EXPECT_EQ(world.receive(sender), "<empty>");
}

TEST_F(PolicyTest, PortsThatAreNotThereReceiveNothingAndThatIsCounted) {
  const Network& network = make();
  Member& sender = world.join("net");
  world.join("net", user(0), IPN_ROLE_SEND);
  to({Port{1}, Port{7}, Port{31}, Port{1000}});
  EXPECT_EQ(world.send(sender, "m"), 0);
  EXPECT_EQ(world.last.receivers, 0u);
  EXPECT_EQ(dropped(sender, DropReason::kNoReceiver), 1u);
  to({Port{0}});
  EXPECT_EQ(world.send(sender, "to itself"), 0);
  script.next = Verdict::deliver(Destinations::none());
  EXPECT_EQ(world.send(sender, "to none"), 0);
  EXPECT_EQ(network.drops()[DropReason::kNoReceiver], 3u);
}

TEST_F(PolicyTest, IncludeSelfGivesTheSenderItsOwnMessage) {
  make();
  Member& sender = world.join("net");
  Member& other = world.join("net");
  to({Port{0}, Port{1}});
  script.next.include_self = true;
  EXPECT_EQ(world.send(sender, "m"), 0);
  EXPECT_EQ(world.last.receivers, 2u);
  EXPECT_EQ(world.receive(sender), "m");
  EXPECT_EQ(world.receive(other), "m");
  to({Port{1}});
  script.next.include_self = true;
  EXPECT_EQ(world.send(sender, "n"), 0) << "only if it is addressed";
  EXPECT_EQ(world.receive(sender), "<empty>");
}

TEST_F(PolicyTest, DropsForAnyReasonWhileTheSenderSeesSuccess) {
  const Network& network = make(IPN_NET_LOSSLESS);
  Member& sender = world.join("net");
  Member& other = world.join("net");
  for (const DropReason reason :
       {DropReason::kPolicy, DropReason::kHopLimit, DropReason::kMalformed, DropReason::kExpired}) {
    script.next = Verdict::drop(reason);
    EXPECT_EQ(world.send(sender, "m"), 0);
    EXPECT_EQ(dropped(sender, reason), 1u);
    EXPECT_EQ(network.drops()[reason], 1u);
  }
  EXPECT_EQ(world.receive(other), "<empty>");
  EXPECT_EQ(sender->counters().msgs_in, 4u);
}

TEST_F(PolicyTest, RefusesWithItsErrno) {
  make();
  Member& sender = world.join("net");
  script.next = Verdict::refuse(EHOSTUNREACH);
  EXPECT_EQ(world.send(sender, "m"), EHOSTUNREACH);
  EXPECT_EQ(sender->counters().msgs_in, 0u);
  EXPECT_EQ(sender->counters().drops.total(), 0u);
}

TEST_F(PolicyTest, TruncateCutsInsteadOfRefusing) {
  make(0, 2, 10);
  Member& sender = world.join("net");
  Member& other = world.join("net");
  script.next = Verdict::deliver(Destinations::all());
  EXPECT_EQ(world.send(sender, "0123456789x"), EMSGSIZE);
  script.next.truncate = true;
  EXPECT_EQ(world.send(sender, "0123456789x"), 0);
  ASSERT_EQ(world.core.send(*sender, {{bytes_of("abcdefgh"), bytes_of("ijkl")}, 0, 0}).kind,
            SendOutcome::Kind::kSent);
  EXPECT_EQ(world.receive_all(other), (Texts{"0123456789", "abcdefghij"}));
}

// Queues per receiver ----------------------------------------------------------------

TEST_F(PolicyTest, AFullReceiverBlocksOnlyThoseWhoSendToIt) {
  make(IPN_NET_LOSSLESS);
  Member& a = world.join("net", user(0), IPN_ROLE_SEND);
  Member& b = world.join("net", user(0), IPN_ROLE_SEND);
  Member& full = world.join("net");
  Member& free = world.join("net");
  to({Port{2}});
  EXPECT_EQ(world.send(a, "1"), 0);
  EXPECT_EQ(world.send(a, "2"), 0);
  Parked third("3");
  world.park(a, third);
  EXPECT_EQ(world.send(b, "overtakes"), EAGAIN);
  to({Port{3}});
  EXPECT_EQ(world.send(b, "elsewhere"), 0);
  to({Port{2}});
  EXPECT_EQ(world.receive(free), "elsewhere");
  EXPECT_EQ(world.receive(full), "1");
  EXPECT_EQ(a.done.size(), 1u);
  EXPECT_EQ(world.receive_all(full), (Texts{"2", "3"}));
}

TEST_F(PolicyTest, AMessageToSeveralWaitsForEachAndReachesAllAtOnce) {
  make(IPN_NET_LOSSLESS, 1);
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& x = world.join("net");
  Member& y = world.join("net");
  script.next = Verdict::deliver(Destinations::all());
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  EXPECT_EQ(world.receive(x), "1");
  EXPECT_EQ(world.receive(x), "<empty>");
  EXPECT_TRUE(sender.done.empty());
  EXPECT_EQ(world.receive(y), "1");
  EXPECT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(world.receive(x), "2");
  EXPECT_EQ(world.receive(y), "2");
}

TEST_F(PolicyTest, WhoWaitedForAReceiverThatLeftIsTriedAgain) {
  make(IPN_NET_LOSSLESS, 1);
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& x = world.join("net");
  Member& y = world.join("net");
  script.next = Verdict::deliver(Destinations::all());
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2"), third("3");
  world.park(sender, second);
  world.park(sender, third);
  world.close(x);
  EXPECT_TRUE(sender.done.empty()) << "y has no room either";
  EXPECT_EQ(world.receive(y), "1");
  EXPECT_EQ(world.receive(y), "2");
  EXPECT_EQ(world.receive(y), "3");
  EXPECT_EQ(sender.done.size(), 2u);
  EXPECT_EQ(sender->network()->blocked_senders(), 0u);
}

TEST_F(PolicyTest, PolloutMeansThatEveryPossibleReceiverHasRoom) {
  make(IPN_NET_LOSSLESS, 1);
  Member& sender = world.join("net");
  Member& x = world.join("net");
  world.join("net");
  to({Port{1}});
  EXPECT_TRUE(world.core.readiness(*sender).writable);
  ASSERT_EQ(world.send(sender, "1"), 0);
  EXPECT_FALSE(world.core.readiness(*sender).writable) << "the next may be for x";
  EXPECT_TRUE(world.core.readiness(*x).writable) << "x does not send to itself";
  world.core.want(*sender, kWantWritable);
  world.receive(x);
  EXPECT_EQ(sender.readies, 1);
  EXPECT_TRUE(world.core.readiness(*sender).writable);
}

TEST_F(PolicyTest, SkipFullNeverBlocksAndCountsAtTheFullReceiver) {
  make(IPN_NET_LOSSLESS, 1);
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& full = world.join("net");
  Member& free = world.join("net");
  to({Port{1}});
  ASSERT_EQ(world.send(sender, "1"), 0);
  script.next = Verdict::deliver(Destinations::all());
  script.next.skip_full = true;
  EXPECT_EQ(world.send(sender, "2"), 0);
  EXPECT_EQ(world.last.receivers, 1u);
  EXPECT_EQ(dropped(full, DropReason::kLogFull), 1u);
  EXPECT_EQ(world.receive_all(free), (Texts{"2"}));
  EXPECT_EQ(world.receive_all(full), (Texts{"1"}));
  EXPECT_EQ(world.send(sender, "3"), 0);
  EXPECT_EQ(world.receive(full), "3");
  EXPECT_EQ(world.received.lost, 1u);
}

TEST_F(PolicyTest, SkipFullDoesNotOvertakeWhoWaits) {
  make(IPN_NET_LOSSLESS, 100, 1000);
  NetworkChange change;
  change.log_bytes = 8192;
  ASSERT_TRUE(world.core.change_network(NetworkId{1}, change, 0, user(0)));
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& reader = world.join("net");
  to({Port{1}});
  while (world.send(sender, std::string(1000, 'f')) == 0) {
  }
  Parked large(std::string(1000, 'L'));
  world.park(sender, large);
  script.next.skip_full = true;
  EXPECT_EQ(world.send(sender, "small"), 0);
  EXPECT_EQ(world.last.receivers, 0u);
  EXPECT_EQ(dropped(reader, DropReason::kLogFull), 1u);
  script.next.skip_full = false;
  world.core.cancel(large.send);
}

TEST_F(PolicyTest, AllOrNoneIsLostForAllAndChargedToWhoWasFull) {
  make(0, 1);
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& full = world.join("net");
  Member& free = world.join("net");
  to({Port{1}});
  ASSERT_EQ(world.send(sender, "1"), 0);
  script.next = Verdict::deliver(Destinations::all());
  script.next.all_or_none = true;
  EXPECT_EQ(world.send(sender, "2"), 0);
  EXPECT_EQ(world.last.receivers, 0u);
  EXPECT_EQ(dropped(full, DropReason::kLogFull), 2u);
  EXPECT_EQ(dropped(free, DropReason::kLogFull), 0u);
  EXPECT_EQ(world.receive(free), "<empty>");
  EXPECT_EQ(world.receive(full), "1");
  EXPECT_EQ(world.send(sender, "3"), 0);
  EXPECT_EQ(world.receive(free), "3");
  EXPECT_EQ(world.received.lost, 1u);
  EXPECT_EQ(world.receive(full), "3");
}

TEST_F(PolicyTest, TheDeadlineMeetsTheReceiverThatIsInTheWay) {
  NetworkChange deadline;
  deadline.deadline_ms = 1000;
  const Network& network = make(IPN_NET_LOSSLESS, 1);
  ASSERT_TRUE(world.core.change_network(network.id(), deadline, 0, user(0)));
  Member& sender = world.join("net", user(0), IPN_ROLE_SEND);
  Member& culprit = world.join("net");
  Member& other = world.join("net");
  to({Port{2}});
  ASSERT_EQ(world.send(sender, "1"), 0);
  to({Port{1}});
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  world.advance(kSecond);
  EXPECT_EQ(culprit->state(), Node::State::kEnded);
  EXPECT_EQ(other->state(), Node::State::kConnected) << "full, and in nobody's way";
  EXPECT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(dropped(sender, DropReason::kNoReceiver), 1u);
}

// Emitter ------------------------------------------------------------------------------

TEST_F(PolicyTest, EmitsWithoutBlockingAndCountsWhatFindsNoRoom) {
  const Network& network = make(IPN_NET_LOSSLESS, 1);
  Member& a = world.join("net");
  Member& b = world.join("net");
  script.emitter->emit(Destinations::all(), bytes_of("hello"));
  EXPECT_EQ(network.drops().total(), 0u);
  EXPECT_EQ(world.receive(a), "hello");
  EXPECT_EQ(world.received.source, NodeId{}) << "from no node";
  script.emitter->emit(Destinations::all(), bytes_of("again"));
  EXPECT_EQ(dropped(b, DropReason::kLogFull), 1u);
  EXPECT_EQ(world.receive(a), "again");
  EXPECT_EQ(world.receive(b), "hello");
  EXPECT_EQ(network.msgs(), 0u) << "nobody sent it";
}

TEST_F(PolicyTest, EmittedMessagesWithoutAReceiverOrTooLongAreCountedAtTheNetwork) {
  const Network& network = make(0, 2, 100);
  script.emitter->emit(Destinations::all(), bytes_of("nobody"));
  EXPECT_EQ(network.drops()[DropReason::kNoReceiver], 1u);
  Member& a = world.join("net");
  script.emitter->emit(Destinations::one(Port{9}), bytes_of("nobody"));
  EXPECT_EQ(network.drops()[DropReason::kNoReceiver], 2u);
  const std::string too_long(101, 'x');
  script.emitter->emit(Destinations::all(), bytes_of(too_long));
  EXPECT_EQ(network.drops()[DropReason::kTooLong], 1u);
  EXPECT_EQ(world.receive(a), "<empty>");
  ASSERT_TRUE(world.core.end_network(network.id(), user(0)));
  script.emitter->emit(Destinations::all(), bytes_of("late"));
  EXPECT_EQ(network.drops()[DropReason::kClosed], 1u);
  EXPECT_EQ(world.receive(a), "<end>") << "a network that ends only drains";
}

TEST_F(PolicyTest, WelcomesAndSaysGoodbye) {  // [93]
  make(0, 8);
  script.on_added = [&](Port port) {
    script.emitter->emit(Destinations::one(port), bytes_of("welcome"));
  };
  script.on_about_to_go = [&](Port) {
    script.emitter->emit(Destinations::all(), bytes_of("goodbye"));
  };
  Member& a = world.join("net");
  Member& b = world.join("net");
  world.core.want(*b, kWantReadable);
  world.close(a);
  EXPECT_EQ(b.readies, 1);
  EXPECT_EQ(world.receive_all(b), (Texts{"welcome", "goodbye"}));
}

// Hooks --------------------------------------------------------------------------------

TEST_F(PolicyTest, HooksComeInTheOrderOfEvents) {
  const Network& network = make();
  Member& a = world.join("net");
  Member& b = world.join("net");
  Member& bound = world.open();
  ASSERT_EQ(world.bind(bound, "net", user(0), kScripted), 0);
  world.close(a);
  ASSERT_TRUE(world.core.kick(b->id(), user(0)));
  ASSERT_TRUE(world.core.end_network(network.id(), user(0)));
  EXPECT_EQ(script.hooks.back(), "gone 1") << "the bound node is still there";
  world.close(bound);
  EXPECT_EQ(script.hooks, (Texts{"made", "asked", "added 0", "asked", "added 1", "about to go 0",
                                 "gone 0", "about to go 1", "gone 1", "ended"}));
}

TEST_F(PolicyTest, AsksForAPortAndMayRefuseOrChoose) {  // [39]
  make();
  script.choose = [](std::optional<Port>, const PortTable&) -> Result<Port> {
    return Error{EPERM, "test: no (ask another one)"};
  };
  Member& member = world.open();
  EXPECT_EQ(world.connect(member, "net", user(4)), EPERM);
  EXPECT_EQ(member->state(), Node::State::kFree);
  EXPECT_TRUE(world.core.account_of(Uid{4}).is_empty());
  script.choose = [](std::optional<Port> wanted, const PortTable& table) -> Result<Port> {
    EXPECT_EQ(wanted, Port{3});
    EXPECT_EQ(table.size(), 32u);
    return Port{9};
  };
  EXPECT_EQ(world.connect(member, "net", user(4), 0, Port{3}), 0);
  EXPECT_EQ(member->port(), Port{9});
}

TEST_F(PolicyTest, APortThatIsNotFreeIsNotGivenWhateverThePolicySays) {
  make();
  script.choose = [](std::optional<Port>, const PortTable&) -> Result<Port> { return Port{4}; };
  world.join("net");
  EXPECT_EQ(world.connect(world.open(), "net"), EADDRINUSE);
  script.choose = [](std::optional<Port>, const PortTable&) -> Result<Port> { return Port{32}; };
  EXPECT_EQ(world.connect(world.open(), "net"), EADDRNOTAVAIL);
}

TEST_F(PolicyTest, APolicyThatRefusesTheNetworkIsNotToldOfItsEnd) {
  script.refuse_made = ENOSPC;
  NetworkConfig config = config_of("net");
  config.policy = kScripted;
  EXPECT_EQ(World::code(world.core.add_network(config, user(0), false)), ENOSPC);
  EXPECT_EQ(script.hooks, (Texts{"made"}));
  EXPECT_TRUE(world.core.account_of(Uid{0}).is_empty());
  EXPECT_FALSE(world.core.find_network({}, "net"));
}

TEST_F(PolicyTest, MayVetoAnotherNumberOfPorts) {  // [76]
  const Network& network = make();
  NetworkChange ports;
  ports.ports = 64;
  script.refuse_resized = EPERM;
  EXPECT_EQ(World::code(world.core.change_network(network.id(), ports, 0, user(0))), EPERM);
  EXPECT_EQ(network.config().ports, 32u);
  script.refuse_resized = 0;
  EXPECT_TRUE(world.core.change_network(network.id(), ports, 0, user(0)));
  EXPECT_EQ(network.config().ports, 64u);
}

TEST_F(PolicyTest, HearsWhenAnotherNumberOfPortsComesToNothing) {
  const Network& network = make();
  world.join("net");
  world.storages_left = 0;
  NetworkChange change;
  change.ports = 64;
  change.mtu = 9000;
  EXPECT_EQ(World::code(world.core.change_network(network.id(), change, 0, user(0))), ENOMEM);
  EXPECT_EQ(network.config().ports, 32u);
  EXPECT_EQ(script.hooks.back(), "resized 32");
}

TEST_F(PolicyTest, ItsTimerRunsByThePeriod) {
  script.period = 250 * kMillisecond;
  make();
  const TimeNs start = world.clock.monotonic;
  EXPECT_EQ(world.core.next_timer(), start + 250 * kMillisecond);
  world.advance(249 * kMillisecond);
  EXPECT_EQ(script.hooks, (Texts{"made"}));
  world.advance(1 * kMillisecond);
  const std::string now = std::to_string(world.clock.monotonic / kMillisecond);
  EXPECT_EQ(script.hooks, (Texts{"made", "timer " + now}));
  EXPECT_EQ(world.core.next_timer(), start + 500 * kMillisecond);
  ASSERT_TRUE(world.core.end_network(NetworkId{1}, user(0)));
  EXPECT_FALSE(world.core.next_timer().has_value());
}

TEST_F(PolicyTest, OptionsReachThePolicyOfTheirNumber) {  // [71, 89]
  make();
  Member& member = world.open();
  const auto set = [&](std::uint32_t policy) {
    return World::code(world.core.set_policy_option(*member, policy, 3, bytes_of("value")));
  };
  EXPECT_EQ(set(kScripted), EPROTONOSUPPORT);
  ASSERT_EQ(world.bind(member, "net", user(0), kScripted), 0);
  EXPECT_EQ(set(kScripted), ENOTCONN);
  ASSERT_EQ(world.connect(member, "net"), 0);
  EXPECT_EQ(set(kScripted + 1), EPROTONOSUPPORT);
  EXPECT_EQ(set(kScripted), 0);
  EXPECT_EQ(script.hooks.back(), "set 0 3 value");
  std::byte data[4] = {};
  EXPECT_EQ(World::code(world.core.get_policy_option(*member, kScripted, 3, data)), EOPNOTSUPP);
  ASSERT_TRUE(world.core.kick(member->id(), user(0)));
  EXPECT_EQ(set(kScripted), EPROTONOSUPPORT);
}

TEST_F(PolicyTest, APolicyOfATakenNumberCannotBeAdded) {
  EXPECT_DEATH(world.core.add_policy(broadcast_policy()), "assertion failed");
}

// A shared log that gives senders their own messages -------------------------------------

class EchoPolicy final : public Policy {
 public:
  bool sends_to_all() const override { return true; }
  Verdict decide(Port, std::span<const std::byte>, const MessageMeta&) override {
    Verdict verdict = Verdict::deliver(Destinations::all());
    verdict.include_self = true;
    return verdict;
  }
};

class Echo : public BothKinds {
 protected:
  Echo() {
    world.core.add_policy({6, "echo", [] { return std::make_unique<EchoPolicy>(); }});
  }
};
IPN_BOTH_KINDS(Echo);

class LyingPolicy final : public Policy {
 public:
  bool sends_to_all() const override { return true; }
  Verdict decide(Port, std::span<const std::byte>, const MessageMeta&) override {
    return Verdict::deliver(Destinations::one(Port{0}));
  }
};

TEST_P(Echo, APolicyThatSaysItSendsToAllHasToSendToAll) {
  world.core.add_policy({7, "lying", [] { return std::make_unique<LyingPolicy>(); }});
  NetworkConfig config = lossy("net");
  config.policy = 7;
  world.add(config);
  Member& sender = world.join("net");
  world.join("net");
  EXPECT_DEATH(world.send(sender, "m"), "assertion failed");
}

TEST_P(Echo, IsRoomLikeAnybodyElses) {
  NetworkConfig config = lossless("net");
  config.policy = 6;
  config.pool = 2;
  world.add(config);
  Member& a = world.join("net");
  ASSERT_EQ(world.send(a, "1"), 0);
  EXPECT_EQ(world.last.receivers, 1u);
  ASSERT_EQ(world.send(a, "2"), 0);
  EXPECT_EQ(world.send(a, "3"), EAGAIN);
  EXPECT_EQ(world.receive_all(a), (Texts{"1", "2"}));
}

TEST_P(Echo, IsLostWithTheOthersMessages) {
  NetworkConfig config = lossy("net");
  config.policy = 6;
  config.pool = 2;
  world.add(config);
  Member& a = world.join("net");
  Member& b = world.join("net");
  for (int i = 0; i < 5; ++i) ASSERT_EQ(world.send(a, std::to_string(i)), 0);
  EXPECT_EQ(world.receive_all(a), world.receive_all(b));
  EXPECT_EQ(a->counters().drops.total(), 3u);
  EXPECT_EQ(b->counters().drops.total(), 3u);
}

}  // namespace
}  // namespace ipn::test
