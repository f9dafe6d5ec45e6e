// SPDX-License-Identifier: MIT
#include "ipnctl/forms.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <grp.h>
#include <pwd.h>
#include <string_view>
#include <utility>

#include "ipnctl/parse.h"
#include "ipnctl/records.h"

namespace ipnctl {
namespace {

constexpr std::array<const char*, IPN_DROP_REASONS> kDropNames{
    "no_receiver", "log_full",       "lapped",  "too_long", "not_allowed", "malformed", "policy",
    "hop_limit",   "interface_full", "evicted", "expired",  "closed",      "empty"};

constexpr std::array<std::pair<std::uint32_t, const char*>, 5> kFlagNames{{
    {IPN_NET_LOSSLESS, "lossless"},
    {IPN_NET_EXCL, "excl"},
    {IPN_NET_PERSISTENT, "persistent"},
    {IPN_NET_CONFIDENTIAL, "confidential"},
    {IPN_NET_TERMINATED, "terminated"},
}};

bool has(std::uint32_t bits, std::uint32_t bit) { return (bits & bit) != 0; }

double seconds(std::uint64_t nanoseconds) {
  return std::round(static_cast<double>(nanoseconds) / 1e6) / 1e3;
}

Json roles_json(std::uint32_t roles) {
  Json list = Json::array();
  if (has(roles, IPN_ROLE_RECV)) list.push_back("recv");
  if (has(roles, IPN_ROLE_SEND)) list.push_back("send");
  if (has(roles, IPN_ROLE_MANAGE)) list.push_back("manage");
  return list;
}

}  // namespace

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

const std::string& Names::user(std::uint32_t uid) {
  auto [entry, is_new] = users_.try_emplace(uid);
  if (is_new) {
    const passwd* found = ::getpwuid(uid);
    entry->second = found == nullptr ? std::to_string(uid) : found->pw_name;
  }
  return entry->second;
}

const std::string& Names::group(std::uint32_t gid) {
  auto [entry, is_new] = groups_.try_emplace(gid);
  if (is_new) {
    const ::group* found = ::getgrgid(gid);
    entry->second = found == nullptr ? std::to_string(gid) : found->gr_name;
  }
  return entry->second;
}

std::string mode_text(std::uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

std::vector<std::string> network_flags(std::uint32_t nflags) {
  std::vector<std::string> names;
  for (const auto& [bit, name] : kFlagNames) {
    if (has(nflags, bit)) names.emplace_back(name);
  }
  return names;
}

std::string role_text(std::uint32_t roles) {
  const bool recv = has(roles, IPN_ROLE_RECV);
  const bool send = has(roles, IPN_ROLE_SEND);
  if (recv && send) return "both";
  if (recv) return "recv";
  if (send) return "send";
  return has(roles, IPN_ROLE_MANAGE) ? "manage" : "none";
}

std::string door_text(std::uint32_t door) {
  switch (door) {
    case IPN_DOOR_DEVICE:
      return "device";
    case IPN_DOOR_FILE:
      return "file";
    case IPN_DOOR_FAST:
      return "fast";
    default:
      return std::to_string(door);
  }
}

std::string policy_text(const ipn_net_record& network) {
  std::string name = text_of(network.policy_name);
  return name.empty() ? "policy " + std::to_string(network.policy) : name;
}

std::string overflow_text(std::uint32_t overflow) {
  switch (overflow) {
    case IPN_OVERFLOW_NETWORK:
      return "network";
    case IPN_OVERFLOW_DROP_NEWEST:
      return "drop-newest";
    case IPN_OVERFLOW_DROP_OLDEST:
      return "drop-oldest";
    case IPN_OVERFLOW_LATEST:
      return "latest";
    case IPN_OVERFLOW_BLOCK:
      return "block";
    default:
      return std::to_string(overflow);
  }
}

const char* drop_name(std::size_t reason) { return kDropNames.at(reason); }

std::uint64_t drop_sum(std::span<const __u64> drops) {
  std::uint64_t sum = 0;
  for (const __u64 n : drops) sum += n;
  return sum;
}

Json drops_json(std::span<const __u64> drops) {
  Json form = Json::object();
  for (std::size_t i = 0; i < kDropNames.size(); ++i) form[kDropNames[i]] = drops[i];
  return form;
}

std::string drops_text(std::span<const __u64> drops) {
  std::string text;
  for (std::size_t i = 0; i < kDropNames.size(); ++i) {
    if (drops[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(kDropNames[i]) + " " + std::to_string(drops[i]);
  }
  return text.empty() ? "none" : text;
}

Json network_json(const ipn_net_record& network, Names& names) {
  return {
      {"name", text_of(network.name)},
      {"id", network.id},
      {"policy", policy_text(network)},
      {"protocol", network.policy},
      {"flags", network_flags(network.nflags)},
      {"mtu", network.mtu},
      {"pool", network.pool},
      {"nodes", network.nodes},
      {"nodes_max", network.nodes_max},
      {"readers", network.readers},
      {"writers", network.writers},
      {"mode", mode_text(network.mode)},
      {"owner", names.user(network.uid)},
      {"group", names.group(network.gid)},
      {"persistent", has(network.nflags, IPN_NET_PERSISTENT)},
      {"msgs", network.msgs},
      {"bytes", network.bytes},
      {"drops", drops_json(network.drops)},
      {"uid", network.uid},
      {"gid", network.gid},
      {"generation", network.generation},
      {"overflow", overflow_text(network.overflow)},
      {"deadline_s", network.deadline_ms / 1000.0},
      {"log_bytes", network.log_bytes},
      {"blocked_senders", network.blocked_senders},
  };
}

Json node_json(const ipn_node_record& node, const std::string& network,
               std::optional<std::uint32_t> overflow) {
  return {
      {"net", network},
      {"port", node.port == IPN_PORT_ANY ? Json(nullptr) : Json(node.port)},
      {"id", node.id},
      {"door", door_text(node.door)},
      {"role", role_text(node.roles)},
      {"pid", node.pid},
      {"uid", node.uid},
      {"gid", node.gid},
      {"program", text_of(node.program)},
      {"descr", text_of(node.descr)},
      {"msgs_in", node.msgs_in},
      {"bytes_in", node.bytes_in},
      {"msgs_out", node.msgs_out},
      {"bytes_out", node.bytes_out},
      {"queue", node.queue},
      {"queue_max", node.queue_max},
      {"drops", drops_json(node.drops)},
      {"connected_s", seconds(node.connected_ns)},
      {"roles", roles_json(node.roles)},
      {"connected", has(node.flags, IPN_NODE_CONNECTED)},
      {"blocks", has(node.flags, IPN_NODE_BLOCKS)},
      {"blocking_s", seconds(node.blocking_ns)},
      {"ended", has(node.flags, IPN_NODE_ENDED)},
      {"overflow", overflow ? Json(overflow_text(*overflow)) : Json(nullptr)},
  };
}

Json stats_json(const ipn_stats& stats) {
  return {
      {"uptime_s", seconds(stats.uptime_ns)},
      {"networks", stats.networks},
      {"nodes", stats.nodes},
      {"open_files", stats.open_files},
      {"open_files_max", stats.open_files_max},
      {"msgs", stats.msgs},
      {"bytes", stats.bytes},
      {"requests", stats.requests},
      {"bad_requests", stats.bad_requests},
      {"drops", drops_json(stats.drops)},
      {"evictions", stats.evictions},
      {"attached", stats.attached},
      {"attached_hot", stats.attached_hot},
      {"doorbells", stats.doorbells},
      {"wakes", stats.wakes},
      {"rounds", stats.rounds},
      {"loop_calls", stats.loop_calls},
      {"cut_off", stats.cut_off},
      {"caller",
       {
           {"uid", stats.uid},
           {"exempt", stats.exempt != 0},
           {"networks", stats.uid_networks},
           {"networks_max", stats.uid_networks_max},
           {"nodes", stats.uid_nodes},
           {"nodes_max", stats.uid_nodes_max},
           {"log_bytes", stats.uid_log_bytes},
           {"log_bytes_max", stats.uid_log_bytes_max},
           {"parked_bytes", stats.uid_parked_bytes},
           {"node_parked_bytes_max", stats.node_parked_bytes_max},
       }},
      {"loop", text_of(stats.loop)},
      {"device", text_of(stats.device)},
  };
}

Json version_json(const ipn_version& version, const ipn_stats& stats, const std::string& device) {
  return {
      {"ipnctl", IPNCTL_VERSION},
      {"abi", "0." + std::to_string(IPN_ABI)},
      {"daemon", text_of(version.text)},
      {"daemon_abi", "0." + std::to_string(version.abi)},
      {"path", device},
      {"device", text_of(stats.device)},
      {"loop", text_of(stats.loop)},
      {"socket", text_of(version.socket)},
      {"layout_min", version.layout_min},
      {"layout_max", version.layout_max},
      {"msg_max", version.msg_max},
      {"boot_id", uuid_text(version.boot_id)},
  };
}

std::string uuid_text(std::span<const __u8, 16> bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  std::string digits = to_hex(std::string_view(text, bytes.size()));
  for (const std::size_t at : {20U, 16U, 12U, 8U}) digits.insert(at, "-");
  return digits;
}

}  // namespace ipnctl
