// SPDX-License-Identifier: MIT
#include "ipnd/kept_networks.h"

#include <gtest/gtest.h>
#include <utility>

#include "switchcore/io/shared_memory.h"
#include "switchcore/policy/broadcast.h"
#include "tests/unit/ipnd/temporary_directory.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

class KeptNetworksTest : public ::testing::Test, private SwitchObserver {
 protected:
  KeptNetworksTest() : journal_(std::move(*open_log_file(directory_ / "log"))) {
    core_.add_policy(broadcast_policy());
    journal_.set_level("off");
  }

  static NetworkConfig network(const std::string& name) {
    NetworkConfig network;
    network.name = name;
    network.policy = IPN_BROADCAST;
    network.flags = IPN_NET_PERSISTENT;
    return network;
  }
  std::vector<std::string> saved_names() {
    std::vector<std::string> names;
    for (const NetworkConfig& network : kept_.to_save()) names.push_back(network.name);
    return names;
  }
  bool exists(const std::string& name) { return core_.find_network({}, name).has_value(); }
  NetworkConfig config(const std::string& name) {
    return (*core_.find_network({}, name))->config();
  }

  void on_networks_changed() override {}
  void on_evicted(const Network&, const Node&, TimeNs) override {}
  void on_cut_off(const Network&, const Node&, std::string_view) override {}

  const TemporaryDirectory directory_;
  Journal journal_;
  Switch core_{Limits{}, io::shared_storage(), *this};
  KeptNetworks kept_{core_, journal_};
};

TEST_F(KeptNetworksTest, ThoseOfTheConfigurationAreMadeAndNotSaved) {
  kept_.configure({network("lan")});
  EXPECT_TRUE(exists("lan"));
  EXPECT_TRUE(saved_names().empty());
}

TEST_F(KeptNetworksTest, PersistentOnesOfOthersAreSavedAndTemporaryOnesAreNot) {
  kept_.configure({network("lan")});
  ASSERT_TRUE(core_.add_network(network("chat"), Credentials{}, false));
  NetworkConfig temporary = network("short");
  temporary.flags = 0;
  ASSERT_TRUE(core_.add_network(temporary, Credentials{}, false));
  EXPECT_EQ(saved_names(), std::vector<std::string>{"chat"});
}

TEST_F(KeptNetworksTest, SavedOnesComeBackUnlessTheConfigurationHasThem) {
  NetworkConfig configured = network("lan");
  configured.mtu = 100;
  kept_.configure({configured});
  kept_.restore({network("lan"), network("chat")}, "ipn.state");
  EXPECT_EQ(config("lan").mtu, 100U);
  EXPECT_TRUE(exists("chat"));
  EXPECT_EQ(saved_names(), std::vector<std::string>{"chat"});
}

TEST_F(KeptNetworksTest, AChangedConfigurationChangesTheNetworkThatIsThere) {
  kept_.configure({network("lan")});
  const NetworkId before = (*core_.find_network({}, "lan"))->id();
  NetworkConfig changed = network("lan");
  changed.mtu = 9000;
  changed.ports = 7;
  changed.pool = 9;
  changed.mode = 0700;
  changed.owner = Uid{3};
  changed.group = Gid{4};
  changed.deadline_ms = 5;
  kept_.configure({changed});
  const NetworkConfig now = config("lan");
  EXPECT_EQ((*core_.find_network({}, "lan"))->id(), before);
  EXPECT_EQ(now.mtu, 9000U);
  EXPECT_EQ(now.ports, 7U);
  EXPECT_EQ(now.pool, 9U);
  EXPECT_EQ(now.mode, 0700U);
  EXPECT_EQ(now.owner, Uid{3});
  EXPECT_EQ(now.group, Gid{4});
  EXPECT_EQ(now.deadline_ms, 5U);
}

TEST_F(KeptNetworksTest, WhatCannotChangeStaysAndTheRestIsDone) {
  kept_.configure({network("lan")});
  NetworkConfig lossless = network("lan");
  lossless.flags |= IPN_NET_LOSSLESS;
  kept_.configure({lossless, network("new")});
  EXPECT_FALSE(config("lan").is_lossless());
  EXPECT_TRUE(exists("new"));
}

TEST_F(KeptNetworksTest, OneThatLeavesTheConfigurationStaysAndIsSavedFromNowOn) {
  kept_.configure({network("lan")});
  kept_.configure({});
  EXPECT_TRUE(exists("lan"));
  EXPECT_EQ(saved_names(), std::vector<std::string>{"lan"});
}

TEST_F(KeptNetworksTest, ThoseOfTheConfigurationAreChargedToNoUserWhileTheyAreInIt) {
  NetworkConfig lan = network("lan");
  lan.owner = Uid{5};
  ASSERT_TRUE(core_.add_network(lan, Credentials{}, false));
  EXPECT_EQ(core_.account_of(Uid{5}).networks, 1U);
  kept_.configure({lan});
  EXPECT_TRUE(core_.account_of(Uid{5}).is_empty());
  kept_.configure({});
  EXPECT_EQ(core_.account_of(Uid{5}).networks, 1U);
}

TEST_F(KeptNetworksTest, ConfiguringATemporaryNetworkMakesItPersistent) {
  NetworkConfig temporary = network("lan");
  temporary.flags = 0;
  ASSERT_TRUE(core_.add_network(temporary, Credentials{}, false));
  kept_.configure({network("lan")});
  EXPECT_TRUE(config("lan").is_persistent());
}

}  // namespace
}  // namespace ipn
