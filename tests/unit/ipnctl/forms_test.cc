// SPDX-License-Identifier: MIT
#include "ipnctl/forms.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "ipnctl/records.h"

namespace ipnctl {
namespace {

std::vector<std::string> keys(const Json& form) {
  std::vector<std::string> names;
  for (const auto& item : form.items()) names.push_back(item.key());
  return names;
}

/// Is `first` how `all` begins?
bool begins_with(const std::vector<std::string>& all, const std::vector<std::string>& first) {
  return all.size() >= first.size() && std::equal(first.begin(), first.end(), all.begin());
}

const std::vector<std::string> kReasons{"no_receiver",    "log_full",  "lapped",  "too_long",
                                        "not_allowed",    "malformed", "policy",  "hop_limit",
                                        "interface_full", "evicted",   "expired", "closed"};

ipn_net_record network() {
  ipn_net_record record{};
  record.id = 7;
  record.policy = IPN_BROADCAST;
  record.nflags = IPN_NET_LOSSLESS | IPN_NET_PERSISTENT;
  record.mtu = 1514;
  record.pool = 1024;
  record.nodes = 3;
  record.nodes_max = 32;
  record.readers = 2;
  record.writers = 1;
  record.mode = 0750;
  record.deadline_ms = 30000;
  record.msgs = 10;
  record.bytes = 50;
  record.drops[IPN_DROP_LAPPED] = 4;
  EXPECT_TRUE(put_text(record.name, "chat"));
  EXPECT_TRUE(put_text(record.policy_name, "broadcast"));
  return record;
}

TEST(NetworkForm, HasTheAgreedFieldsFirst) {
  Names names;
  const Json form = network_json(network(), names);
  const std::vector<std::string> fields{"name",    "id",    "policy", "protocol",  "flags",
                                        "mtu",     "pool",  "nodes",  "nodes_max", "readers",
                                        "writers", "mode",  "owner",  "group",     "persistent",
                                        "msgs",    "bytes", "drops"};
  EXPECT_TRUE(begins_with(keys(form), fields)) << form.dump();
}

TEST(NetworkForm, HasTheValuesOfTheRecord) {
  Names names;
  const Json form = network_json(network(), names);
  EXPECT_EQ(form["name"], "chat");
  EXPECT_EQ(form["policy"], "broadcast");
  EXPECT_EQ(form["protocol"], 1);
  EXPECT_EQ(form["flags"], Json({"lossless", "persistent"}));
  EXPECT_EQ(form["mode"], "0750");
  EXPECT_EQ(form["owner"], "root");
  EXPECT_EQ(form["persistent"], true);
  EXPECT_EQ(form["drops"]["lapped"], 4);
  EXPECT_EQ(form["deadline_s"], 30.0);
}

TEST(NetworkForm, NumbersUsersWithoutName) {
  ipn_net_record record = network();
  record.uid = 4000123456U;
  record.gid = 4000123457U;
  Names names;
  const Json form = network_json(record, names);
  EXPECT_EQ(form["owner"], "4000123456");
  EXPECT_EQ(form["group"], "4000123457");
}

TEST(NodeForm, HasTheAgreedFieldsFirst) {
  const Json form = node_json(ipn_node_record{}, "chat", std::nullopt);
  const std::vector<std::string> fields{"net",       "port",     "id",         "door",      "role",
                                        "pid",       "uid",      "gid",        "program",   "descr",
                                        "msgs_in",   "bytes_in", "msgs_out",   "bytes_out", "queue",
                                        "queue_max", "drops",    "connected_s"};
  EXPECT_TRUE(begins_with(keys(form), fields)) << form.dump();
}

TEST(NodeForm, HasTheValuesOfTheRecord) {
  ipn_node_record record{};
  record.port = 3;
  record.door = IPN_DOOR_FILE;
  record.roles = IPN_ROLE_RECV | IPN_ROLE_SEND | IPN_ROLE_MANAGE;
  record.connected_ns = 1'234'567'890;
  std::memcpy(record.program, "sixteen-letters!", sizeof record.program);
  const Json form = node_json(record, "chat", std::nullopt);
  EXPECT_EQ(form["net"], "chat");
  EXPECT_EQ(form["port"], 3);
  EXPECT_EQ(form["door"], "file");
  EXPECT_EQ(form["role"], "both");
  EXPECT_EQ(form["roles"], Json({"recv", "send", "manage"}));
  EXPECT_EQ(form["program"], "sixteen-letters!");
  EXPECT_EQ(form["connected_s"], 1.235);
}

TEST(NodeForm, HasNoPortIfTheNodeIsBoundOnly) {
  ipn_node_record record{};
  record.port = IPN_PORT_ANY;
  record.roles = IPN_ROLE_MANAGE;
  const Json form = node_json(record, "chat", std::nullopt);
  EXPECT_TRUE(form["port"].is_null());
  EXPECT_EQ(form["role"], "manage");
}

TEST(NodeForm, SaysThatMessagesTravelThroughMemory) {
  ipn_node_record record{};
  record.door = IPN_DOOR_FAST;
  EXPECT_EQ(node_json(record, "chat", std::nullopt)["door"], "fast");
}

TEST(NodeForm, SaysWhatAFullLogDoesIfThatIsKnown) {
  const ipn_node_record record{};
  EXPECT_EQ(node_json(record, "chat", IPN_OVERFLOW_NETWORK)["overflow"], "network");
  EXPECT_EQ(node_json(record, "chat", IPN_OVERFLOW_DROP_NEWEST)["overflow"], "drop-newest");
  EXPECT_EQ(node_json(record, "chat", IPN_OVERFLOW_LATEST)["overflow"], "latest");
  EXPECT_TRUE(node_json(record, "chat", std::nullopt)["overflow"].is_null());
}

TEST(Drops, HaveANameForEveryReason) {
  const ipn_stats stats{};
  const auto names = keys(drops_json(stats.drops));
  EXPECT_EQ(names.size(), std::size_t{IPN_DROP_REASONS});
  EXPECT_TRUE(begins_with(names, kReasons));
}

TEST(Drops, AreWordsForPeopleWithoutZeros) {
  ipn_stats stats{};
  EXPECT_EQ(drops_text(stats.drops), "none");
  stats.drops[IPN_DROP_NO_RECEIVER] = 3;
  stats.drops[IPN_DROP_CLOSED] = 1;
  EXPECT_EQ(drops_text(stats.drops), "no_receiver 3, closed 1");
  EXPECT_EQ(drop_sum(stats.drops), 4U);
}

TEST(Modes, HaveFourOctalDigits) {
  EXPECT_EQ(mode_text(0777), "0777");
  EXPECT_EQ(mode_text(0), "0000");
  EXPECT_EQ(mode_text(07), "0007");
}

TEST(Json, StaysValidForProgramsWithNamesThatAreNotUtf8) {
  ipn_node_record record{};
  std::memcpy(record.program, "\xff\n\x1b[31m", 7);
  const std::string text = json_text(node_json(record, "chat", std::nullopt));
  EXPECT_TRUE(Json::accept(text)) << text;
}

TEST(StatsForm, SaysWhatIsChargedToTheCaller) {
  ipn_stats stats{};
  stats.uid = 1000;
  stats.uid_networks = 2;
  stats.uid_networks_max = 64;
  const Json form = stats_json(stats);
  EXPECT_EQ(form["caller"]["uid"], 1000);
  EXPECT_EQ(form["caller"]["exempt"], false);
  EXPECT_EQ(form["caller"]["networks"], 2);
  EXPECT_EQ(form["caller"]["networks_max"], 64);
}

TEST(StatsForm, CountsWhatSharedMemoryCosts) {
  ipn_stats stats{};
  stats.attached = 5;
  stats.attached_hot = 2;
  stats.doorbells = 11;
  stats.wakes = 13;
  stats.rounds = 17;
  stats.loop_calls = 19;
  stats.cut_off = 1;
  const Json form = stats_json(stats);
  EXPECT_EQ(form["attached"], 5);
  EXPECT_EQ(form["attached_hot"], 2);
  EXPECT_EQ(form["doorbells"], 11);
  EXPECT_EQ(form["wakes"], 13);
  EXPECT_EQ(form["rounds"], 17);
  EXPECT_EQ(form["loop_calls"], 19);
  EXPECT_EQ(form["cut_off"], 1);
}

TEST(VersionForm, WritesTheBootIdInGroups) {
  ipn_version version{};
  for (unsigned i = 0; i < sizeof version.boot_id; ++i) {
    version.boot_id[i] = static_cast<__u8>(i * 17);
  }
  EXPECT_EQ(uuid_text(version.boot_id), "00112233-4455-6677-8899-aabbccddeeff");
  version.abi = 1;
  EXPECT_EQ(version_json(version, ipn_stats{}, "/dev/ipn")["daemon_abi"], "0.1");
}

}  // namespace
}  // namespace ipnctl
