// SPDX-License-Identifier: MIT
//
// Who may do what, decided by the identity that comes with a request.
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

/// Root's network with this mode for others.
NetSpec mode(std::uint32_t bits) { return {.nflags = IPN_NET_LOSSLESS, .mode = bits}; }

// 27, 35, 36, D5, D7, D9
TEST_F(EveryDoor, TheModeGivesRolesToOthers) {
  if (!can_be_somebody()) GTEST_SKIP();
  struct Row {
    std::uint32_t mode;
    int bind;
    int connect;
    std::uint32_t roles;
  };
  const Row rows[] = {
      {0777, 0, 0, IPN_ROLE_RECV | IPN_ROLE_SEND},
      {0706, EACCES, 0, IPN_ROLE_RECV | IPN_ROLE_SEND},
      {0704, EACCES, 0, IPN_ROLE_RECV},
      {0702, EACCES, 0, IPN_ROLE_SEND},
      {0701, 0, EACCES, 0},
      {0700, EACCES, EACCES, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.mode);
    const auto net = network(mode(row.mode));
    EXPECT_EQ(bind_to(*open_as(somebody()), name()), row.bind);
    const auto a = open_as(somebody());
    ipn_join join = join_of(name());
    EXPECT_EQ(connect(*a, join), row.connect);
    if (row.connect == 0) {
      EXPECT_EQ(join.roles, row.roles);
    }
    if (row.connect != 0) {
      EXPECT_NE(explain(*a).find("permission denied"), std::string::npos);
    }
    // x alone manages and exchanges nothing.
    const auto b = open_as(somebody());
    if (row.bind == 0) {
      ASSERT_EQ(bind_to(*b, name()), 0);
      EXPECT_EQ(connect(*b), row.connect);
    }
    // Root may do everything.
    EXPECT_EQ(connect(*open(), name()), 0);
  }
}

TEST_F(EveryDoor, ARoleThatTheModeForbidsIsNotGivenOnRequest) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network(mode(0704));
  const auto a = open_as(somebody());
  ipn_join join = join_of(name(), IPN_ROLE_SEND);
  EXPECT_EQ(connect(*a, join), EACCES);
  join = join_of(name(), IPN_ROLE_RECV | IPN_ROLE_SEND);
  ASSERT_EQ(connect(*a, join), 0);
  EXPECT_EQ(join.roles, std::uint32_t{IPN_ROLE_RECV});
  EXPECT_EQ(a->write("x"), failure(EPIPE));
}

TEST_F(EveryDoor, OwnerGroupAndOthersHaveTheirOwnBits) {
  if (!can_be_somebody()) GTEST_SKIP();
  Identity maker = somebody();
  maker.umask = 0;
  const auto owner = open_as(maker);
  ASSERT_EQ(set_option(*owner, IPN_OPT_MODE, 0142), 0);
  ASSERT_EQ(bind_to(*owner, name()), 0) << explain(*owner);
  EXPECT_EQ(connect(*owner), EACCES) << "the owner has x alone";

  Identity group = somebody_else();
  group.groups = {7, maker.gid};
  ipn_join join = join_of(name());
  const auto member = open_as(group);
  ASSERT_EQ(connect(*member, join), 0) << "a supplementary group counts";
  EXPECT_EQ(join.roles, std::uint32_t{IPN_ROLE_RECV});
  Identity primary = somebody_else();
  primary.gid = maker.gid;
  const auto by_gid = open_as(primary);
  join = join_of(name());
  ASSERT_EQ(connect(*by_gid, join), 0);
  EXPECT_EQ(join.roles, std::uint32_t{IPN_ROLE_RECV});
  const auto other = open_as(somebody_else());
  join = join_of(name());
  ASSERT_EQ(connect(*other, join), 0);
  EXPECT_EQ(join.roles, std::uint32_t{IPN_ROLE_SEND});
}

TEST_F(EveryDoor, RightsBelongToTheOpenFileOnceGiven) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network({.mode = 0706});
  const auto a = open_as(somebody());
  ASSERT_EQ(connect(*a, name()), 0);
  const auto b = member(*net);
  EXPECT_EQ(a->write("x"), value(1));
  EXPECT_EQ(b->read(9), message("x"));
}

TEST_F(EveryDoor, AChangeOfTheModeJudgesThoseWhoAreThere) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1, .mode = 0777});
  const auto a = open_as(somebody());
  ASSERT_EQ(connect(*a, name()), 0);
  const auto b = member(*net);
  ASSERT_EQ(a->write("full"), value(4));
  const auto reader = sleeping(a->start_read(9));
  const auto writer = sleeping(a->start_write("more"));
  ipn_netcfg change = config_of(name());
  change.flags = IPN_NETCFG_MODE;
  change.mode = 0774;
  ASSERT_EQ(net_set(net->admin(), change), 0);
  EXPECT_EQ(writer->wait(), failure(EPIPE));
  EXPECT_FALSE(reader->is_done());
  EXPECT_EQ(net->record().writers, 1U);
  change = config_of(name());
  change.flags = IPN_NETCFG_MODE;
  change.mode = 0770;
  ASSERT_EQ(net_set(net->admin(), change), 0);
  EXPECT_EQ(reader->wait(), end_of_file());
  EXPECT_EQ(net->record().readers, 1U);
  EXPECT_EQ(b->read(9), message("full"));
  // Rights that come back are for those who connect then.
  change = config_of(name());
  change.flags = IPN_NETCFG_MODE;
  change.mode = 0777;
  ASSERT_EQ(net_set(net->admin(), change), 0);
  EXPECT_EQ(a->write("x"), failure(EPIPE));
}

TEST_F(EveryDoor, OnlyOwnerAndRootChangeEndAndKick) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto owner = open_as(somebody());
  ipn_netcfg config = config_of(name());
  config.flags = IPN_NETCFG_NFLAGS | IPN_NETCFG_MODE;
  config.nflags = IPN_NET_PERSISTENT;
  config.mode = 0777;
  ASSERT_EQ(net_add(*owner, config), 0) << explain(*owner);
  EXPECT_EQ(config.uid, somebody().uid);
  const auto other = open_as(somebody_else());
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*other, join), 0);

  ipn_netcfg change = config_of(name());
  change.flags = IPN_NETCFG_MTU;
  change.mtu = 2000;
  EXPECT_EQ(net_set(*other, change), EPERM);
  EXPECT_NE(explain(*other).find("owner"), std::string::npos) << explain(*other);
  EXPECT_EQ(kick(*other, join.node), EPERM);
  EXPECT_EQ(net_end(*other, name()), EPERM);
  change = config_of(name());
  change.flags = IPN_NETCFG_MTU;
  change.mtu = 2000;
  EXPECT_EQ(net_set(*owner, change), 0) << explain(*owner);
  EXPECT_EQ(change.mtu, 2000U);
  EXPECT_EQ(kick(*owner, join.node), 0);

  // Giving it away is root's.
  change = config_of(name());
  change.flags = IPN_NETCFG_UID;
  change.uid = somebody_else().uid;
  EXPECT_EQ(net_set(*owner, change), EPERM);
  change = config_of(name());
  change.flags = IPN_NETCFG_UID;
  change.uid = somebody_else().uid;
  EXPECT_EQ(net_set(*open(), change), 0);
  EXPECT_EQ(net_end(*owner, name()), EPERM);
  EXPECT_EQ(net_end(*open_as(somebody_else()), name()), 0);

  config = config_of(name());
  config.flags = IPN_NETCFG_UID;
  config.uid = 0;
  EXPECT_EQ(net_add(*owner, config), EPERM);
  config = config_of(name());
  config.flags = IPN_NETCFG_GID;
  config.gid = 0;
  EXPECT_EQ(net_add(*owner, config), EPERM);
  EXPECT_TRUE(list_networks(*open()).empty());
}

TEST_F(EveryDoor, OneSeesOnlyTheNetworksThatGiveOneARight) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto hidden = network(mode(0770), "Hidden");
  const auto receivable = network(mode(0774), "Receivable");
  const auto sendable = network(mode(0772), "Sendable");
  const auto manageable = network(mode(0771), "Manageable");
  const auto a = member(*hidden);
  const auto b = member(*receivable);
  const auto other = open_as(somebody());
  std::vector<std::string> seen;
  for (const ipn_net_record& record : list_networks(*other)) seen.push_back(record.name);
  EXPECT_EQ(seen, (std::vector<std::string>{"Receivable", "Sendable", "Manageable"}));
  EXPECT_EQ(list_networks(*open()).size(), 4U);
  ASSERT_EQ(list_nodes(*other).size(), 1U);
  EXPECT_EQ(list_nodes(*other)[0].net, receivable->id());
  EXPECT_TRUE(list_nodes(*other, hidden->id()).empty());
  ipn_netcfg config = config_of("Hidden");
  EXPECT_EQ(net_get(*other, config), EACCES);
  config = config_of("Sendable");
  EXPECT_EQ(net_get(*other, config), 0);
}

TEST_F(EveryDoor, WhoHasAMailboxOnlyReceives) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network({.mode = 0744});
  const auto watcher = open_as(somebody(), O_RDONLY);
  ASSERT_EQ(connect(*watcher, name()), 0) << explain(*watcher);
  const auto a = member(*net);
  ASSERT_EQ(a->write("news"), value(4));
  EXPECT_EQ(watcher->read(9), message("news"));
  EXPECT_EQ(watcher->write("x"), failure(EBADF));
  EXPECT_EQ(send(*watcher, "x").error, EPIPE);
}

// Quotas ----------------------------------------------------------------------

TEST_F(EveryDoor, AUserHasSoManyNetworks) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto a = open_as(somebody());
  const std::uint32_t most = stats(*a).uid_networks_max;
  EXPECT_EQ(most, 64U);
  EXPECT_EQ(stats(*a).exempt, 0U);
  std::vector<std::unique_ptr<File>> files;
  for (std::uint32_t i = 0; i < most; ++i) {
    files.push_back(open_as(somebody()));
    ASSERT_EQ(set_option(*files.back(), IPN_OPT_MSGPOOLSIZE, 1), 0);
    ASSERT_EQ(bind_to(*files.back(), "n" + std::to_string(i)), 0) << explain(*files.back());
  }
  EXPECT_EQ(bind_to(*a, "OneMore"), EDQUOT);
  EXPECT_NE(explain(*a).find("64 networks"), std::string::npos) << explain(*a);
  ipn_netcfg config = config_of("OneMore");
  EXPECT_EQ(net_add(*a, config), EDQUOT);
  EXPECT_EQ(bind_to(*open_as(somebody_else()), "OneMore"), 0) << "others have their own";
  EXPECT_EQ(bind_to(*open(), "OneMore"), 0) << "root is exempt";
  EXPECT_EQ(stats(*open()).exempt, 1U);
  EXPECT_EQ(stats(*a).uid_networks, most);
  files.pop_back();
  EXPECT_TRUE(world().eventually([&] { return bind_to(*a, "OneMore") == 0; }));
}

TEST_F(EveryDoor, AUserHasSoManyNodes) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network({.ports = 2000, .mode = 0777});
  const auto a = open_as(somebody());
  const std::uint32_t most = stats(*a).uid_nodes_max;
  EXPECT_EQ(most, 1024U);
  std::vector<std::unique_ptr<File>> files;
  for (std::uint32_t i = 0; i < most; ++i) {
    files.push_back(open_as(somebody()));
    ASSERT_EQ(connect(*files.back(), name()), 0) << explain(*files.back());
  }
  EXPECT_EQ(connect(*a, name()), EDQUOT);
  EXPECT_NE(explain(*a).find("1024 nodes"), std::string::npos) << explain(*a);
  EXPECT_EQ(bind_to(*a, name()), EDQUOT);
  EXPECT_EQ(connect(*open_as(somebody_else()), name()), 0);
  EXPECT_EQ(connect(*open(), name()), 0);
  files.pop_back();
  EXPECT_TRUE(world().eventually([&] { return connect(*a, name()) == 0; }));
}

TEST_F(EveryDoor, AUserHasSoManyBytesOfLogs) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto a = open_as(somebody());
  const std::uint64_t most = stats(*a).uid_log_bytes_max;
  EXPECT_EQ(most, 256U << 20);
  ipn_netcfg config = config_of(name());
  config.flags = IPN_NETCFG_NFLAGS | IPN_NETCFG_LOG_BYTES;
  config.nflags = IPN_NET_PERSISTENT;
  config.log_bytes = most / 2;
  ASSERT_EQ(net_add(*a, config), 0) << explain(*a);
  EXPECT_EQ(config.log_bytes, most / 2);
  EXPECT_GT(stats(*a).uid_log_bytes, most / 2) << "what describes the messages is charged, too";
  ipn_netcfg more = config_of("OneMore");
  more.flags = config.flags & (IPN_NETCFG_NFLAGS | IPN_NETCFG_LOG_BYTES);
  more.nflags = IPN_NET_PERSISTENT;
  more.log_bytes = most / 2;
  EXPECT_EQ(net_add(*a, more), EDQUOT);
  EXPECT_NE(explain(*a).find("bytes of logs"), std::string::npos) << explain(*a);
  EXPECT_EQ(stats(*a).uid_networks, 1U) << "what failed is not charged";
  EXPECT_EQ(stats(*a).uid_nodes, 0U);
  EXPECT_EQ(net_end(*a, name()), 0);
  EXPECT_EQ(stats(*a).uid_log_bytes, 0U);
}

TEST_F(EveryDoor, LogsOfOnesOwnAreChargedToTheReceiver) {
  if (!can_be_somebody()) GTEST_SKIP();
  const auto net = network({.nflags = IPN_NET_CONFIDENTIAL, .ports = 2000, .mode = 0777});
  const auto watcher = open_as(somebody());
  std::vector<std::unique_ptr<File>> files;
  files.push_back(open_as(somebody()));
  ASSERT_EQ(connect(*files.back(), name()), 0) << explain(*files.back());
  const std::uint64_t each = stats(*watcher).uid_log_bytes;
  EXPECT_GT(each, net->record().log_bytes) << "what describes the messages is charged, too";
  const std::uint64_t most = stats(*watcher).uid_log_bytes_max / each;
  ASSERT_LT(most, 1024U);
  for (std::uint64_t i = 1; i < most; ++i) {
    files.push_back(open_as(somebody()));
    ASSERT_EQ(connect(*files.back(), name()), 0) << explain(*files.back());
  }
  EXPECT_EQ(stats(*watcher).uid_log_bytes, most * each);
  const auto a = open_as(somebody());
  EXPECT_EQ(connect(*a, name()), EDQUOT);
  EXPECT_EQ(stats(*watcher).uid_nodes, most);
  EXPECT_EQ(connect(*a, name(), IPN_ROLE_SEND), 0) << "who only sends has no log";
  const std::uint64_t before = stats(*watcher).uid_log_bytes;
  EXPECT_EQ(shutdown(*files.back(), IPN_SHUT_RD), 0);
  const std::uint64_t freed = before - stats(*watcher).uid_log_bytes;
  EXPECT_GT(freed, net->record().log_bytes);
  // The areas that the library shares with the daemon stay.
  EXPECT_TRUE(world().has_library() ? freed < each : freed == each);
}

}  // namespace
}  // namespace ipn::scenarios
