// SPDX-License-Identifier: MIT
//
// bind, connect, options, roles, ports; the numbers are rows of the table of the
// original's features (docs: ipn(4)).
#include <cstddef>
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

TEST_F(EveryDoor, BindMakesANetworkAndItsMembersExchangeMessages) {
  const auto a = open();
  const auto b = open();
  ipn_join bound = join_of(name());
  ASSERT_EQ(bind_to(*a, bound), 0) << explain(*a);
  EXPECT_NE(bound.net, 0U);
  EXPECT_NE(bound.node, 0U);
  EXPECT_EQ(bound.policy, std::uint32_t{IPN_BROADCAST});
  EXPECT_EQ(bound.roles, std::uint32_t{IPN_ROLE_MANAGE});
  EXPECT_EQ(bound.port, IPN_PORT_ANY);
  EXPECT_EQ(bound.name, name());
  EXPECT_EQ(bound.size, sizeof bound);

  ASSERT_EQ(connect(*a), 0) << explain(*a);
  ipn_join joined = join_of(name());
  ASSERT_EQ(connect(*b, joined), 0) << explain(*b);
  EXPECT_EQ(joined.net, bound.net);
  EXPECT_NE(joined.node, bound.node);
  EXPECT_EQ(joined.port, 1);
  EXPECT_EQ(joined.roles, IPN_ROLE_RECV | IPN_ROLE_SEND);
  EXPECT_EQ(joined.name, name());

  EXPECT_EQ(a->write("hello"), value(5));
  EXPECT_EQ(b->read(100), message("hello"));
  EXPECT_EQ(b->write("good day"), value(8));
  EXPECT_EQ(a->read(100), message("good day"));
}

TEST_F(EveryDoor, ConnectingToNothingSaysHowToMakeIt) {
  const auto a = open();
  EXPECT_EQ(connect(*a, name()), ENOENT);
  EXPECT_NE(explain(*a).find(name() + ": no such network"), std::string::npos) << explain(*a);
  EXPECT_NE(explain(*a).find("ipnctl net add"), std::string::npos) << explain(*a);
}

// 25, 33
TEST_F(EveryDoor, NobodyJoinsTwice) {
  const auto a = open();
  ASSERT_EQ(bind_to(*a, name()), 0);
  EXPECT_EQ(bind_to(*a, name()), EISCONN);
  EXPECT_EQ(bind_to(*a, "another"), EISCONN);
  ASSERT_EQ(connect(*a), 0);
  EXPECT_EQ(connect(*a, name()), EISCONN);
  EXPECT_EQ(bind_to(*a, name()), EISCONN);
  const auto b = member(name());
  EXPECT_EQ(bind_to(*b, name()), EISCONN);
  EXPECT_EQ(connect(*b, name()), EISCONN);
}

// 28, 29, 38, D2, D3
TEST_F(EveryDoor, AnyAttachesToWhateverIsThereAndNeverCreates) {
  const auto a = open();
  ipn_join any = join_of(name(), 0, IPN_ANY);
  EXPECT_EQ(bind_to(*a, any), EPROTONOSUPPORT);
  const auto net = network();
  any = join_of(name(), 0, IPN_ANY);
  EXPECT_EQ(bind_to(*a, any), 0) << explain(*a);
  EXPECT_EQ(any.policy, std::uint32_t{IPN_BROADCAST});
  any = join_of({}, 0, IPN_ANY);
  EXPECT_EQ(connect(*a, any), 0) << explain(*a);
  EXPECT_EQ(any.policy, std::uint32_t{IPN_BROADCAST});
}

TEST_F(EveryDoor, AnotherPolicyThanTheNetworksIsRefused) {
  const auto net = network();
  const auto a = open();
  ipn_join join = join_of(name(), 0, IPN_BUS);
  EXPECT_EQ(bind_to(*a, join), EPROTO);
  EXPECT_EQ(connect(*a, join), EPROTO);
  join = join_of("other", 0, 60);
  EXPECT_EQ(bind_to(*a, join), EPROTONOSUPPORT);
  EXPECT_EQ(list_networks(*a).size(), 1U);
}

// 31
TEST_F(EveryDoor, AnExclusiveNetworkIsBoundOnlyByItsMaker) {
  const auto maker = open();
  ASSERT_EQ(set_option(*maker, IPN_OPT_FLAGS, IPN_NET_EXCL), 0);
  ASSERT_EQ(bind_to(*maker, name()), 0);
  const auto other = open();
  EXPECT_EQ(bind_to(*other, name()), ECONNREFUSED);
  EXPECT_EQ(connect(*other, name()), 0);
  const auto exclusive = open();
  ASSERT_EQ(set_option(*exclusive, IPN_OPT_FLAGS, IPN_NET_EXCL), 0);
  EXPECT_EQ(bind_to(*exclusive, name()), EEXIST);
  EXPECT_NE(explain(*exclusive).find(name()), std::string::npos);
}

// 32
TEST_F(EveryDoor, WhoIsOnlyBoundDoesNotExchangeMessages) {
  const auto manager = open();
  ASSERT_EQ(bind_to(*manager, name()), 0);
  EXPECT_EQ(manager->write("x"), failure(ENOTCONN));
  EXPECT_EQ(manager->read(10), failure(ENOTCONN));
  const auto a = member(name());
  EXPECT_EQ(send(*a, "x").receivers, 0U);
  const ipn_net_record net = list_networks(*manager).at(0);
  EXPECT_EQ(net.nodes, 1U);
  EXPECT_EQ(net.readers, 1U);
  EXPECT_EQ(net.drops[IPN_DROP_NO_RECEIVER], 1U);
}

// 35, 36, 41
TEST_F(EveryDoor, RolesComeFromTheRequestTheOpenModeAndShutdown) {
  struct Row {
    const char* what;
    int flags;
    std::uint32_t wanted;
    std::optional<std::uint32_t> shut;
    std::uint32_t given;
  };
  const Row rows[] = {
      {"all", O_RDWR, 0, {}, IPN_ROLE_RECV | IPN_ROLE_SEND},
      {"receive", O_RDWR, IPN_ROLE_RECV, {}, IPN_ROLE_RECV},
      {"send", O_RDWR, IPN_ROLE_SEND, {}, IPN_ROLE_SEND},
      {"O_RDONLY", O_RDONLY, 0, {}, IPN_ROLE_RECV},
      {"O_WRONLY", O_WRONLY, 0, {}, IPN_ROLE_SEND},
      {"SHUT_RD", O_RDWR, 0, IPN_SHUT_RD, IPN_ROLE_SEND},
      {"SHUT_WR", O_RDWR, 0, IPN_SHUT_WR, IPN_ROLE_RECV},
      {"SHUT_RDWR", O_RDWR, 0, IPN_SHUT_RDWR, 0},
      {"O_RDONLY and send", O_RDONLY, IPN_ROLE_SEND, {}, 0},
      {"SHUT_WR and send", O_RDWR, IPN_ROLE_SEND, IPN_SHUT_WR, 0},
  };
  const auto net = network();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const auto a = open(row.flags);
    if (row.shut) {
      ASSERT_EQ(shutdown(*a, *row.shut), 0);
    }
    ipn_join join = join_of(name(), row.wanted);
    EXPECT_EQ(connect(*a, join), row.given != 0 ? 0 : EACCES);
    if (row.given == 0) continue;
    EXPECT_EQ(join.roles, row.given);
    const ipn_net_record record = net->record();
    EXPECT_EQ(record.readers, (row.given & IPN_ROLE_RECV) != 0 ? 1U : 0U);
    EXPECT_EQ(record.writers, (row.given & IPN_ROLE_SEND) != 0 ? 1U : 0U);
    EXPECT_EQ(record_of(*a, join.node).roles, row.given);
  }
}

TEST_F(EveryDoor, AReceiveOnlyNodeCannotSendAndASendOnlyOneReadsTheEnd) {
  const auto net = network();
  const auto receiver = member(*net, IPN_ROLE_RECV);
  const auto sender = member(*net, IPN_ROLE_SEND);
  EXPECT_EQ(receiver->write("x"), failure(EPIPE));
  const char* reason = world().has_library() ? "does not send" : "receive-only";
  EXPECT_NE(explain(*receiver).find(reason), std::string::npos) << explain(*receiver);
  EXPECT_EQ(sender->read(10), end_of_file());
  EXPECT_EQ(sender->write("x"), value(1));
  EXPECT_EQ(receiver->read(10), message("x"));
  EXPECT_EQ(net->record().drops[IPN_DROP_NOT_ALLOWED], 1U);
}

// 39, 97, D20
TEST_F(EveryDoor, APortIsGivenOnceAndOnlyBelowTheNumberOfPorts) {
  const auto net = network({.ports = 3});
  const auto a = open();
  const auto b = open();
  ipn_join join = join_of(name(), 0, IPN_ANY, 2);
  EXPECT_EQ(connect(*a, join), 0);
  EXPECT_EQ(join.port, 2);
  join = join_of(name(), 0, IPN_ANY, 2);
  EXPECT_EQ(connect(*b, join), EADDRINUSE);
  join = join_of(name(), 0, IPN_ANY, 3);
  EXPECT_EQ(connect(*b, join), EADDRNOTAVAIL);
  join = join_of(name(), 0, IPN_ANY, -2);
  EXPECT_EQ(connect(*b, join), EINVAL);
  join = join_of(name());
  EXPECT_EQ(connect(*b, join), 0);
  EXPECT_EQ(join.port, 0);
  const auto c = member(*net);
  const auto d = open();
  join = join_of(name());
  EXPECT_EQ(connect(*d, join), EADDRNOTAVAIL);
}

// 67, D49
TEST_F(EveryDoor, ATemporaryNetworkEndsWithItsLastNodeAPersistentOneStays) {
  const auto watcher = open();
  auto a = open();
  ASSERT_EQ(bind_to(*a, name()), 0);
  auto b = member(name());
  a.reset();
  EXPECT_TRUE(world().eventually([&] { return list_nodes(*watcher).size() == 1; }));
  EXPECT_EQ(list_networks(*watcher).size(), 1U);
  b.reset();
  EXPECT_TRUE(world().eventually([&] { return list_networks(*watcher).empty(); }));
  EXPECT_EQ(connect(*watcher, name()), ENOENT);

  const auto net = network();
  member(*net);
  EXPECT_TRUE(world().eventually([&] { return list_nodes(*watcher).empty(); }));
  EXPECT_EQ(list_networks(*watcher).size(), 1U);
}

// 18-22, 77, D17-D19
TEST_F(EveryDoor, OptionsOfTheNetworkHaveRangesAndDefaults) {
  struct Row {
    std::uint32_t option;
    std::uint32_t initial;
    std::vector<std::uint32_t> good;
    std::vector<std::uint32_t> bad;
  };
  const Row rows[] = {
      {IPN_OPT_MTU, 1514, {1, 65536}, {0, 65537, 0xffffffff}},
      {IPN_OPT_NUMNODES, 32, {1, 65535}, {0, 65536, 0xffffffff}},
      {IPN_OPT_MSGPOOLSIZE, 1024, {1, 65535}, {0, 65536, 0xffffffff}},
      {IPN_OPT_FLAGS,
       0,
       {IPN_NET_LOSSLESS, IPN_NET_EXCL, IPN_NET_CONFIDENTIAL, IPN_NET_LOSSLESS | IPN_NET_EXCL},
       {IPN_NET_PERSISTENT, IPN_NET_TERMINATED, 4, 0x80000000}},
      {IPN_OPT_MODE, 0777, {0, 0777, 0640}, {01000, 0xffffffff}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.option);
    const auto a = open();
    EXPECT_EQ(get_option(*a, row.option), row.initial);
    for (const std::uint32_t good : row.good) {
      EXPECT_EQ(set_option(*a, row.option, good), 0) << good;
      EXPECT_EQ(get_option(*a, row.option), good);
    }
    const std::uint32_t last = row.good.back();
    for (const std::uint32_t bad : row.bad) {
      EXPECT_EQ(set_option(*a, row.option, bad), EINVAL) << bad;
      EXPECT_FALSE(explain(*a).empty());
    }
    EXPECT_EQ(get_option(*a, row.option), last) << "a refused value changed it";
  }
}

// 74, 81, D31
TEST_F(EveryDoor, OptionsShapeTheNetworkThatBindMakesAndNoOther) {
  const auto a = open();
  EXPECT_EQ(set_option(*a, IPN_OPT_MTU, 600), 0);
  EXPECT_EQ(set_option(*a, IPN_OPT_NUMNODES, 5), 0);
  EXPECT_EQ(set_option(*a, IPN_OPT_MSGPOOLSIZE, 7), 0);
  EXPECT_EQ(set_option(*a, IPN_OPT_FLAGS, IPN_NET_LOSSLESS), 0);
  EXPECT_EQ(set_option(*a, IPN_OPT_MODE, 0750), 0);
  ASSERT_EQ(bind_to(*a, name()), 0);
  const ipn_net_record net = list_networks(*a).at(0);
  EXPECT_EQ(net.mtu, 600U);
  EXPECT_EQ(net.nodes_max, 5U);
  EXPECT_EQ(net.pool, 7U);
  EXPECT_EQ(net.nflags, std::uint32_t{IPN_NET_LOSSLESS});
  EXPECT_EQ(net.mode, 0750U);
  EXPECT_EQ(net.overflow, std::uint32_t{IPN_OVERFLOW_BLOCK});
  EXPECT_EQ(set_option(*a, IPN_OPT_MTU, 700), EISCONN);

  const auto b = open();
  EXPECT_EQ(set_option(*b, IPN_OPT_MTU, 900), 0);
  ASSERT_EQ(bind_to(*b, name()), 0);
  EXPECT_EQ(get_option(*b, IPN_OPT_MTU), 600U);
  const auto c = member(name());
  EXPECT_EQ(set_option(*c, IPN_OPT_FLAGS, 0), EISCONN);
  EXPECT_EQ(get_option(*c, IPN_OPT_MSGPOOLSIZE), 7U);
  EXPECT_EQ(list_networks(*a).at(0).mtu, 600U);
}

// 22, D4
TEST_F(EveryDoor, TheModeOfANetworkStandsUnderTheUmask) {
  if (!can_be_somebody()) GTEST_SKIP();
  Identity careful = somebody();
  careful.umask = 0027;
  const auto a = open_as(careful);
  ASSERT_EQ(bind_to(*a, name()), 0) << explain(*a);
  const ipn_net_record net = list_networks(*a).at(0);
  EXPECT_EQ(net.mode, 0750U);
  EXPECT_EQ(net.uid, careful.uid);
  EXPECT_EQ(net.gid, careful.gid);
}

// 71, 73, 80, D29
TEST_F(EveryDoor, UnknownOptionsAndLevelsAreRefused) {
  const auto a = open();
  EXPECT_EQ(set_option(*a, 0x7f, 1), ENOPROTOOPT);
  EXPECT_EQ(set_option(*a, 0x85, 1), ENOPROTOOPT);
  EXPECT_EQ(set_option(*a, 0, 1), ENOPROTOOPT);
  EXPECT_EQ(set_option(*a, IPN_OPT_HEADER, 2), EINVAL);
  EXPECT_NE(explain(*a), "");

  struct {
    ipn_opt option = sized<ipn_opt>();
    std::uint32_t value = 1;
  } request;
  request.option.size = sizeof request.option + 4;
  request.option.name = IPN_OPT_MTU;
  request.option.len = 4;
  request.option.level = 1;
  EXPECT_EQ(a->ioctl(IPN_IOC_SETOPT(4), &request), failure(EPROTONOSUPPORT));
  EXPECT_EQ(a->ioctl(IPN_IOC_GETOPT(4), &request), failure(EPROTONOSUPPORT));
  EXPECT_NE(explain(*a).find("level 1"), std::string::npos);
  request.option.level = 0;
  request.option.len = 3;
  EXPECT_EQ(a->ioctl(IPN_IOC_SETOPT(4), &request), failure(EINVAL));
  EXPECT_EQ(a->ioctl(IPN_IOC_GETOPT(4), &request), failure(EINVAL));
  request.option.len = 5;
  EXPECT_EQ(a->ioctl(IPN_IOC_SETOPT(4), &request), failure(EINVAL));
  request.option.len = 4;
  request.option.node = 12345678;
  EXPECT_EQ(a->ioctl(IPN_IOC_SETOPT(4), &request), failure(EINVAL));

  // The policy of a network has no option yet: it says so itself.
  const auto net = network();
  ASSERT_EQ(connect(*a, name()), 0);
  request.option.node = 0;
  request.option.level = IPN_BROADCAST;
  const int error = a->ioctl(IPN_IOC_SETOPT(4), &request).error;
  EXPECT_TRUE(error == EOPNOTSUPP || error == ENOPROTOOPT) << error;
}

// 44, 54
TEST_F(EveryDoor, AFreeNodeExchangesNothing) {
  const auto a = open();
  EXPECT_EQ(a->write("x"), failure(ENOTCONN));
  EXPECT_NE(explain(*a).find("not connected"), std::string::npos) << explain(*a);
  EXPECT_EQ(a->read(10), failure(ENOTCONN));
  EXPECT_EQ(send(*a, "x").error, ENOTCONN);
  EXPECT_EQ(receive(*a, 10).error, ENOTCONN);
  EXPECT_EQ(a->poll(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM), 0U);
  ipn_join nowhere = join_of({});
  EXPECT_EQ(connect(*a, nowhere), EINVAL);
}

// 64, D27b
TEST_F(EveryDoor, ShutdownWorksInEveryState) {
  const auto a = open();
  EXPECT_EQ(shutdown(*a, 3), EINVAL);
  EXPECT_EQ(shutdown(*a, IPN_SHUT_WR), 0);
  ASSERT_EQ(bind_to(*a, name()), 0);
  EXPECT_EQ(shutdown(*a, IPN_SHUT_WR), 0);
  ASSERT_EQ(connect(*a), 0);
  const auto b = member(name());
  EXPECT_EQ(a->write("x"), failure(EPIPE));
  EXPECT_EQ(b->write("one"), value(3));
  EXPECT_EQ(b->write("two"), value(3));
  EXPECT_EQ(a->read(10), message("one"));
  EXPECT_EQ(shutdown(*a, IPN_SHUT_RD), 0);
  EXPECT_EQ(a->read(10), end_of_file()) << "what was unread is dropped";
  EXPECT_EQ(list_networks(*b).at(0).drops[IPN_DROP_CLOSED], 1U);
  EXPECT_EQ(send(*b, "three").receivers, 0U);
}

TEST_F(EveryDoor, VersionNamesTheDaemonAndRefusesAForeignAbiByName) {
  const auto a = open();
  auto version = sized<ipn_version>();
  ASSERT_EQ(a->ioctl(IPN_IOC_VERSION, &version), value(0));
  EXPECT_EQ(version.abi, std::uint32_t{IPN_ABI});
  EXPECT_EQ(version.msg_max, std::uint32_t{IPN_MSG_MAX});
  EXPECT_NE(version.features[0] & IPN_FEATURE_DEVICE, 0U);
  EXPECT_STREQ(std::string(version.text).substr(0, 4).c_str(), "ipnd");
  std::uint8_t sum = 0;
  for (const std::uint8_t byte : version.boot_id) sum |= byte;
  EXPECT_NE(sum, 0);
  EXPECT_EQ(bind_to(*a, name()), 0) << "0 is no other ABI";

  const auto b = open();
  version = sized<ipn_version>();
  version.abi = IPN_ABI + 7;
  ASSERT_EQ(b->ioctl(IPN_IOC_VERSION, &version), value(0));
  EXPECT_EQ(version.abi, std::uint32_t{IPN_ABI});
  EXPECT_EQ(connect(*b, name()), EPROTONOSUPPORT);
  EXPECT_NE(explain(*b).find("0." + std::to_string(IPN_ABI + 7)), std::string::npos);
  EXPECT_NE(explain(*b).find("0." + std::to_string(IPN_ABI)), std::string::npos);
  EXPECT_EQ(bind_to(*b, name()), EPROTONOSUPPORT);
  ipn_netcfg config = config_of("other");
  EXPECT_EQ(net_add(*b, config), EPROTONOSUPPORT);
}

TEST_F(EveryDoor, CheckAnswersItsOwnNumber) {
  const auto a = open();
  EXPECT_EQ(a->ioctl(IPN_IOC_CHECK, nullptr), value(IPN_IOC_CHECK));
}

TEST_F(EveryDoor, NothingHasFailedOnAFreshFile) {
  const auto a = open();
  auto request = sized<ipn_explain>();
  ASSERT_EQ(a->ioctl(IPN_IOC_EXPLAIN, &request), value(0));
  EXPECT_EQ(request.error, 0);
  EXPECT_STREQ(request.text, "");
  EXPECT_EQ(connect(*a, name()), ENOENT);
  request = sized<ipn_explain>();
  ASSERT_EQ(a->ioctl(IPN_IOC_EXPLAIN, &request), value(0));
  EXPECT_EQ(request.error, ENOENT);
  EXPECT_EQ(request.nr, _IOC_NR(IPN_IOC_CONNECT));
  EXPECT_EQ(a->write("x"), failure(ENOTCONN));
  request = sized<ipn_explain>();
  ASSERT_EQ(a->ioctl(IPN_IOC_EXPLAIN, &request), value(0));
  EXPECT_EQ(request.error, ENOTCONN);
  EXPECT_EQ(request.nr, 0x101U);
}

TEST_F(EveryDoor, NamesHaveAForm) {
  const std::string longest(IPN_NAME_MAX, 'n');
  const auto a = open();
  for (const std::string& bad :
       {std::string(), std::string("-x"), std::string(".x"), std::string("/x"), std::string("a b"),
        std::string("a\n"), std::string("\xc3\xa4"), std::string("a*"), longest + "n",
        std::string(128, 'n')}) {
    SCOPED_TRACE(bad);
    EXPECT_EQ(bind_to(*a, bad), EINVAL);
    ipn_netcfg config = config_of(bad);
    EXPECT_EQ(net_add(*a, config), EINVAL);
    EXPECT_FALSE(explain(*a).empty());
  }
  EXPECT_TRUE(list_networks(*a).empty());
  for (const std::string& good : {longest, std::string("_"), std::string("7"),
                                  std::string("a.b_c:d@e/f-g"), std::string("Z")}) {
    SCOPED_TRACE(good);
    const auto b = open();
    EXPECT_EQ(bind_to(*b, good), 0) << explain(*b);
    EXPECT_EQ(list_networks(*b).at(0).name, good);
  }
}

}  // namespace
}  // namespace ipn::scenarios
