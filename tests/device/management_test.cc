// SPDX-License-Identifier: MIT
#include <algorithm>
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

TEST_F(EveryDoor, NetAddMakesANetworkAndGetShowsIt) {
  const auto a = open();
  ipn_netcfg config = config_of(name());
  config.flags = IPN_NETCFG_POLICY | IPN_NETCFG_NFLAGS | IPN_NETCFG_MTU | IPN_NETCFG_PORTS |
                 IPN_NETCFG_POOL | IPN_NETCFG_MODE | IPN_NETCFG_DEADLINE;
  config.policy = IPN_BROADCAST;
  config.nflags = IPN_NET_PERSISTENT | IPN_NET_LOSSLESS;
  config.mtu = 9000;
  config.ports = 100;
  config.pool = 50;
  config.mode = 0750;
  config.deadline_ms = 30'000;
  ASSERT_EQ(net_add(*a, config), 0) << explain(*a);
  EXPECT_NE(config.net, 0U);
  EXPECT_NE(config.generation, 0U);
  EXPECT_EQ(config.overflow, std::uint32_t{IPN_OVERFLOW_BLOCK});
  ipn_netcfg got = config_of(name());
  ASSERT_EQ(net_get(*a, got), 0);
  EXPECT_EQ(std::memcmp(&got, &config, sizeof got), 0) << "GET shows what ADD answered";
  EXPECT_EQ(got.mtu, 9000U);
  EXPECT_EQ(got.ports, 100U);
  EXPECT_EQ(got.pool, 50U);
  EXPECT_EQ(got.mode, 0750U);
  EXPECT_EQ(got.deadline_ms, 30'000U);
  EXPECT_EQ(got.uid, me().uid);
  EXPECT_GE(got.log_bytes, 50U * 9000);
  auto by_id = sized<ipn_netcfg>();
  by_id.net = config.net;
  ASSERT_EQ(net_get(*a, by_id), 0);
  EXPECT_EQ(by_id.name, name());

  ipn_netcfg again = config_of(name());
  EXPECT_EQ(net_add(*a, again), EEXIST);
  EXPECT_NE(explain(*a).find(name()), std::string::npos);
  EXPECT_EQ(net_end(*a, name()), 0);
  EXPECT_EQ(net_end(*a, name()), ENOENT);
  got = config_of(name());
  EXPECT_EQ(net_get(*a, got), ENOENT);
  by_id = sized<ipn_netcfg>();
  by_id.net = config.net;
  EXPECT_EQ(net_get(*a, by_id), ENOENT);
}

TEST_F(EveryDoor, NetAddChecksEveryRange) {
  struct Row {
    const char* what;
    std::uint32_t flag;
    __u32 ipn_netcfg::*field;
    std::vector<std::uint32_t> bad;
    int error = EINVAL;
  };
  const Row rows[] = {
      {"policy", IPN_NETCFG_POLICY, &ipn_netcfg::policy, {0, 5, 63, 64}, EPROTONOSUPPORT},
      {"nflags", IPN_NETCFG_NFLAGS, &ipn_netcfg::nflags, {4, IPN_NET_TERMINATED, 0x80000000}},
      {"mtu", IPN_NETCFG_MTU, &ipn_netcfg::mtu, {0, 65537}},
      {"ports", IPN_NETCFG_PORTS, &ipn_netcfg::ports, {0, 65536}},
      {"pool", IPN_NETCFG_POOL, &ipn_netcfg::pool, {0, 65536}},
      {"mode", IPN_NETCFG_MODE, &ipn_netcfg::mode, {01000, 07777}},
  };
  const auto a = open();
  for (const Row& row : rows) {
    for (const std::uint32_t bad : row.bad) {
      SCOPED_TRACE(std::string(row.what) + " " + std::to_string(bad));
      ipn_netcfg config = config_of(name());
      config.flags = row.flag;
      config.*row.field = bad;
      EXPECT_EQ(net_add(*a, config), row.error);
      EXPECT_FALSE(explain(*a).empty());
    }
  }
  ipn_netcfg config = config_of(name());
  config.flags = IPN_NETCFG_LOG_BYTES;
  config.log_bytes = ~std::uint64_t{0};
  EXPECT_EQ(net_add(*a, config), EINVAL);
  EXPECT_TRUE(list_networks(*a).empty());
}

TEST_F(EveryDoor, NetSetChangesWhatIsGiven) {
  const auto net = network({.pool = 10});
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("before"), value(6));
  ipn_netcfg change = config_of(name());
  change.flags = IPN_NETCFG_MTU | IPN_NETCFG_PORTS | IPN_NETCFG_POOL;
  change.mtu = 4000;
  change.ports = 2;
  change.pool = 3;
  ASSERT_EQ(net_set(net->admin(), change), 0) << explain(net->admin());
  EXPECT_EQ(change.mtu, 4000U);
  EXPECT_EQ(net->record().mtu, 4000U);
  EXPECT_EQ(net->record().nodes_max, 2U);
  EXPECT_EQ(net->record().pool, 3U);
  EXPECT_EQ(connect(net->admin(), name()), EADDRNOTAVAIL);
  ASSERT_EQ(a->write(std::string(4000, 'x')), value(4000));
  EXPECT_EQ(b->read(9), message("before")) << "what was unread stays";
  EXPECT_EQ(b->read(5000), message(std::string(4000, 'x')));

  change = config_of(name());
  change.flags = IPN_NETCFG_PORTS;
  change.ports = 1;
  EXPECT_EQ(net_set(net->admin(), change), EBUSY);
  EXPECT_NE(explain(net->admin()).find("port 1"), std::string::npos) << explain(net->admin());
  for (const std::uint32_t nflags :
       {IPN_NET_PERSISTENT | IPN_NET_LOSSLESS, IPN_NET_PERSISTENT | IPN_NET_EXCL,
        IPN_NET_PERSISTENT | IPN_NET_CONFIDENTIAL}) {
    change = config_of(name());
    change.flags = IPN_NETCFG_NFLAGS;
    change.nflags = nflags;
    EXPECT_EQ(net_set(net->admin(), change), EINVAL) << nflags;
  }
  change = config_of(name());
  change.flags = IPN_NETCFG_POLICY;
  EXPECT_EQ(net_set(net->admin(), change), EINVAL);
  change = config_of("nothing");
  EXPECT_EQ(net_set(net->admin(), change), ENOENT);
}

TEST_F(EveryDoor, NetSetComparesTheGeneration) {
  const auto net = network();
  File& admin = net->admin();
  ipn_netcfg seen = config_of(name());
  ASSERT_EQ(net_get(admin, seen), 0);
  ipn_netcfg change = config_of(name());
  change.flags = IPN_NETCFG_MODE;
  change.mode = 0700;
  change.generation = seen.generation;
  ASSERT_EQ(net_set(admin, change), 0);
  EXPECT_GT(change.generation, seen.generation);
  change = config_of(name());
  change.flags = IPN_NETCFG_MODE;
  change.mode = 0777;
  change.generation = seen.generation;
  EXPECT_EQ(net_set(admin, change), EAGAIN);
  EXPECT_EQ(net->record().mode, 0700U);
}

TEST_F(EveryDoor, LogsAreRenewedAtMostTenTimesASecond) {
  const auto net = network();
  int refused = 0;
  for (std::uint32_t i = 0; i < 2000 && refused == 0; ++i) {
    ipn_netcfg change = config_of(name());
    change.flags = IPN_NETCFG_MTU;
    change.mtu = 1000 + i;
    const int error = net_set(net->admin(), change);
    EXPECT_TRUE(error == 0 || error == EBUSY) << error;
    refused += error == EBUSY ? 1 : 0;
  }
  EXPECT_EQ(refused, 1);
}

TEST_F(EveryDoor, ANetworkThatIsMadeTemporaryGoesWithItsLastNode) {
  const auto admin = open();
  ipn_netcfg config = config_of(name());
  config.flags = IPN_NETCFG_NFLAGS;
  config.nflags = IPN_NET_PERSISTENT;
  ASSERT_EQ(net_add(*admin, config), 0);
  auto a = member(name());
  config = config_of(name());
  config.flags = IPN_NETCFG_NFLAGS;
  ASSERT_EQ(net_set(*admin, config), 0) << explain(*admin);
  EXPECT_EQ(list_networks(*admin).size(), 1U);
  a.reset();
  EXPECT_TRUE(world().eventually([&] { return list_networks(*admin).empty(); }));
}

TEST_F(EveryDoor, ListsComeInPiecesAndInOrder) {
  std::vector<std::unique_ptr<TestNetwork>> nets;
  for (int i = 0; i < 5; ++i) {
    nets.push_back(network({.ports = 100}, "List" + std::to_string(i)));
  }
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 20; ++i) files.push_back(member(*nets[i % 2 == 0 ? 0 : 3]));
  File& admin = nets[0]->admin();

  constexpr std::size_t kOneNetwork = sizeof(ipn_net_record);
  constexpr std::size_t kOneNode = sizeof(ipn_node_record);
  for (const std::size_t bytes :
       {kOneNetwork, kOneNetwork + 8, 2 * kOneNetwork, std::size_t{IPN_LIST_DATA_MAX}}) {
    const auto records = list_networks(admin, bytes);
    ASSERT_EQ(records.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(records[i].id, nets[i]->id());
      EXPECT_EQ(records[i].name, nets[i]->name());
      EXPECT_STREQ(records[i].policy_name, "broadcast");
    }
  }
  for (const std::size_t bytes : {kOneNode, 3 * kOneNode, std::size_t{IPN_LIST_DATA_MAX}}) {
    const auto all = list_nodes(admin, 0, bytes);
    ASSERT_EQ(all.size(), 20U);
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                               [](const auto& a, const auto& b) { return a.id < b.id; }));
    const auto some = list_nodes(admin, nets[3]->id(), bytes);
    ASSERT_EQ(some.size(), 10U);
    for (const ipn_node_record& node : some) EXPECT_EQ(node.net, nets[3]->id());
  }
  EXPECT_TRUE(list_nodes(admin, nets[1]->id()).empty());

  std::string buffer(sizeof(ipn_list) + 8, '\0');
  ipn_list head{};
  head.size = static_cast<std::uint32_t>(buffer.size());
  head.kind = IPN_LIST_NETWORKS;
  std::memcpy(buffer.data(), &head, sizeof head);
  EXPECT_EQ(admin.ioctl(IPN_IOC_LIST(8), buffer.data()), failure(EINVAL)) << "no room for one";
  head.kind = 3;
  std::memcpy(buffer.data(), &head, sizeof head);
  EXPECT_EQ(admin.ioctl(IPN_IOC_LIST(8), buffer.data()), failure(EINVAL));
}

TEST_F(EveryDoor, TheGenerationOfAListChangesWithTheNetworks) {
  const auto a = open();
  const auto generation = [&] {
    ipn_list head{};
    head.size = sizeof head + sizeof(ipn_net_record);
    head.kind = IPN_LIST_NETWORKS;
    std::string buffer(head.size, '\0');
    std::memcpy(buffer.data(), &head, sizeof head);
    EXPECT_EQ(a->ioctl(IPN_IOC_LIST(sizeof(ipn_net_record)), buffer.data()), value(0));
    std::memcpy(&head, buffer.data(), sizeof head);
    return head.generation;
  };
  const std::uint64_t before = generation();
  EXPECT_EQ(generation(), before);
  auto net = network();
  const std::uint64_t made = generation();
  EXPECT_NE(made, before);
  net.reset();
  EXPECT_NE(generation(), made);
}

TEST_F(EveryDoor, NodeRecordsTellWhoIsThere) {
  const auto net = network();
  const auto a = open();
  ASSERT_EQ(bind_to(*a, name()), 0);
  ipn_join join = join_of({}, IPN_ROLE_RECV);
  ASSERT_EQ(connect(*a, join), 0);
  const ipn_node_record record = record_of(*a, join.node);
  EXPECT_EQ(record.net, net->id());
  EXPECT_EQ(record.port, join.port);
  EXPECT_EQ(record.roles, IPN_ROLE_RECV | IPN_ROLE_MANAGE);
  EXPECT_EQ(record.flags, std::uint32_t{IPN_NODE_CONNECTED});
  EXPECT_EQ(record.uid, me().uid);
  EXPECT_EQ(record.gid, me().gid);
  EXPECT_NE(record.pid, 0U);
  EXPECT_NE(std::string(record.program), "");
  EXPECT_EQ(record.blocking_ns, 0U);
}

TEST_F(EveryDoor, WhoBlocksSendersIsMarked) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net, IPN_ROLE_SEND);
  const auto b = open();
  ipn_join join = join_of(name(), IPN_ROLE_RECV);
  ASSERT_EQ(connect(*b, join), 0);
  ASSERT_EQ(a->write("1"), value(1));
  EXPECT_EQ(record_of(*b, join.node).flags, std::uint32_t{IPN_NODE_CONNECTED});
  const auto writer = sleeping(a->start_write("2"));
  EXPECT_EQ(net->record().blocked_senders, 1U);
  EXPECT_EQ(record_of(*b, join.node).flags, IPN_NODE_CONNECTED | IPN_NODE_BLOCKS);
  EXPECT_NE(record_of(*b, join.node).blocking_ns, 0U);
  EXPECT_EQ(b->read(9), message("1"));
  EXPECT_EQ(writer->wait(), value(1));
  EXPECT_EQ(record_of(*b, join.node).flags, std::uint32_t{IPN_NODE_CONNECTED});
}

TEST_F(EveryDoor, KickFindsANodeByIdOrByNetworkAndPort) {
  const auto net = network();
  const auto a = open();
  ipn_join join = join_of(name(), 0, IPN_ANY, 5);
  ASSERT_EQ(connect(*a, join), 0);
  auto ref = sized<ipn_ref>();
  ref.port = 4;
  put_name(ref.name, name());
  EXPECT_EQ(net->admin().ioctl(IPN_IOC_NODE_KICK, &ref), failure(ENOENT));
  EXPECT_NE(explain(net->admin()).find("port 4"), std::string::npos);
  ref.port = -1;
  EXPECT_EQ(net->admin().ioctl(IPN_IOC_NODE_KICK, &ref), failure(ENOENT));
  ref.port = 5;
  EXPECT_EQ(net->admin().ioctl(IPN_IOC_NODE_KICK, &ref), value(0));
  EXPECT_EQ(a->read(9), end_of_file());
  EXPECT_EQ(kick(net->admin(), 0xffffffffffffffff), ENOENT);
  const auto free_node = open();
  EXPECT_EQ(kick(net->admin(), join.node), ENOENT);
}

TEST_F(EveryDoor, StatsCountTheDaemonAndTheCaller) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const std::uint64_t log_bytes = net->record().log_bytes;
  const ipn_stats before = stats(*a);
  EXPECT_EQ(before.networks, 1U);
  EXPECT_EQ(before.nodes, 2U);
  EXPECT_EQ(before.uid, me().uid);
  EXPECT_EQ(before.uid_networks, 1U);
  EXPECT_EQ(before.uid_nodes, 2U);
  EXPECT_GT(before.uid_log_bytes, log_bytes) << "what describes the messages is charged, too";
  EXPECT_EQ(before.open_files_max, 65536U);
  EXPECT_GE(before.open_files, 3U);
  ASSERT_EQ(a->write("12345"), value(5));
  EXPECT_EQ(a->ioctl(_IO(IPN_IOC_MAGIC, 0x7e), nullptr), failure(ENOTTY));
  const ipn_stats after = stats(*a);
  EXPECT_EQ(after.msgs, before.msgs + 1);
  EXPECT_EQ(after.bytes, before.bytes + 5);
  EXPECT_EQ(after.requests, before.requests + (world().has_library() ? 2 : 3));
  EXPECT_EQ(after.bad_requests, before.bad_requests + 1);
  EXPECT_GE(after.uptime_ns, before.uptime_ns);
  EXPECT_NE(std::string(after.loop), "");
  EXPECT_NE(std::string(after.device), "");
}

}  // namespace
}  // namespace ipn::scenarios
