// SPDX-License-Identifier: MIT
// Configuration files as toml++ parses them. Every mistake is told with its
// place and with what is allowed there; reading goes on behind it, so that one
// run shows all of them.

#include <algorithm>
#include <cmath>
#include <limits>
#include <toml++/toml.h>

#include "ipnd/configuration.h"
#include "ipnd/values.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

constexpr std::int64_t kIntegerMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kWordMax = std::numeric_limits<std::uint32_t>::max();

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

/// Collects mistakes of one file.
class Mistakes {
 public:
  Mistakes(const std::string& file, std::vector<std::string>& errors)
      : file_(file), errors_(errors) {}

  void add(const toml::source_region& at, const std::string& what) {
    errors_.push_back(place(at) + ": " + what);
  }
  std::string place(const toml::source_region& at) const {
    return file_ + ':' + std::to_string(at.begin.line) + ':' + std::to_string(at.begin.column);
  }

 private:
  const std::string& file_;
  std::vector<std::string>& errors_;
};

/// One table with its known keys. A getter gives nothing if the key is not
/// there, or if its value is wrong, which is then noted.
class Section {
 public:
  Section(const toml::table& table, std::string title, std::span<const std::string_view> keys,
          Mistakes& mistakes)
      : table_(table), title_(std::move(title)), mistakes_(mistakes) {
    for (const auto& [key, value] : table) {
      if (is_one_of(key.str(), keys)) continue;
      mistakes_.add(key.source(), "unknown key " + quoted(key.str()) + " in " + title_ +
                                      " (allowed: " + listed(keys) + ")");
    }
  }

  const toml::node* at(std::string_view key) const { return table_.get(key); }
  void wrong(std::string_view key, const std::string& allowed) {
    mistakes_.add(table_.get(key)->source(), std::string(key) + " must be " + allowed);
  }

  std::optional<std::string> text(std::string_view key, const std::string& allowed) {
    const toml::node* node = at(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* value = node->as_string()) return value->get();
    wrong(key, allowed);
    return std::nullopt;
  }

  std::optional<std::string> word(std::string_view key, std::span<const std::string_view> words) {
    const std::string allowed = "one of " + listed(words);
    auto value = text(key, allowed);
    if (value && is_one_of(*value, words)) return value;
    if (value) wrong(key, allowed);
    return std::nullopt;
  }

  std::optional<bool> flag(std::string_view key) {
    const toml::node* node = at(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* value = node->as_boolean()) return value->get();
    wrong(key, "true or false");
    return std::nullopt;
  }

  std::optional<std::int64_t> number(std::string_view key, std::int64_t low, std::int64_t high) {
    const toml::node* node = at(key);
    if (node == nullptr) return std::nullopt;
    const auto* value = node->as_integer();
    if (value != nullptr && value->get() >= low && value->get() <= high) return value->get();
    wrong(key, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    return std::nullopt;
  }

  /// A number of bytes, or a text such as "64MiB".
  std::optional<std::uint64_t> bytes(std::string_view key, std::uint64_t low, std::uint64_t high) {
    const toml::node* node = at(key);
    if (node == nullptr) return std::nullopt;
    std::optional<std::uint64_t> value;
    if (const auto* integer = node->as_integer(); integer != nullptr && integer->get() >= 0) {
      value = static_cast<std::uint64_t>(integer->get());
    } else if (const auto* string = node->as_string()) {
      value = parse_bytes(string->get());
    }
    if (value && *value >= low && *value <= high) return value;
    wrong(key, "bytes from " + std::to_string(low) + " to " + std::to_string(high) +
                   ", as a number or as text with K, M or G");
    return std::nullopt;
  }

  /// Permissions; a decimal number is always a slip.
  std::optional<std::uint32_t> mode(std::string_view key) {
    const toml::node* node = at(key);
    if (node == nullptr) return std::nullopt;
    std::optional<std::uint32_t> value;
    const auto* integer = node->as_integer();
    const bool octal =
        integer != nullptr && (integer->flags() & toml::value_flags::format_as_octal) ==
                                  toml::value_flags::format_as_octal;
    if (octal && integer->get() <= 0777) {
      value = static_cast<std::uint32_t>(integer->get());
    } else if (const auto* string = node->as_string()) {
      value = parse_mode(string->get());
    }
    if (!value) wrong(key, "permissions in octal, 0o660 or \"0660\"");
    return value;
  }

  template <typename Id>
  std::optional<Id> account(std::string_view key, std::optional<Id> (*find)(const std::string&)) {
    const toml::node* node = at(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* integer = node->as_integer();
        integer != nullptr && integer->get() >= 0 && integer->get() < kWordMax) {
      return Id{static_cast<std::uint32_t>(integer->get())};
    }
    const auto* string = node->as_string();
    if (string == nullptr) {
      wrong(key, "a name or a number");
      return std::nullopt;
    }
    const auto found = find(string->get());
    if (!found) {
      mistakes_.add(node->source(),
                    std::string(key) + " " + quoted(string->get()) + " is not known here");
    }
    return found;
  }

 private:
  const toml::table& table_;
  const std::string title_;
  Mistakes& mistakes_;
};

template <typename T, typename U>
void put(T& place, const std::optional<U>& value) {
  if (value) place = static_cast<T>(*value);
}

template <typename T>
void put(std::optional<T>& place, const std::optional<T>& value) {
  if (value) place = value;
}

// [daemon] ---------------------------------------------------------------------

constexpr std::array<std::string_view, 7> kDaemonKeys{"name", "device", "path",     "group",
                                                      "mode", "major",  "log_level"};

void read_paths(Section& section, std::vector<std::string>& paths) {
  const toml::node* node = section.at("path");
  if (node == nullptr) return;
  std::vector<std::string> found;
  bool good = true;
  const auto take = [&](const toml::node& one) {
    const auto* text = one.as_string();
    good = good && text != nullptr && is_short_path(text->get()) && text->get().front() == '/';
    if (good) found.push_back(text->get());
  };
  if (const auto* list = node->as_array()) {
    for (const toml::node& one : *list) take(one);
  } else {
    take(*node);
  }
  if (good) {
    paths = std::move(found);
  } else {
    section.wrong("path", "the full name of a file, or a list of them");
  }
}

void read_daemon(const toml::table& table, Mistakes& mistakes, DaemonSettings& daemon) {
  Section section(table, "[daemon]", kDaemonKeys, mistakes);
  constexpr const char* kName = "a name below /dev (letters, digits, . _ -)";
  const auto name = section.text("name", kName);
  if (name && !is_device_name(*name)) section.wrong("name", kName);
  put(daemon.name, name);
  put(daemon.device, section.word("device", kDeviceKinds));
  read_paths(section, daemon.paths);
  put(daemon.group, section.account<Gid>("group", find_group));
  put(daemon.mode, section.mode("mode"));
  if (const auto major = section.number("major", 0, 4095)) {
    daemon.major = static_cast<std::uint32_t>(*major);
  }
  put(daemon.log_level, section.word("log_level", kLogLevels));
}

// [limits] ---------------------------------------------------------------------

constexpr std::array<std::string_view, 6> kLimitKeys{
    "networks", "nodes", "log_bytes", "parked_bytes", "open_files", "half_open_attaches"};

void read_limits(const toml::table& table, Mistakes& mistakes, Limits& limits) {
  Section section(table, "[limits]", kLimitKeys, mistakes);
  put(limits.networks_per_uid, section.number("networks", 0, kWordMax));
  put(limits.nodes_per_uid, section.number("nodes", 0, kWordMax));
  put(limits.log_bytes_per_uid, section.bytes("log_bytes", 0, kIntegerMax));
  put(limits.parked_bytes_per_node, section.bytes("parked_bytes", 0, kIntegerMax));
  put(limits.open_nodes, section.number("open_files", 1, kWordMax));
  put(limits.half_open_per_uid, section.number("half_open_attaches", 0, kWordMax));
}

// [[network]] ------------------------------------------------------------------

constexpr std::array<std::string_view, 12> kNetworkKeys{
    "name", "policy", "lossless", "mtu",      "nodes",     "pool",
    "mode", "owner",  "group",    "deadline", "log_bytes", "confidential"};

void read_policy(Section& section, const ConfigurationRules& rules, NetworkConfig& network) {
  const toml::node* node = section.at("policy");
  if (node == nullptr) return;
  std::string names;
  for (const PolicyType& policy : rules.policies) {
    const auto* name = node->as_string();
    const auto* number = node->as_integer();
    if ((name != nullptr && name->get() == policy.name) ||
        (number != nullptr && number->get() == policy.number)) {
      network.policy = policy.number;
      return;
    }
    names += (names.empty() ? "" : ", ") + policy.name;
  }
  section.wrong("policy", "one that this ipnd has: " + names);
}

/// Seconds, whole or not; 0 is "never".
void read_deadline(Section& section, NetworkConfig& network) {
  network.deadline_ms = network.is_lossless() ? kDefaultDeadlineMs : 0;
  const toml::node* node = section.at("deadline");
  if (node == nullptr) return;
  const auto seconds = node->is_number() ? node->value<double>() : std::nullopt;
  const double milliseconds = std::ceil(seconds.value_or(-1) * 1000);
  if (milliseconds >= 0 && milliseconds <= static_cast<double>(kWordMax)) {
    network.deadline_ms = static_cast<std::uint32_t>(milliseconds);
  } else {
    section.wrong("deadline", "seconds from 0 (never) to 4294967");
  }
}

NetworkConfig read_network(Section& section, const ConfigurationRules& rules) {
  NetworkConfig network;
  network.policy = IPN_BROADCAST;
  network.flags = IPN_NET_PERSISTENT;
  network.mode = 0777 & ~rules.umask;
  network.owner = rules.owner;
  network.group = rules.group;
  put(network.name, section.text("name", "text"));
  read_policy(section, rules, network);
  if (section.flag("lossless").value_or(false)) network.flags |= IPN_NET_LOSSLESS;
  if (section.flag("confidential").value_or(false)) network.flags |= IPN_NET_CONFIDENTIAL;
  put(network.mtu, section.number("mtu", 1, kMtuMax));
  put(network.ports, section.number("nodes", 1, kPortsMax));
  put(network.pool, section.number("pool", 1, kPoolMax));
  put(network.mode, section.mode("mode"));
  if (const auto owner = section.account<Uid>("owner", find_user)) network.owner = *owner;
  if (const auto group = section.account<Gid>("group", find_group)) network.group = *group;
  read_deadline(section, network);
  put(network.log_bytes, section.bytes("log_bytes", 0, kLogBytesMax));
  return network;
}

void add_network(const toml::table& table, const ConfigurationRules& rules, Mistakes& mistakes,
                 std::vector<NetworkConfig>& networks) {
  Section section(table, "[[network]]", kNetworkKeys, mistakes);
  const NetworkConfig network = read_network(section, rules);
  if (section.at("name") == nullptr) {
    mistakes.add(table.source(), "[[network]] has no name (add: name = \"...\")");
    return;
  }
  if (auto ok = check_name(network.name); !ok) {
    section.wrong("name", "1 to 107 of A-Z a-z 0-9 . _ : @ / - with a letter, digit or _ first");
    return;
  }
  const bool known = std::any_of(networks.begin(), networks.end(),
                                 [&](const auto& other) { return other.name == network.name; });
  if (known) {
    mistakes.add(section.at("name")->source(),
                 "network " + quoted(network.name) + " is there already (each name once)");
  } else {
    networks.push_back(network);
  }
}

// The file ---------------------------------------------------------------------

constexpr std::array<std::string_view, 3> kTopKeys{"daemon", "limits", "network"};

std::optional<toml::table> parse(std::string_view text, Mistakes& mistakes) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    mistakes.add(error.source(), std::string(error.description()));
    return std::nullopt;
  }
}

/// A table of the top level, or null; anything else by that name is noted.
const toml::table* subtable(Section& top, std::string_view key) {
  const toml::node* node = top.at(key);
  if (node == nullptr) return nullptr;
  if (node->is_table()) return node->as_table();
  top.wrong(key, "a table, [" + std::string(key) + "]");
  return nullptr;
}

void read_networks(Section& top, const ConfigurationRules& rules, Mistakes& mistakes,
                   std::vector<NetworkConfig>& networks) {
  const toml::node* node = top.at("network");
  if (node == nullptr) return;
  const auto* list = node->as_array();
  const bool tables = list != nullptr && std::all_of(list->begin(), list->end(),
                                                     [](const auto& n) { return n.is_table(); });
  if (!tables) {
    top.wrong("network", "tables, each headed [[network]]");
    return;
  }
  for (const toml::node& one : *list) add_network(*one.as_table(), rules, mistakes, networks);
}

}  // namespace

void read_toml(std::string_view text, const std::string& file, const ConfigurationRules& rules,
               LoadedConfiguration& loaded) {
  Mistakes mistakes(file, loaded.errors);
  const auto parsed = parse(text, mistakes);
  if (!parsed) return;
  Section top(*parsed, "the file", kTopKeys, mistakes);
  Configuration& configuration = loaded.configuration;
  if (const auto* table = subtable(top, "daemon")) {
    read_daemon(*table, mistakes, configuration.daemon);
  }
  if (const auto* table = subtable(top, "limits")) {
    read_limits(*table, mistakes, configuration.limits);
  }
  read_networks(top, rules, mistakes, configuration.networks);
}

}  // namespace ipn
