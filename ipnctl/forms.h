// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ipn/ioctl.h>

namespace ipnctl {

/// What the tool shows of the daemon's records. JSON and tables take their
/// words from here, so that they agree.

using Json = nlohmann::ordered_json;

/// One line or indented, never throwing on text that is not UTF-8.
std::string json_line(const Json& json);
std::string json_text(const Json& json);

/// Names of users and groups, each looked up once; the number if there is no
/// name.
class Names {
 public:
  const std::string& user(std::uint32_t uid);
  const std::string& group(std::uint32_t gid);

 private:
  std::map<std::uint32_t, std::string> users_;
  std::map<std::uint32_t, std::string> groups_;
};

/// "0750".
std::string mode_text(std::uint32_t mode);
/// The bits of `nflags` by name.
std::vector<std::string> network_flags(std::uint32_t nflags);
/// "recv", "send", "both"; "manage" if it is bound only.
std::string role_text(std::uint32_t roles);
/// "device", "file", "fast".
std::string door_text(std::uint32_t door);
/// "broadcast" and so on; "policy 7" if the name is not known.
std::string policy_text(const ipn_net_record& network);
/// What a full log does with a message.
std::string overflow_text(std::uint32_t overflow);
/// The name of a reason of enum ipn_drop.
const char* drop_name(std::size_t reason);

std::uint64_t drop_sum(std::span<const __u64> drops);
/// All reasons with their counts.
Json drops_json(std::span<const __u64> drops);
/// "no_receiver 3, log_full 1", only what is not 0; "none".
std::string drops_text(std::span<const __u64> drops);

Json network_json(const ipn_net_record& network, Names& names);
/// `network` is the name of the network that the node is in; `overflow` what a full
/// log does with its messages, if that is known.
Json node_json(const ipn_node_record& node, const std::string& network,
               std::optional<std::uint32_t> overflow);
Json stats_json(const ipn_stats& stats);
Json version_json(const ipn_version& version, const ipn_stats& stats, const std::string& device);

/// 16 bytes as the usual 8-4-4-4-12 groups of hex digits.
std::string uuid_text(std::span<const __u8, 16> bytes);

}  // namespace ipnctl
