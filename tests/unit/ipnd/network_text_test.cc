// SPDX-License-Identifier: MIT
#include "ipnd/network_text.h"

#include <gtest/gtest.h>

#include <ipn/ioctl.h>

namespace ipn {
namespace {

NetworkConfig network(const std::string& name) {
  NetworkConfig network;
  network.name = name;
  network.policy = IPN_BROADCAST;
  network.flags = IPN_NET_PERSISTENT | IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL;
  network.mtu = 9000;
  network.ports = 12;
  network.pool = 13;
  network.mode = 0640;
  network.owner = Uid{4294967294};
  network.group = Gid{15};
  network.deadline_ms = 16;
  network.log_bytes = 1 << 20;
  return network;
}

void expect_equal(const NetworkConfig& a, const NetworkConfig& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.policy, b.policy);
  EXPECT_EQ(a.flags, b.flags);
  EXPECT_EQ(a.mtu, b.mtu);
  EXPECT_EQ(a.ports, b.ports);
  EXPECT_EQ(a.pool, b.pool);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.group, b.group);
  EXPECT_EQ(a.deadline_ms, b.deadline_ms);
  EXPECT_EQ(a.log_bytes, b.log_bytes);
}

TEST(StateText, ComesBackAsItWas) {
  const std::vector<NetworkConfig> networks = {network("a"), network("b:c/d@e-f._1")};
  const auto read = parse_state(state_text(networks));
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_EQ(read->size(), 2U);
  expect_equal((*read)[0], networks[0]);
  expect_equal((*read)[1], networks[1]);
}

TEST(StateText, MayHoldNoNetwork) {
  const auto read = parse_state(state_text({}));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_TRUE(read->empty());
}

std::string changed(const std::string& from, const std::string& to) {
  std::string text = state_text({network("a")});
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(StateText, RefusesWhatIsDamagedAndSaysWhere) {
  const std::vector<std::pair<std::string, std::string>> damaged = {
      {"", "is no JSON"},
      {"{\"ipn_state\": 1,", "is no JSON at line 1"},
      {"[]", "the file is no object"},
      {"{}", "the file: ipn_state is missing"},
      {changed("\"ipn_state\": 1", "\"ipn_state\": 9"), "has version 9, this ipnd knows 1"},
      {"{\"ipn_state\": 1}", "networks is missing"},
      {"{\"ipn_state\": 1, \"networks\": 3}", "networks is no list"},
      {"{\"ipn_state\": 1, \"networks\": [3]}", "network 1 is no object"},
      {changed("\"mtu\": 9000", "\"mtu\": \"x\""), "network 1: mtu is no number"},
      {changed("\"mtu\": 9000", "\"mtu\": -3"), "network 1: mtu is no number"},
      {changed("\"mtu\": 9000", "\"mtu\": 4294967297"), "network 1: mtu is no number"},
      {changed("\"mtu\": 9000", "\"mtu\": 0"), "a: mtu 0 is out of range"},
      {changed("\"mtu\"", "\"mtx\""), "network 1: mtu is missing"},
      {changed("\"0640\"", "\"0888\""), "network 1: mode is no mode"},
      {changed("\"lossless\": true", "\"lossless\": 1"), "lossless is neither true nor false"},
      {changed("\"name\": \"a\"", "\"name\": 1"), "network 1: name is no text"},
      {changed("\"name\": \"a\"", "\"name\": \"a b\""), "name of the network: not valid"},
  };
  for (const auto& [text, says] : damaged) {
    const auto read = parse_state(text);
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().text.find(says), std::string::npos) << read.error().text;
  }
}

TEST(ReloadText, ComesBackAsItWas) {
  Configuration configuration;
  configuration.daemon.log_level = "debug";
  configuration.limits = {1, 2, 3, 4, 5, 6};
  configuration.networks = {network("a")};
  const auto read = parse_reload(reload_text(configuration));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->daemon.log_level, "debug");
  EXPECT_EQ(read->limits.networks_per_uid, 1U);
  EXPECT_EQ(read->limits.nodes_per_uid, 2U);
  EXPECT_EQ(read->limits.log_bytes_per_uid, 3U);
  EXPECT_EQ(read->limits.parked_bytes_per_node, 4U);
  EXPECT_EQ(read->limits.open_nodes, 5U);
  EXPECT_EQ(read->limits.half_open_per_uid, 6U);
  ASSERT_EQ(read->networks.size(), 1U);
  expect_equal(read->networks[0], configuration.networks[0]);
}

TEST(ReloadText, SaysNothingOfALogLevelThatNobodySet) {
  const auto read = parse_reload(reload_text({}));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_FALSE(read->daemon.log_level);
}

}  // namespace
}  // namespace ipn
