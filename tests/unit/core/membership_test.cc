// SPDX-License-Identifier: MIT
// bind, connect, options, permissions, shutdown, the life of networks. Numbers in
// brackets are rows of the feature table of AF_IPN and of its errata (D), whose
// reading docs/decisions and ipn(4) give.
#include <gtest/gtest.h>

#include "tests/unit/core/core_fixture.h"

namespace ipn::test {
namespace {

class Membership : public testing::Test {
 protected:
  int set(Member& member, std::uint32_t name, std::uint32_t value) {
    return World::code(world.core.set_option(*member, name, value));
  }
  std::uint32_t get(Member& member, std::uint32_t name) {
    auto value = world.core.get_option(*member, name);
    EXPECT_TRUE(value);
    return value ? *value : ~0u;
  }
  bool exists(std::string_view name) {
    return world.core.find_network(NetworkId{}, name).has_value();
  }
  World world;
};

// Names and ranges ------------------------------------------------------------

TEST_F(Membership, AcceptsTheNamesOfTheRuleAndNoOthers) {
  const std::string longest(107, 'n');
  for (const std::string& good : {std::string("a"), std::string("Z9"), std::string("_x"),
                                  std::string("0"), std::string("a.b:c@d/e-f_g"), longest}) {
    EXPECT_TRUE(check_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string(".a"), std::string("-a"), std::string("/a"), std::string("a b"),
        std::string("a\n"), std::string("a\0b", 3), std::string("\xc3\xa4"), std::string("a%"),
        longest + "n"}) {
    EXPECT_EQ(World::code(check_name(bad)), EINVAL) << bad;
    EXPECT_EQ(world.bind(world.open(), bad), EINVAL) << bad;
    EXPECT_EQ(world.connect(world.open(), bad), EINVAL) << bad;
  }
}

struct Range {
  const char* rows;
  std::uint32_t option, usual, low, high;
};

class OptionRanges : public Membership, public testing::WithParamInterface<Range> {};

TEST_P(OptionRanges, AreKeptAndReadBackBeforeAndAfterBind) {
  const Range& range = GetParam();
  Member& member = world.open();
  EXPECT_EQ(get(member, range.option), range.usual) << range.rows;  // [D31]
  if (range.low > 0) {
    EXPECT_EQ(set(member, range.option, range.low - 1), EINVAL) << range.rows;
  }
  EXPECT_EQ(set(member, range.option, range.high + 1), EINVAL) << range.rows;  // [77, D19]
  EXPECT_EQ(set(member, range.option, 0xffffffffu), EINVAL) << range.rows;
  EXPECT_EQ(get(member, range.option), range.usual) << "a failed call changes nothing";
  EXPECT_EQ(set(member, range.option, range.low), 0) << range.rows;
  EXPECT_EQ(get(member, range.option), range.low) << range.rows;
  EXPECT_EQ(set(member, range.option, range.high), 0) << range.rows;
  ASSERT_EQ(world.bind(member, "net"), 0);
  EXPECT_EQ(get(member, range.option), range.high) << range.rows;          // [81]
  EXPECT_EQ(set(member, range.option, range.low), EISCONN) << range.rows;  // [74]
}

INSTANTIATE_TEST_SUITE_P(Rows, OptionRanges,
                         testing::Values(Range{"[21, 77]", IPN_OPT_MTU, 1514, 1, 65536},
                                         Range{"[18, D17]", IPN_OPT_NUMNODES, 32, 1, 65535},
                                         Range{"[20, 77]", IPN_OPT_MSGPOOLSIZE, 1024, 1, 65535},
                                         Range{"[22, D4]", IPN_OPT_MODE, 0777, 0, 0777}));

TEST_F(Membership, KnowsItsFlagsAndRefusesOthers) {
  Member& member = world.open();
  EXPECT_EQ(get(member, IPN_OPT_FLAGS), 0u);  // [19]
  for (const std::uint32_t flags :
       {4u, 0x80u, unsigned{IPN_NET_TERMINATED}, unsigned{IPN_NET_PERSISTENT}, 0x80000000u}) {
    EXPECT_EQ(set(member, IPN_OPT_FLAGS, flags), EINVAL) << flags;
  }
  const unsigned all = IPN_NET_LOSSLESS | IPN_NET_EXCL | IPN_NET_CONFIDENTIAL;
  EXPECT_EQ(set(member, IPN_OPT_FLAGS, all), 0);
  ASSERT_EQ(world.bind(member, "net"), 0);
  EXPECT_EQ(get(member, IPN_OPT_FLAGS), all);
}

TEST_F(Membership, KnowsNoOtherOption) {  // [80, D29]
  Member& member = world.open();
  for (const std::uint32_t name : {0u, 2u, 4u, 0x40u, 0x7fu, 0x85u, 0xffu, 0xffffffffu}) {
    EXPECT_EQ(set(member, name, 1), ENOPROTOOPT) << name;
    EXPECT_EQ(World::code(world.core.get_option(*member, name)), ENOPROTOOPT) << name;
  }
}

TEST_F(Membership, MakesTheNetworkWithTheOptionsSetBefore) {  // [26]
  Member& maker = world.open();
  ASSERT_EQ(set(maker, IPN_OPT_MTU, 9000), 0);
  ASSERT_EQ(set(maker, IPN_OPT_NUMNODES, 3), 0);
  ASSERT_EQ(set(maker, IPN_OPT_MSGPOOLSIZE, 8), 0);
  ASSERT_EQ(set(maker, IPN_OPT_MODE, 0640), 0);
  Credentials who = user(5);
  who.umask = 0077;
  ASSERT_EQ(world.bind(maker, "net", who), 0);
  const NetworkConfig& config = maker->network()->config();
  EXPECT_EQ(config.mtu, 9000u);
  EXPECT_EQ(config.ports, 3u);
  EXPECT_EQ(config.pool, 8u);
  EXPECT_EQ(config.mode, 0640u) << "what is asked for is not masked";
  EXPECT_EQ(config.owner, Uid{5});
  EXPECT_EQ(config.group, Gid{5});
  EXPECT_EQ(config.deadline_ms, 0u);
  EXPECT_FALSE(config.is_persistent());
}

TEST_F(Membership, TakesTheUmaskFromTheModeThatNobodyAskedFor) {  // [22]
  Member& maker = world.open();
  Credentials who = user(5);
  who.umask = 0027;
  ASSERT_EQ(world.bind(maker, "net", who), 0);
  EXPECT_EQ(get(maker, IPN_OPT_MODE), 0750u);
}

TEST_F(Membership, ForgetsOptionsWhenItJoinsANetworkThatExists) {  // [30]
  Member& maker = world.open();
  ASSERT_EQ(world.bind(maker, "net"), 0);
  Member& other = world.open();
  ASSERT_EQ(set(other, IPN_OPT_MTU, 100), 0);
  ASSERT_EQ(world.bind(other, "net"), 0);
  EXPECT_EQ(get(other, IPN_OPT_MTU), 1514u);
}

// States ----------------------------------------------------------------------

enum class From { kFree, kBound, kConnected, kKicked, kEnded };

struct StateRow {
  const char* rows;
  From from;
  int bind, connect, send, set, shutdown;
  const char* receive;
};

class States : public Membership, public testing::WithParamInterface<StateRow> {
 protected:
  Member& member_in(From state) {
    Member& member = world.open();
    if (state == From::kBound) {
      EXPECT_EQ(world.bind(member, "net"), 0);
    }
    if (state == From::kConnected || state == From::kKicked || state == From::kEnded) {
      EXPECT_EQ(world.connect(member, "net"), 0);
    }
    if (state == From::kKicked) {
      EXPECT_TRUE(world.core.kick(member->id(), user(0)));
    }
    if (state == From::kEnded) {
      EXPECT_TRUE(world.core.end_network(member->network()->id(), user(0)));
    }
    return member;
  }
};

TEST_P(States, AllowWhatTheTableSays) {
  const StateRow& row = GetParam();
  world.add(config_of("net"));
  world.add(config_of("other"));
  EXPECT_EQ(world.bind(member_in(row.from), "other"), row.bind) << row.rows;
  if (row.from == From::kEnded) world.add(config_of("net"));
  EXPECT_EQ(world.connect(member_in(row.from), "other"), row.connect) << row.rows;
  if (row.from == From::kEnded) world.add(config_of("net"));
  Member& member = member_in(row.from);
  EXPECT_EQ(world.send(member, "m"), row.send) << row.rows;
  EXPECT_EQ(world.receive(member), row.receive) << row.rows;
  EXPECT_EQ(set(member, IPN_OPT_MTU, 100), row.set) << row.rows;
  EXPECT_EQ(World::code(world.core.shutdown(*member, true, false)), row.shutdown) << row.rows;
}

INSTANTIATE_TEST_SUITE_P(Rows, States,
                         testing::Values(StateRow{"[44, 54]", From::kFree, 0, 0, ENOTCONN, 0, 0,
                                                  "<errno 107>"},
                                         StateRow{"[25, 32, 34, 74]", From::kBound, EISCONN,
                                                  EISCONN, ENOTCONN, EISCONN, 0, "<errno 107>"},
                                         StateRow{"[25, 33, D6]", From::kConnected, EISCONN,
                                                  EISCONN, 0, EISCONN, 0, "<empty>"},
                                         StateRow{"[45, 70]", From::kKicked, ECONNRESET, ECONNRESET,
                                                  ECONNRESET, ECONNRESET, ECONNRESET, "<end>"},
                                         StateRow{"[45, D34]", From::kEnded, EISCONN, EISCONN,
                                                  ECONNRESET, EISCONN, 0, "<end>"}));

TEST_F(Membership, BindThenConnectNeedsNoName) {  // [34]
  Member& member = world.open();
  ASSERT_EQ(world.bind(member, "net"), 0);
  EXPECT_EQ(member->state(), Node::State::kBound);
  EXPECT_EQ(member->network()->readers(), 0u) << "[32] bound nodes are not counted";
  EXPECT_EQ(member->network()->writers(), 0u);
  ASSERT_EQ(world.connect(member, ""), 0);
  EXPECT_EQ(member->state(), Node::State::kConnected);
  EXPECT_TRUE(member->is_bound());
  EXPECT_EQ(member->network()->readers(), 1u);
  EXPECT_EQ(member->network()->writers(), 1u);
  EXPECT_EQ(member->network()->connected(), 1u);
}

TEST_F(Membership, ABoundNodeConnectsToItsNetworkAndToNoOther) {
  world.add(config_of("other"));
  Member& member = world.open();
  ASSERT_EQ(world.bind(member, "net"), 0);
  EXPECT_EQ(world.connect(member, "other"), EISCONN);
  EXPECT_EQ(world.connect(member, "no"), EISCONN);
  EXPECT_EQ(member->state(), Node::State::kBound);
  EXPECT_EQ(world.connect(member, "net"), 0);
  EXPECT_EQ(member->network()->config().name, "net");
}

TEST_F(Membership, ABoundNodeOfANetworkThatEndsCannotConnectAnyMore) {
  Member& member = world.open();
  ASSERT_EQ(world.bind(member, "net"), 0);
  ASSERT_TRUE(world.core.end_network(member->network()->id(), user(0)));
  EXPECT_TRUE(world.core.readiness(*member).hangup);
  EXPECT_EQ(get(member, IPN_OPT_FLAGS), static_cast<unsigned>(IPN_NET_TERMINATED));
  EXPECT_EQ(world.connect(member, ""), ECONNRESET);
}

TEST_F(Membership, ConnectAnswersWithWhatItGave) {
  world.add(config_of("net"));
  Member& member = world.open();
  auto answer = world.core.connect(*member, {"net", IPN_ANY, 0, Port{5}}, user(3));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->network, member->network());
  EXPECT_EQ(answer->port, Port{5});
  EXPECT_EQ(answer->roles, static_cast<unsigned>(IPN_ROLE_RECV | IPN_ROLE_SEND));
  EXPECT_EQ(answer->next_seq, 1u);
}

// Policies --------------------------------------------------------------------

TEST_F(Membership, AnyAttachesToWhatIsThereAndMakesNothing) {  // [29, D2]
  EXPECT_EQ(world.bind(world.open(), "net", user(0), IPN_ANY), EPROTONOSUPPORT);
  EXPECT_FALSE(exists("net"));
  world.add(config_of("net"));
  Member& member = world.open();
  EXPECT_EQ(world.bind(member, "net", user(0), IPN_ANY), 0);
  EXPECT_EQ(member->network()->config().policy, static_cast<unsigned>(IPN_BROADCAST));
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, {}, IPN_ANY), 0);
}

TEST_F(Membership, AnotherPolicyThanTheNetworksIsRefused) {  // [28, 38, D3]
  world.add(config_of("net"));
  EXPECT_EQ(world.bind(world.open(), "net", user(0), IPN_VDESWITCH), EPROTO);
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, {}, IPN_VDESWITCH), EPROTO);
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, {}, IPN_BROADCAST), 0);
}

TEST_F(Membership, APolicyThatIsNotThereMakesNoNetwork) {  // [5]
  for (const std::uint32_t policy : {2u, 5u, 63u, 64u, 0xffffffffu}) {
    EXPECT_EQ(world.bind(world.open(), "net", user(7), policy), EPROTONOSUPPORT) << policy;
  }
  EXPECT_FALSE(exists("net"));
  EXPECT_EQ(world.core.account_of(Uid{7}).nodes, 0u);
}

TEST_F(Membership, ConnectNeedsANetwork) { EXPECT_EQ(world.connect(world.open(), "no"), ENOENT); }

// EXCL ------------------------------------------------------------------------

TEST_F(Membership, ExclMakesANetworkThatWasNotThereAndThatNobodyElseBinds) {  // [31, D48]
  Member& maker = world.open();
  ASSERT_EQ(set(maker, IPN_OPT_FLAGS, IPN_NET_EXCL), 0);
  ASSERT_EQ(world.bind(maker, "net", user(1)), 0);
  EXPECT_EQ(world.bind(world.open(), "net", user(2)), ECONNREFUSED);
  EXPECT_EQ(world.bind(world.open(), "net", user(0)), ECONNREFUSED);
  Member& second = world.open();
  ASSERT_EQ(set(second, IPN_OPT_FLAGS, IPN_NET_EXCL), 0);
  EXPECT_EQ(world.bind(second, "net", user(2)), EEXIST);
  EXPECT_EQ(world.connect(world.open(), "net", user(2)), 0) << "connect is open to all";
}

// Permissions -----------------------------------------------------------------

struct ModeRow {
  const char* who;
  std::uint32_t uid;
  std::uint32_t mode;
  int bind;     // errno
  int connect;  // errno
  std::uint32_t roles;
};

class Modes : public Membership, public testing::WithParamInterface<ModeRow> {};

TEST_P(Modes, DecideWhoMayBindReceiveAndSend) {  // [27, 35, 36, D5, D7]
  const ModeRow& row = GetParam();
  NetworkConfig config = config_of("net");
  config.owner = Uid{10};
  config.group = Gid{20};
  config.mode = row.mode;
  world.add(config);
  Credentials who = user(row.uid);
  if (row.uid == 11) who.groups = {Gid{4}, Gid{20}};
  SCOPED_TRACE(std::string(row.who) + " mode " + std::to_string(row.mode));
  EXPECT_EQ(world.bind(world.open(), "net", who), row.bind);
  Member& member = world.open();
  EXPECT_EQ(world.connect(member, "net", who), row.connect);
  EXPECT_EQ(member->receives(), (row.roles & IPN_ROLE_RECV) != 0);
  EXPECT_EQ(member->sends(), (row.roles & IPN_ROLE_SEND) != 0);
  // x alone manages, and gives no way to the data. [D7]
  Member& bound = world.open();
  if (world.bind(bound, "net", who) == 0) {
    EXPECT_EQ(world.connect(bound, "", who), row.connect);
  }
}

constexpr std::uint32_t kBoth = IPN_ROLE_RECV | IPN_ROLE_SEND;
INSTANTIATE_TEST_SUITE_P(Rows, Modes,
                         testing::Values(ModeRow{"owner", 10, 0700, 0, 0, kBoth},
                                         ModeRow{"owner", 10, 0077, EACCES, EACCES, 0},
                                         ModeRow{"owner", 10, 0400, EACCES, 0, IPN_ROLE_RECV},
                                         ModeRow{"owner", 10, 0200, EACCES, 0, IPN_ROLE_SEND},
                                         ModeRow{"owner", 10, 0100, 0, EACCES, 0},
                                         ModeRow{"group", 11, 0060, EACCES, 0, kBoth},
                                         ModeRow{"group", 11, 0707, EACCES, EACCES, 0},
                                         ModeRow{"group", 11, 0050, 0, 0, IPN_ROLE_RECV},
                                         ModeRow{"other", 12, 0007, 0, 0, kBoth},
                                         ModeRow{"other", 12, 0770, EACCES, EACCES, 0},
                                         ModeRow{"other", 12, 0004, EACCES, 0, IPN_ROLE_RECV},
                                         ModeRow{"other", 12, 0002, EACCES, 0, IPN_ROLE_SEND},
                                         ModeRow{"root", 0, 0, 0, 0, kBoth}));

TEST_F(Membership, RolesAreWhatIsWantedAndAllowed) {
  NetworkConfig config = config_of("net");
  config.mode = 0004;
  config.owner = Uid{10};
  world.add(config);
  EXPECT_EQ(world.connect(world.open(), "net", user(12), IPN_ROLE_SEND), EACCES);
  Member& member = world.open();
  EXPECT_EQ(world.connect(member, "net", user(12), IPN_ROLE_RECV), 0);
  EXPECT_EQ(world.send(member, "m"), EPIPE);
  EXPECT_EQ(member->counters().drops[DropReason::kNotAllowed], 1u);
}

TEST_F(Membership, ReadersAndWritersAreCountedByDirection) {  // [D11]
  world.add(config_of("net"));
  Member& both = world.join("net");
  Member& reader = world.join("net", user(0), IPN_ROLE_RECV);
  Member& writer = world.join("net", user(0), IPN_ROLE_SEND);
  const Network& network = *both->network();
  EXPECT_EQ(network.readers(), 2u);
  EXPECT_EQ(network.writers(), 2u);
  EXPECT_EQ(network.connected(), 3u);
  EXPECT_EQ(world.core.peers_of(*both), 1u);
  EXPECT_EQ(world.core.peers_of(*writer), 2u);
  ASSERT_TRUE(world.core.shutdown(*both, true, false));
  EXPECT_EQ(network.readers(), 1u);
  ASSERT_TRUE(world.core.shutdown(*both, true, true));
  EXPECT_EQ(network.writers(), 1u);
  world.close(reader);
  world.close(writer);
  EXPECT_EQ(network.readers(), 0u);
  EXPECT_EQ(network.writers(), 0u);
  EXPECT_EQ(network.connected(), 1u);
}

// Ports -----------------------------------------------------------------------

TEST_F(Membership, PortsAreGivenFromTheLowestOrAsWanted) {  // [39, 97, D20]
  NetworkConfig config = config_of("net");
  config.ports = 3;
  world.add(config);
  Member& a = world.join("net");
  Member& b = world.join("net");
  EXPECT_EQ(a->port(), Port{0});
  EXPECT_EQ(b->port(), Port{1});
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, Port{1}), EADDRINUSE);
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, Port{3}), EADDRNOTAVAIL);
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, Port{0xffffffff}), EADDRNOTAVAIL);
  Member& c = world.open();
  EXPECT_EQ(world.connect(c, "net", user(0), 0, Port{2}), 0);
  Member& late = world.open();
  EXPECT_EQ(world.connect(late, "net"), EADDRNOTAVAIL);
  EXPECT_EQ(late->state(), Node::State::kFree) << "[39] it stays as it was";
  world.close(a);
  EXPECT_EQ(world.connect(late, "net"), 0);
  EXPECT_EQ(late->port(), Port{0});
}

TEST_F(Membership, ABoundNodeStaysBoundWhenConnectFails) {
  NetworkConfig config = config_of("net");
  config.ports = 1;
  world.add(config);
  world.join("net");
  Member& member = world.open();
  ASSERT_EQ(world.bind(member, "net", user(3)), 0);
  EXPECT_EQ(world.connect(member, "", user(3)), EADDRNOTAVAIL);
  EXPECT_EQ(member->state(), Node::State::kBound);
  EXPECT_EQ(world.core.account_of(Uid{3}).nodes, 1u);
}

// Shutdown --------------------------------------------------------------------

class ShutdownOfBothKinds : public BothKinds {};
IPN_BOTH_KINDS(ShutdownOfBothKinds);

TEST_P(ShutdownOfBothKinds, BeforeConnectChoosesTheRoles) {  // [41]
  world.add(lossy("net"));
  Member& reader = world.open();
  ASSERT_TRUE(world.core.shutdown(*reader, false, true));
  ASSERT_EQ(world.connect(reader, "net"), 0);
  EXPECT_TRUE(reader->receives());
  EXPECT_FALSE(reader->sends());
  Member& writer = world.open();
  ASSERT_TRUE(world.core.shutdown(*writer, true, false));
  ASSERT_EQ(world.connect(writer, "net"), 0);
  EXPECT_FALSE(writer->receives());
  EXPECT_TRUE(writer->sends());
  Member& nothing = world.open();
  ASSERT_TRUE(world.core.shutdown(*nothing, true, true));
  EXPECT_EQ(world.connect(nothing, "net"), EACCES);
}

TEST_P(ShutdownOfBothKinds, OfReceivingFlushesAndEnds) {  // [55, 64, D28]
  world.add(lossless("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "a"), 0);
  ASSERT_EQ(world.send(sender, "b"), 0);
  world.core.want(*reader, kWantReadable);
  ASSERT_TRUE(world.core.shutdown(*reader, true, false));
  world.core.dispatch();
  EXPECT_EQ(reader.readies, 1);
  EXPECT_EQ(world.receive(reader), "<end>");
  EXPECT_TRUE(world.core.readiness(*reader).readable);
  EXPECT_FALSE(world.core.readiness(*reader).hangup);
  EXPECT_EQ(reader->counters().drops[DropReason::kClosed], 2u);
  EXPECT_EQ(world.send(reader, "c"), 0) << "it still sends";
  EXPECT_EQ(world.receive(sender), "c");
}

TEST_P(ShutdownOfBothKinds, OfSendingIsABrokenPipe) {  // [45, D28]
  world.add(lossless("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "a"), 0);
  ASSERT_TRUE(world.core.shutdown(*sender, false, true));
  EXPECT_EQ(world.send(sender, "b"), EPIPE);
  EXPECT_TRUE(world.core.readiness(*sender).writable) << "a send would not block";
  EXPECT_EQ(world.receive(reader), "a");
  ASSERT_EQ(world.send(reader, "c"), 0);
  EXPECT_EQ(world.receive(sender), "c");
}

TEST_P(ShutdownOfBothKinds, FailsMessagesThatWait) {  // [D27b]
  NetworkConfig config = lossless("net");
  config.pool = 1;
  world.add(config);
  Member& sender = world.join("net");
  Member& other = world.join("net", user(0), IPN_ROLE_SEND);
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2"), third("3");
  world.park(sender, second);
  world.park(other, third);
  ASSERT_TRUE(world.core.shutdown(*sender, false, true));
  world.core.dispatch();
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].outcome.error, EPIPE);
  EXPECT_TRUE(other.done.empty()) << "who else waits, waits on";
  EXPECT_EQ(world.receive(reader), "1");
  EXPECT_EQ(world.receive(reader), "3");
}

// The life of networks ----------------------------------------------------------

TEST_F(Membership, AProgramsNetworkEndsWithItsLastNode) {  // [67]
  Member& a = world.open();
  ASSERT_EQ(world.bind(a, "net", user(4)), 0);
  Member& b = world.join("net", user(5));
  EXPECT_EQ(world.core.account_of(Uid{4}).networks, 1u);
  world.close(a);
  EXPECT_TRUE(exists("net"));
  world.close(b);
  EXPECT_FALSE(exists("net"));
  EXPECT_TRUE(world.core.account_of(Uid{4}).is_empty());
  EXPECT_TRUE(world.core.account_of(Uid{5}).is_empty());
  EXPECT_EQ(world.observer.changes, 0);
}

TEST_F(Membership, APersistentNetworkStaysUntilItIsEnded) {
  const Network& network = world.add(config_of("net"));
  EXPECT_EQ(world.observer.changes, 1);
  world.close(world.join("net"));
  EXPECT_TRUE(exists("net"));
  ASSERT_TRUE(world.core.end_network(network.id(), user(0)));
  EXPECT_FALSE(exists("net"));
  EXPECT_EQ(world.observer.changes, 2);
  EXPECT_EQ(world.core.totals().networks, 0u);
}

TEST_F(Membership, APersistentNetworkThatBecomesTemporaryGoesWhenNobodyUsesIt) {
  const Network& network = world.add(config_of("net"));
  NetworkChange change;
  change.flags = 0;
  ASSERT_TRUE(world.core.change_network(network.id(), change, 0, user(0)));
  EXPECT_FALSE(exists("net"));
}

TEST_F(Membership, TheNameOfANetworkThatEndsIsFreeAtOnceAndItsIdNever) {
  Member& old = world.open();
  ASSERT_EQ(world.bind(old, "net"), 0);
  const NetworkId id = old->network()->id();
  ASSERT_TRUE(world.core.end_network(id, user(0)));
  EXPECT_FALSE(exists("net"));
  EXPECT_EQ(World::code(world.core.find_network(id, {})), ENOENT);
  EXPECT_EQ(World::code(world.core.end_network(id, user(0))), ENOENT);
  Member& fresh = world.open();
  ASSERT_EQ(world.bind(fresh, "net"), 0);
  EXPECT_NE(fresh->network()->id(), id);
  world.close(old);
  EXPECT_TRUE(exists("net")) << "the end of the old one leaves the new one alone";
}

class EndOfBothKinds : public BothKinds {};
IPN_BOTH_KINDS(EndOfBothKinds);

TEST_P(EndOfBothKinds, DrainsBeforeTheEndOfFile) {  // [D34]
  NetworkConfig config = lossless("net");
  config.pool = 2;
  const Network& network = world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), 0);
  Parked third("3");
  world.park(sender, third);
  world.core.want(*reader, kWantWritable);
  ASSERT_TRUE(world.core.end_network(network.id(), user(0)));
  world.core.dispatch();
  EXPECT_GE(reader.readies, 1);
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].outcome.error, ECONNRESET);
  EXPECT_EQ(world.send(sender, "4"), ECONNRESET);
  const Readiness ready = world.core.readiness(*reader);
  EXPECT_TRUE(ready.readable);
  EXPECT_TRUE(ready.hangup);
  EXPECT_FALSE(ready.writable);
  EXPECT_EQ(world.receive(reader), "1");
  EXPECT_EQ(world.receive(reader), "2");
  EXPECT_EQ(world.receive(reader), "<end>");
  EXPECT_EQ(world.receive(sender), "<end>");
  world.close(sender);
  world.close(reader);
  EXPECT_EQ(world.core.totals().networks, 0u);
  EXPECT_EQ(world.core.totals().msgs, 2u);
}

TEST_P(EndOfBothKinds, EndAllEndsEveryNetwork) {
  world.add(lossy("one"));
  world.add(lossy("two"));
  Member& a = world.join("one");
  Member& b = world.join("one");
  Member& free = world.open();
  ASSERT_EQ(world.send(a, "m"), 0);
  Member& bound = world.open();
  ASSERT_EQ(world.bind(bound, "two"), 0);
  const NetworkId two = bound->network()->id();
  world.core.end_all();
  world.core.dispatch();
  EXPECT_EQ(world.bind(free, "new"), ENODEV);
  EXPECT_EQ(world.connect(free, "one"), ENODEV);
  EXPECT_EQ(world.connect(bound, ""), ENODEV);
  EXPECT_EQ(World::code(world.core.add_network(lossy("new"), user(0), true)), ENODEV);
  EXPECT_EQ(World::code(world.core.change_network(two, {}, 0, user(0))), ENODEV);
  EXPECT_EQ(world.receive(b), "m");
  EXPECT_EQ(world.receive(b), "<end>");
  EXPECT_TRUE(world.core.readiness(*a).hangup);
  EXPECT_FALSE(world.core.readiness(*free).hangup);
}

TEST_P(EndOfBothKinds, AKickedNodeEndsAtOnceAndWhatItHadNotReadIsEvicted) {
  const Network& network = world.add(lossless("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net", user(6));
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), 0);
  world.core.want(*reader, kWantReadable);
  EXPECT_EQ(World::code(world.core.kick(reader->id(), user(6))), EPERM);
  ASSERT_TRUE(world.core.kick(reader->id(), user(0)));
  world.core.dispatch();
  EXPECT_GE(reader.readies, 1);
  EXPECT_EQ(world.receive(reader), "<end>");
  EXPECT_EQ(world.send(reader, "m"), ECONNRESET);
  EXPECT_TRUE(world.core.readiness(*reader).hangup);
  EXPECT_EQ(reader->counters().drops[DropReason::kEvicted], 2u);
  EXPECT_EQ(network.drops()[DropReason::kEvicted], 2u);
  EXPECT_EQ(network.connected(), 1u);
  EXPECT_TRUE(world.core.account_of(Uid{6}).is_empty());
  EXPECT_EQ(World::code(world.core.kick(reader->id(), user(0))), ENOENT);
}

TEST_P(EndOfBothKinds, AKickedSenderLosesWhatWaits) {
  NetworkConfig config = lossless("net");
  config.pool = 1;
  world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked waits("2");
  world.park(sender, waits);
  ASSERT_TRUE(world.core.kick(sender->id(), user(0)));
  world.core.dispatch();
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].outcome.error, ECONNRESET);
  EXPECT_EQ(world.receive_all(reader), (std::vector<std::string>{"1"}));
  EXPECT_EQ(world.core.account_of(Uid{0}).parked_bytes, 0u);
}

TEST_P(EndOfBothKinds, AClosedNodeCountsWhatItHadNotRead) {
  const Network& network = world.add(lossless("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(world.send(sender, "m"), 0);
  world.receive(reader);
  world.close(reader);
  EXPECT_EQ(network.drops()[DropReason::kClosed], 2u);
}

// Changes of a network ------------------------------------------------------------

class ChangesOfBothKinds : public BothKinds {
 protected:
  int change(const Network& network, const NetworkChange& change, const Credentials& who = user(0),
             std::uint64_t generation = 0) {
    const int code = World::code(world.core.change_network(network.id(), change, generation, who));
    world.core.dispatch();
    return code;
  }
};
IPN_BOTH_KINDS(ChangesOfBothKinds);

TEST_P(ChangesOfBothKinds, OfTheModeJudgeThoseWhoAreIn) {
  NetworkConfig config = lossless("net");
  config.owner = Uid{10};
  config.pool = 1;
  const Network& network = world.add(config);
  Member& guest = world.join("net", user(12));
  Member& owner = world.join("net", user(10));
  Member& root = world.join("net", user(0));
  Member& manager = world.open();
  ASSERT_EQ(world.bind(manager, "net", user(12)), 0);
  ASSERT_EQ(world.send(owner, "m"), 0);
  Parked waits("w");
  world.park(guest, waits);
  NetworkChange mode;
  mode.mode = 0704;
  ASSERT_EQ(change(network, mode, user(10)), 0);
  EXPECT_FALSE(manager->is_bound());
  EXPECT_TRUE(guest->receives());
  EXPECT_FALSE(guest->sends());
  ASSERT_EQ(guest.done.size(), 1u);
  EXPECT_EQ(guest.done[0].outcome.error, EPIPE);
  EXPECT_EQ(world.send(guest, "m"), EPIPE);
  EXPECT_EQ(world.receive(guest), "m") << "r was not taken";
  mode.mode = 0700;
  ASSERT_EQ(change(network, mode, user(10)), 0);
  EXPECT_EQ(world.receive(guest), "<end>");
  EXPECT_TRUE(owner->receives() && owner->sends());
  EXPECT_TRUE(root->receives() && root->sends());
  EXPECT_EQ(network.readers(), 2u);
}

TEST_P(ChangesOfBothKinds, OfTheOwnerJudgeThoseWhoAreInAndMoveTheCharge) {
  NetworkConfig config = lossy("net");
  config.owner = Uid{10};
  config.mode = 0700;
  const Network& network = world.add(config);
  Member& old = world.join("net", user(10));
  ASSERT_EQ(world.core.account_of(Uid{10}).networks, 1u);
  NetworkChange give;
  give.owner = Uid{11};
  EXPECT_EQ(change(network, give, user(10)), EPERM) << "only root gives away";
  ASSERT_EQ(change(network, give), 0);
  EXPECT_FALSE(old->receives() || old->sends());
  EXPECT_EQ(world.core.account_of(Uid{10}).networks, 0u);
  EXPECT_EQ(world.core.account_of(Uid{11}).networks, 1u);
  EXPECT_EQ(world.core.account_of(Uid{10}).log_bytes, 0u);
  EXPECT_EQ(world.core.account_of(Uid{11}).log_bytes, is_shared() ? network.log_charge() : 0u);
}

TEST_P(ChangesOfBothKinds, AreForTheOwnerAndRoot) {
  NetworkConfig config = lossy("net");
  config.owner = Uid{10};
  const Network& network = world.add(config);
  NetworkChange pool;
  pool.pool = 7;
  EXPECT_EQ(change(network, pool, user(11)), EPERM);
  EXPECT_EQ(World::code(world.core.end_network(network.id(), user(11))), EPERM);
  EXPECT_EQ(network.config().pool, 1024u);
  EXPECT_EQ(change(network, pool, user(10)), 0);
  EXPECT_EQ(network.config().pool, 7u);
}

TEST_P(ChangesOfBothKinds, CompareTheGenerationAndSwap) {
  const Network& network = world.add(lossy("net"));
  const std::uint64_t seen = network.generation();
  NetworkChange mode;
  mode.mode = 0700;
  ASSERT_EQ(change(network, mode, user(0), seen), 0);
  EXPECT_NE(network.generation(), seen);
  EXPECT_EQ(change(network, mode, user(0), seen), EAGAIN);
  EXPECT_EQ(change(network, mode, user(0), network.generation()), 0);
}

TEST_P(ChangesOfBothKinds, OfMtuAndPoolBeginAnEpochAndLoseNothing) {
  NetworkConfig config = lossless("net");
  config.mtu = 100;
  config.pool = 3;
  const Network& network = world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, ""), 0);
  EXPECT_EQ(world.send(sender, std::string(101, 'x')), EMSGSIZE);
  NetworkChange larger;
  larger.mtu = 5000;
  larger.pool = 4;
  ASSERT_EQ(change(network, larger), 0);
  EXPECT_EQ(world.send(sender, std::string(5000, 'x')), 0);
  EXPECT_EQ(world.send(sender, "4"), 0);
  EXPECT_EQ(world.send(sender, "5"), EAGAIN) << "old messages count against the pool";
  EXPECT_EQ(world.receive(reader), "1");
  EXPECT_EQ(world.received.seq, 1u);
  EXPECT_EQ(world.send(sender, "5"), 0);
  EXPECT_EQ(world.receive(reader), "");
  EXPECT_EQ(world.receive(reader), std::string(5000, 'x'));
  EXPECT_EQ(world.received.seq, 3u) << "numbers run on";
  EXPECT_EQ(world.receive_all(reader), (std::vector<std::string>{"4", "5"}));
  const std::uint64_t charged = world.core.account_of(Uid{0}).log_bytes;
  EXPECT_EQ(charged, network.log_charge() * (is_shared() ? 1 : 2));
}

TEST_P(ChangesOfBothKinds, OfThePoolLetWaitingSendersIn) {
  NetworkConfig config = lossless("net");
  config.pool = 1;
  const Network& network = world.add(config);
  Member& sender = world.join("net");
  world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2"), third("3");
  world.park(sender, second);
  world.park(sender, third);
  NetworkChange larger;
  larger.pool = 2;
  ASSERT_EQ(change(network, larger), 0);
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].send, &second.send);
  EXPECT_EQ(sender.done[0].outcome.kind, SendOutcome::Kind::kSent);
  world.core.cancel(third.send);
}

TEST_P(ChangesOfBothKinds, OfTheMtuRefuseWhatWaitsAndIsTooLongNow) {
  NetworkConfig config = lossless("net");
  config.pool = 1;
  const Network& network = world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second(std::string(200, '2'));
  world.park(sender, second);
  NetworkChange smaller;
  smaller.mtu = 100;
  ASSERT_EQ(change(network, smaller), 0);
  world.receive(reader);
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].outcome.error, EMSGSIZE);
  EXPECT_EQ(sender->counters().drops[DropReason::kTooLong], 1u);
}

TEST_P(ChangesOfBothKinds, ThatMakeNewLogsComeAtMostTenTimesASecond) {
  const Network& network = world.add(lossless("net"));
  world.join("net");
  NetworkChange pool, mode;
  for (std::uint32_t i = 1; i <= 10; ++i) {
    pool.pool = i;
    ASSERT_EQ(change(network, pool), 0) << i;
  }
  pool.pool = 11;
  EXPECT_EQ(change(network, pool), EBUSY);
  EXPECT_EQ(network.config().pool, 10u);
  mode.mode = 0700;
  EXPECT_EQ(change(network, mode), 0) << "it makes no log";
  pool.pool = 10;
  EXPECT_EQ(change(network, pool), 0) << "nor does what changes nothing";
  world.advance(kSecond);
  pool.pool = 11;
  EXPECT_EQ(change(network, pool), 0);
}

TEST_P(ChangesOfBothKinds, DoNotDropWhatALosslessNetworkStillHolds) {
  NetworkConfig config = lossless("net");
  const Network& network = world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(world.send(sender, std::string(1000, 'x')), 0);
  NetworkChange tiny;
  tiny.pool = 2;
  tiny.mtu = 64;
  EXPECT_EQ(change(network, tiny), EBUSY);
  EXPECT_EQ(network.config().mtu, 1514u);
  EXPECT_EQ(world.receive_all(reader).size(), 100u);
  EXPECT_EQ(change(network, tiny), 0);
}

TEST_P(ChangesOfBothKinds, KeepPortsThatAreInUse) {  // [76]
  const Network& network = world.add(lossy("net"));
  Member& member = world.open();
  ASSERT_EQ(world.connect(member, "net", user(0), 0, Port{5}), 0);
  NetworkChange ports;
  ports.ports = 5;
  EXPECT_EQ(change(network, ports), EBUSY);
  ports.ports = 6;
  EXPECT_EQ(change(network, ports), 0);
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, Port{6}), EADDRNOTAVAIL);
  ports.ports = 0;
  EXPECT_EQ(change(network, ports), EINVAL);
  ports.ports = 40;
  EXPECT_EQ(change(network, ports), 0);
  EXPECT_EQ(world.connect(world.open(), "net", user(0), 0, Port{39}), 0);
}

TEST_P(ChangesOfBothKinds, LeaveTheKindOfTheNetworkAlone) {
  const Network& network = world.add(lossy("net"));
  NetworkChange flags;
  for (const unsigned flag : {IPN_NET_LOSSLESS, IPN_NET_EXCL, IPN_NET_CONFIDENTIAL}) {
    flags.flags = network.config().flags ^ flag;
    EXPECT_EQ(change(network, flags), EINVAL) << flag;
  }
}

TEST_P(ChangesOfBothKinds, ThatFindNoMemoryChangeNothing) {
  NetworkConfig config = lossless("net");
  config.owner = Uid{10};
  const Network& network = world.add(config);
  world.join("net", user(10));
  Member& b = world.join("net", user(10));
  ASSERT_EQ(world.send(b, "kept"), 0);
  const std::uint64_t charged = world.core.account_of(Uid{10}).log_bytes;
  world.storages_left = is_shared() ? 0 : 1;  // the second private log is not to be had
  NetworkChange larger;
  larger.mtu = 9000;
  EXPECT_EQ(change(network, larger), ENOMEM);
  EXPECT_EQ(network.config().mtu, 1514u);
  EXPECT_EQ(world.core.account_of(Uid{10}).log_bytes, charged);
}

// Quotas ------------------------------------------------------------------------

class Quotas : public testing::Test {
 protected:
  static Limits small() {
    Limits limits;
    limits.networks_per_uid = 2;
    limits.nodes_per_uid = 3;
    limits.log_bytes_per_uid = (64 << 10) + 2 * Log::kPlaceBytes;
    limits.parked_bytes_per_node = 100 + 2 * kParkedOverhead;
    limits.open_nodes = 12;
    return limits;
  }
  World world{small()};
};

TEST_F(Quotas, OfOpenFilesOfTheDaemon) {
  for (int i = 0; i < 12; ++i) world.open();
  Member extra;
  EXPECT_EQ(World::code(world.core.open_node(Door::kDevice, extra)), ENFILE);
  world.close(world.members.front());
  auto again = world.core.open_node(Door::kDevice, extra);
  ASSERT_TRUE(again);
  world.core.close_node(**again);
}

TEST_F(Quotas, OfNetworksOfAUser) {
  NetworkConfig config = config_of("a");
  config.pool = 1;
  config.owner = Uid{5};
  config.group = Gid{5};
  const auto add = [&](const char* name, std::uint32_t uid, bool configuration = false) {
    config.name = name;
    config.owner = Uid{uid};
    config.group = Gid{uid};
    return World::code(world.core.add_network(config, user(uid), configuration));
  };
  EXPECT_EQ(add("a", 5), 0);
  EXPECT_EQ(add("b", 5), 0);
  EXPECT_EQ(add("c", 5), EDQUOT);
  EXPECT_EQ(world.bind(world.open(), "c", user(5)), EDQUOT);
  EXPECT_EQ(add("c", 6), 0) << "another user has limits of its own";
  EXPECT_EQ(add("a", 6), EEXIST);
  EXPECT_EQ(add("d", 5, true), 0) << "the configuration is exempt";
  for (const char* name : {"r1", "r2", "r3"}) EXPECT_EQ(add(name, 0), 0) << "root is exempt";
  EXPECT_EQ(world.core.account_of(Uid{5}).networks, 2u);
}

TEST_F(Quotas, OfNodesOfAUser) {
  NetworkConfig config = config_of("net");
  config.pool = 1;
  world.add(config);
  for (int i = 0; i < 3; ++i) world.join("net", user(5));
  Member& fourth = world.open();
  EXPECT_EQ(world.connect(fourth, "net", user(5)), EDQUOT);
  EXPECT_EQ(world.bind(fourth, "net", user(5)), EDQUOT);
  EXPECT_EQ(fourth->state(), Node::State::kFree);
  world.close(world.members[0]);
  EXPECT_EQ(world.connect(fourth, "net", user(5)), 0);
  for (int i = 0; i < 5; ++i) world.join("net", user(0));
}

TEST_F(Quotas, OfLogBytesOfAUser) {
  NetworkConfig config = config_of("net", IPN_NET_CONFIDENTIAL);
  config.pool = 1;
  config.log_bytes = 32 << 10;
  world.add(config);
  Member& a = world.join("net", user(5));
  Member& b = world.join("net", user(5));
  EXPECT_EQ(world.core.account_of(Uid{5}).log_bytes, (64u << 10) + 2 * Log::kPlaceBytes);
  Member& third = world.open();
  EXPECT_EQ(world.connect(third, "net", user(5)), EDQUOT);
  EXPECT_EQ(third->state(), Node::State::kFree);
  EXPECT_EQ(world.core.account_of(Uid{5}).nodes, 2u) << "a failed call charges nothing";
  EXPECT_EQ(world.connect(third, "net", user(5), IPN_ROLE_SEND), 0) << "it needs no log";
  EXPECT_EQ(world.bind(world.open(), "new", user(6)), EDQUOT) << "2 MiB for 1024 of 1514 bytes";
  EXPECT_TRUE(world.core.account_of(Uid{6}).is_empty());
  world.close(a);
  world.close(b);
  world.close(third);
  EXPECT_TRUE(world.core.account_of(Uid{5}).is_empty());
}

TEST_F(Quotas, OfBytesThatANodeHasWaiting) {
  NetworkConfig config = config_of("net", IPN_NET_LOSSLESS);
  config.pool = 1;
  world.add(config);
  Member& sender = world.join("net", user(5));
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked fits(std::string(60, 'a')), too_much(std::string(41, 'b')), last(std::string(40, 'c'));
  world.park(sender, fits);
  ASSERT_EQ(world.core.send(*sender, too_much.send.message).kind, SendOutcome::Kind::kWouldBlock);
  EXPECT_EQ(world.core.park(too_much.send), ENOBUFS);
  world.park(sender, last);
  EXPECT_EQ(sender->parked_bytes(), 100 + 2 * kParkedOverhead);
  EXPECT_EQ(world.core.account_of(Uid{5}).parked_bytes, 100 + 2 * kParkedOverhead);
  world.receive(reader);
  EXPECT_EQ(sender->parked_bytes(), 40 + kParkedOverhead);
  EXPECT_EQ(world.core.account_of(Uid{5}).parked_bytes, 40 + kParkedOverhead);
  world.close(sender);
  EXPECT_TRUE(world.core.account_of(Uid{5}).is_empty());
}

TEST_F(Quotas, OfMessagesWithoutBytesThatWait) {
  NetworkConfig config = config_of("net", IPN_NET_LOSSLESS);
  config.pool = 1;
  world.add(config);
  Member& sender = world.join("net", user(5));
  world.join("net");
  ASSERT_EQ(world.send(sender, ""), 0);
  std::deque<Parked> empty;
  for (int i = 0; i < 2; ++i) world.park(sender, empty.emplace_back(""));
  Parked one_more("");
  ASSERT_EQ(world.core.send(*sender, one_more.send.message).kind, SendOutcome::Kind::kWouldBlock);
  EXPECT_EQ(world.core.park(one_more.send), ENOBUFS);
  EXPECT_EQ(sender->parked_sends(), 2u);
  for (Parked& parked : empty) world.core.cancel(parked.send);
}

TEST_F(Quotas, TheOwnerOfPrivateLogsMakesNobodyPayWhatHeCouldNot) {
  NetworkConfig config = config_of("net", IPN_NET_CONFIDENTIAL);
  config.owner = Uid{5};
  config.group = Gid{5};
  config.log_bytes = 64 << 10;  // the entries are on top of the limit
  EXPECT_EQ(World::code(world.core.add_network(config, user(5), false)), EDQUOT);
  Member& maker = world.open();
  ASSERT_TRUE(world.core.set_option(*maker, IPN_OPT_FLAGS, IPN_NET_CONFIDENTIAL));
  EXPECT_EQ(world.bind(maker, "net", user(5)), EDQUOT) << "2 MiB for 1024 of 1514 bytes";
  EXPECT_TRUE(world.core.account_of(Uid{5}).is_empty());
  EXPECT_TRUE(world.core.add_network(config, user(5), true)) << "the configuration is exempt";
  config.name = "small";
  config.pool = 1;
  config.log_bytes = 8 << 10;
  const Network& network = world.add(config, user(5));
  NetworkChange larger;
  larger.log_bytes = 128 << 10;
  EXPECT_EQ(World::code(world.core.change_network(network.id(), larger, 0, user(5))), EDQUOT);
  EXPECT_EQ(network.log_bytes(), 8u << 10);
  larger.log_bytes = 32 << 10;
  EXPECT_TRUE(world.core.change_network(network.id(), larger, 0, user(5)));
}

TEST_F(Quotas, PrivateLogsDoNotGrowWhileOthersPayForThem) {
  NetworkConfig config = config_of("net", IPN_NET_CONFIDENTIAL);
  config.owner = Uid{5};
  config.pool = 1;
  config.log_bytes = 16 << 10;
  const Network& network = world.add(config);
  world.join("net", user(5));
  Member& guest = world.join("net", user(0));
  const auto set_log_bytes = [&](std::uint64_t log_bytes) {
    NetworkChange change;
    change.log_bytes = log_bytes;
    return World::code(world.core.change_network(network.id(), change, 0, user(5)));
  };
  const std::uint64_t charged = world.core.account_of(Uid{0}).log_bytes;
  EXPECT_EQ(set_log_bytes(32 << 10), EBUSY);
  NetworkChange entries;
  entries.pool = 100;
  EXPECT_EQ(World::code(world.core.change_network(network.id(), entries, 0, user(5))), EBUSY);
  EXPECT_EQ(world.core.account_of(Uid{0}).log_bytes, charged);
  EXPECT_EQ(set_log_bytes(8 << 10), 0) << "they may shrink";
  EXPECT_LT(world.core.account_of(Uid{0}).log_bytes, charged);
  ASSERT_TRUE(world.core.shutdown(*guest, true, false));
  EXPECT_EQ(set_log_bytes(32 << 10), 0) << "who only sends has no log";
  EXPECT_EQ(world.core.account_of(Uid{5}).log_bytes, network.log_charge());
}

TEST_P(ChangesOfBothKinds, ThatShrinkALogAreNotRefusedForTheLimit) {
  Limits limits;
  limits.log_bytes_per_uid = 40 << 10;
  World tight{limits};
  NetworkConfig config = lossy("net");
  config.owner = Uid{5};
  config.group = Gid{5};
  config.pool = 4;
  config.log_bytes = 32 << 10;
  const Network& network = tight.add(config, user(5));
  tight.join("net", user(5));
  NetworkChange change;
  change.log_bytes = 16 << 10;
  EXPECT_TRUE(tight.core.change_network(network.id(), change, 0, user(5)));
  EXPECT_EQ(tight.core.account_of(Uid{5}).log_bytes, network.log_charge());
  change.log_bytes = 32 << 10;
  EXPECT_TRUE(tight.core.change_network(network.id(), change, 0, user(5)))
      << "only what is more is charged";
  EXPECT_EQ(tight.core.account_of(Uid{5}).log_bytes, network.log_charge());
  limits.log_bytes_per_uid = 1;
  tight.core.set_limits(limits);
  change.log_bytes = 16 << 10;
  EXPECT_TRUE(tight.core.change_network(network.id(), change, 0, user(5)))
      << "who is above the limit may go on with less";
}

TEST_P(ChangesOfBothKinds, DoNotMakeAPoolSmallerThanWhatIsUnread) {
  const Network& network = world.add(lossless("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(world.send(sender, ""), 0);
  NetworkChange pool;
  pool.pool = 2;
  EXPECT_EQ(change(network, pool), EBUSY);
  world.receive(reader);
  EXPECT_EQ(change(network, pool), 0);
}

TEST_F(Quotas, ALogIsChargedWithTheEntriesOfItsMessages) {
  NetworkConfig config = config_of("net");
  config.owner = Uid{5};
  config.log_bytes = 16 << 10;
  config.pool = 1;
  const Network& network = world.add(config);
  EXPECT_EQ(world.core.account_of(Uid{5}).log_bytes, (16u << 10) + Log::kPlaceBytes);
  NetworkChange pool;
  pool.pool = kPoolMax;
  ASSERT_TRUE(world.core.change_network(network.id(), pool, 0, user(5)));
  EXPECT_EQ(world.core.account_of(Uid{5}).log_bytes, (16u << 10) + 512 * Log::kPlaceBytes);
  EXPECT_EQ(network.log_bytes(), 16u << 10) << "what is shown is the ring";
}

TEST_F(Quotas, TheConfigurationsNetworksAreChargedToNoUserWhoeverOwnsThem) {
  NetworkConfig config = config_of("net");
  config.pool = 1;
  const auto made = world.core.add_network(config, user(0), true);
  ASSERT_TRUE(made);
  NetworkChange give;
  give.owner = Uid{5};
  ASSERT_TRUE(world.core.change_network((*made)->id(), give, 0, user(0)));
  EXPECT_TRUE(world.core.account_of(Uid{5}).is_empty());
  NetworkChange enlarge;
  enlarge.log_bytes = kLogBytesMax;
  EXPECT_EQ(World::code(world.core.change_network((*made)->id(), enlarge, 0, user(5))), EPERM)
      << "at root's expense";
  world.core.set_exempt((*made)->id(), false);
  EXPECT_EQ(world.core.account_of(Uid{5}).networks, 1u);
  EXPECT_EQ(world.core.account_of(Uid{5}).log_bytes, (*made)->log_charge());
  EXPECT_TRUE(world.core.account_of(Uid{0}).is_empty());
  world.core.set_exempt((*made)->id(), true);
  EXPECT_TRUE(world.core.account_of(Uid{5}).is_empty());
  ASSERT_TRUE(world.core.end_network((*made)->id(), user(0)));
  EXPECT_TRUE(world.core.account_of(Uid{0}).is_empty());
}

TEST_F(Quotas, TheLimitIsNamedInWords) {
  NetworkConfig config = config_of("net");
  config.pool = 1;
  world.add(config);
  for (int i = 0; i < 3; ++i) world.join("net", user(5));
  auto refused = world.core.connect(*world.open(), {"net", 0, 0, {}}, user(5));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("3 nodes per user"), std::string::npos)
      << refused.error().text;
}

TEST_F(Quotas, TheEntriesOfALogCostNoMoreThanItsBytes) {
  // A large pool in few bytes: the daemon must not keep 65535 entries for it.
  Log log(storage_for_ring(256), kPoolMax);
  int count = 0;
  for (; log.fits(0); ++count) log.append({}, {});
  EXPECT_EQ(count, 8);
}

TEST_F(Quotas, GivingANetworkToOthersIsForRoot) {
  NetworkConfig config = config_of("net");
  config.pool = 1;
  config.owner = Uid{6};
  EXPECT_EQ(World::code(world.core.add_network(config, user(5), false)), EPERM);
  config.owner = Uid{5};
  config.group = Gid{77};
  EXPECT_EQ(World::code(world.core.add_network(config, user(5), false)), EPERM);
  Credentials in_group = user(5);
  in_group.groups = {Gid{77}};
  EXPECT_EQ(World::code(world.core.add_network(config, in_group, false)), 0);
}

TEST_F(Quotas, OnlyWhoHasARightSeesANetwork) {
  NetworkConfig config = config_of("net");
  config.pool = 1;
  config.mode = 0070;
  config.owner = Uid{5};
  config.group = Gid{77};
  world.add(config);
  Credentials in_group = user(6);
  in_group.groups = {Gid{77}};
  EXPECT_TRUE(world.core.visible_network({}, "net", in_group));
  EXPECT_TRUE(world.core.visible_network({}, "net", user(5))) << "the owner can change it";
  EXPECT_TRUE(world.core.visible_network({}, "net", user(0)));
  EXPECT_EQ(World::code(world.core.visible_network({}, "net", user(6))), EACCES);
  EXPECT_EQ(World::code(world.core.visible_network({}, "no", user(6))), ENOENT);
}

TEST_F(Quotas, IdsTellNobodyTheNameOfANetworkThatHeMayNotSee) {
  NetworkConfig config = config_of("secret");
  config.pool = 1;
  config.mode = 0700;
  config.owner = Uid{5};
  const NetworkId id = world.add(config).id();
  const NodeId node = world.join("secret", user(5))->id();
  const auto text = [](const auto& result) {
    return result ? std::string("done")
                  : std::to_string(result.error().code) + " " + result.error().text;
  };
  const std::string number = std::to_string(id.value);
  const std::string none =
      std::to_string(ENOENT) + " network " + number + ": no such network (see ipnctl net list)";
  EXPECT_EQ(text(world.core.visible_network(id, {}, user(6))), none);
  EXPECT_EQ(text(world.core.change_network(id, {}, 0, user(6))), none);
  EXPECT_EQ(text(world.core.end_network(id, user(6))), none);
  EXPECT_EQ(text(world.core.kick(node, user(6))), std::to_string(ENOENT) + " node " +
                                                      std::to_string(node.value) +
                                                      ": no such node (see ipnctl node list)");
  ASSERT_TRUE(world.core.kick(node, user(5)));
  ASSERT_TRUE(world.core.end_network(id, user(5)));
  EXPECT_EQ(text(world.core.visible_network(id, {}, user(6))), none) << "as if it were not there";
}

TEST_F(Quotas, ListsHaveTheNodesThatAreInANetworkById) {
  NetworkConfig config = config_of("net");
  config.pool = 1;
  world.add(config);
  world.open();
  Member& connected = world.join("net");
  Member& bound = world.open();
  ASSERT_EQ(world.bind(bound, "net"), 0);
  Member& kicked = world.join("net");
  ASSERT_TRUE(world.core.kick(kicked->id(), user(0)));
  const auto listed = [&](NodeId after) {
    std::vector<NodeId> ids;
    world.core.for_each_node(after, [&](Node& node) {
      ids.push_back(node.id());
      return true;
    });
    return ids;
  };
  EXPECT_EQ(listed({}), (std::vector<NodeId>{connected->id(), bound->id()}));
  EXPECT_EQ(listed(connected->id()), std::vector<NodeId>{bound->id()});
  ASSERT_EQ(world.connect(bound, ""), 0);
  EXPECT_EQ(listed({}).size(), 2u);
  world.close(connected);
  EXPECT_EQ(listed({}), std::vector<NodeId>{bound->id()});
}

}  // namespace
}  // namespace ipn::test
