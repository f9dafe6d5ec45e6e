// SPDX-License-Identifier: MIT
#include "ipnd/network_text.h"

#include <cerrno>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>

#include "ipnd/values.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kStateVersion = 1;

Json network_json(const NetworkConfig& network) {
  return {{"name", network.name},
          {"policy", network.policy},
          {"lossless", network.is_lossless()},
          {"excl", (network.flags & IPN_NET_EXCL) != 0},
          {"confidential", (network.flags & IPN_NET_CONFIDENTIAL) != 0},
          {"mtu", network.mtu},
          {"nodes", network.ports},
          {"pool", network.pool},
          {"mode", mode_text(network.mode)},
          {"owner", network.owner.value},
          {"group", network.group.value},
          {"deadline_ms", network.deadline_ms},
          {"log_bytes", network.log_bytes}};
}

Json networks_json(const std::vector<NetworkConfig>& networks) {
  Json list = Json::array();
  for (const NetworkConfig& network : networks) list.push_back(network_json(network));
  return list;
}

/// One object whose keys all have to be there, each of its type.
class Object {
 public:
  Object(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) wrong_ = where_ + " is no object";
  }

  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) void get(const char* key, T& value) {
    const Json* found = find(key);
    if (found == nullptr) return;
    const bool number = found->is_number_unsigned();
    if (number && found->get<std::uint64_t>() <= std::numeric_limits<T>::max()) {
      value = static_cast<T>(found->get<std::uint64_t>());
    } else {
      note(key, "is no number in range");
    }
  }
  void get(const char* key, std::string& value) {
    const Json* found = find(key);
    if (found == nullptr) return;
    if (found->is_string()) {
      value = found->get<std::string>();
    } else {
      note(key, "is no text");
    }
  }
  void get_mode(const char* key, std::uint32_t& mode) {
    std::string text;
    get(key, text);
    const auto parsed = parse_mode(text);
    if (parsed) {
      mode = *parsed;
    } else {
      note(key, "is no mode");
    }
  }
  void get_flag(const char* key, std::uint32_t& flags, std::uint32_t bit) {
    const Json* found = find(key);
    if (found == nullptr) return;
    if (!found->is_boolean()) return note(key, "is neither true nor false");
    if (found->get<bool>()) flags |= bit;
  }
  const Json* find(const char* key) {
    if (!wrong_.empty()) return nullptr;
    const auto at = json_.find(key);
    if (at != json_.end()) return &*at;
    note(key, "is missing");
    return nullptr;
  }

  /// The first thing that was wrong; empty: nothing.
  const std::string& wrong() const { return wrong_; }

 private:
  void note(const char* key, const char* what) {
    if (wrong_.empty()) wrong_ = where_ + ": " + key + ' ' + what;
  }

  const Json& json_;
  const std::string where_;
  std::string wrong_;
};

Result<NetworkConfig> parse_network(const Json& json, std::size_t number) {
  Object object(json, "network " + std::to_string(number));
  NetworkConfig network;
  network.flags = IPN_NET_PERSISTENT;
  object.get("name", network.name);
  object.get("policy", network.policy);
  object.get_flag("lossless", network.flags, IPN_NET_LOSSLESS);
  object.get_flag("excl", network.flags, IPN_NET_EXCL);
  object.get_flag("confidential", network.flags, IPN_NET_CONFIDENTIAL);
  object.get("mtu", network.mtu);
  object.get("nodes", network.ports);
  object.get("pool", network.pool);
  object.get_mode("mode", network.mode);
  object.get("owner", network.owner.value);
  object.get("group", network.group.value);
  object.get("deadline_ms", network.deadline_ms);
  object.get("log_bytes", network.log_bytes);
  if (!object.wrong().empty()) return Error{EINVAL, object.wrong()};
  if (auto ok = check_config(network); !ok) return ok.error();
  return network;
}

Result<std::vector<NetworkConfig>> parse_networks(Object& object) {
  const Json* list = object.find("networks");
  if (list == nullptr) return Error{EINVAL, object.wrong()};
  if (!list->is_array()) return Error{EINVAL, "networks is no list"};
  std::vector<NetworkConfig> networks;
  for (const Json& json : *list) {
    auto network = parse_network(json, networks.size() + 1);
    if (!network) return network.error();
    networks.push_back(std::move(*network));
  }
  return networks;
}

Result<Json> parse_json(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    const std::string what = error.what();
    const auto place = what.find("parse error at ");
    return Error{EINVAL,
                 "is no JSON" +
                     (place == std::string::npos
                          ? ""
                          : " at " + what.substr(place + 15, what.find(':', place) - place - 15))};
  }
}

}  // namespace

std::string state_text(const std::vector<NetworkConfig>& networks) {
  const Json state{{"ipn_state", kStateVersion}, {"networks", networks_json(networks)}};
  return state.dump(1, '\t', false, Json::error_handler_t::replace) + '\n';
}

Result<std::vector<NetworkConfig>> parse_state(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  Object object(*json, "the file");
  std::uint64_t version = 0;
  object.get("ipn_state", version);
  if (!object.wrong().empty()) return Error{EINVAL, object.wrong()};
  if (version != kStateVersion) {
    return Error{EINVAL, "has version " + std::to_string(version) + ", this ipnd knows " +
                             std::to_string(kStateVersion)};
  }
  return parse_networks(object);
}

std::string reload_text(const Configuration& configuration) {
  const Limits& limits = configuration.limits;
  const Json json{{"log_level", configuration.daemon.log_level.value_or("")},
                  {"networks_per_uid", limits.networks_per_uid},
                  {"nodes_per_uid", limits.nodes_per_uid},
                  {"log_bytes_per_uid", limits.log_bytes_per_uid},
                  {"parked_bytes_per_node", limits.parked_bytes_per_node},
                  {"open_nodes", limits.open_nodes},
                  {"half_open_per_uid", limits.half_open_per_uid},
                  {"networks", networks_json(configuration.networks)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Configuration> parse_reload(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  Object object(*json, "the configuration");
  Configuration configuration;
  Limits& limits = configuration.limits;
  std::string log_level;
  object.get("log_level", log_level);
  object.get("networks_per_uid", limits.networks_per_uid);
  object.get("nodes_per_uid", limits.nodes_per_uid);
  object.get("log_bytes_per_uid", limits.log_bytes_per_uid);
  object.get("parked_bytes_per_node", limits.parked_bytes_per_node);
  object.get("half_open_per_uid", limits.half_open_per_uid);
  object.get("open_nodes", limits.open_nodes);
  auto networks = parse_networks(object);
  if (!networks) return networks.error();
  if (!log_level.empty()) configuration.daemon.log_level = log_level;
  configuration.networks = std::move(*networks);
  return configuration;
}

}  // namespace ipn
