// SPDX-License-Identifier: MIT
// Networks: ipnctl net add, list, show, set, del.
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipnctl/errors.h"
#include "ipnctl/forms.h"
#include "ipnctl/records.h"
#include "ipnctl/table.h"
#include "ipnctl/terminal.h"
#include "ipnctl/units.h"
#include "ipnctl/verbs.h"

namespace ipnctl {
namespace {

/// A lossless network made here does not wait for ever for one node.
constexpr std::uint32_t kLosslessDeadlineMs = 30'000;

/// How often a change that somebody else overtook is tried again.
constexpr int kChangeAttempts = 8;

/// What may be said of a network on the command line.
struct Settings {
  std::string name;
  std::optional<std::uint32_t> policy, mtu, ports, pool, mode, owner, group, deadline_ms;
  std::optional<std::uint64_t> log_bytes;
  bool lossless = false;
  bool confidential = false;
  bool temporary = false;
  bool persistent = false;
};

void add_name(Options& options, std::string& name) {
  options.add_word("NAME", name, "the network");
}

/// Options that `add` and `set` share.
void add_settings(Options& options, Settings& settings) {
  options.add_value("--mtu", settings.mtu, kCount, "longest message in bytes (1514)");
  options.add_value("--nodes", settings.ports, kCount, "most connected nodes (32)");
  options.add_value("--pool", settings.pool, kCount, "messages that a log holds (1024)");
  options.add_value("--mode", settings.mode, kMode,
                    "who may receive, send, manage: rwx (0777 & ~umask)");
  options.add_value("--owner", settings.owner, kUser, "owner, by name or number (you)");
  options.add_value("--group", settings.group, kGroup, "group, by name or number (yours)");
  options.add_value("--deadline", settings.deadline_ms, kSeconds,
                    "lossless: disconnect who blocks senders; 0 never (30)");
  options.add_value("--log-bytes", settings.log_bytes, kSize,
                    "room of each log (what pool and mtu need)");
}

void put(ipn_netcfg& config, std::uint32_t flag, __u32& field, std::optional<std::uint32_t> value) {
  if (!value) return;
  config.flags |= flag;
  field = *value;
}

/// The settings that were given, except nflags.
ipn_netcfg config_of(const Settings& settings) {
  auto config = request_of<ipn_netcfg>();
  put(config, IPN_NETCFG_POLICY, config.policy, settings.policy);
  put(config, IPN_NETCFG_MTU, config.mtu, settings.mtu);
  put(config, IPN_NETCFG_PORTS, config.ports, settings.ports);
  put(config, IPN_NETCFG_POOL, config.pool, settings.pool);
  put(config, IPN_NETCFG_MODE, config.mode, settings.mode);
  put(config, IPN_NETCFG_UID, config.uid, settings.owner);
  put(config, IPN_NETCFG_GID, config.gid, settings.group);
  put(config, IPN_NETCFG_DEADLINE, config.deadline_ms, settings.deadline_ms);
  if (settings.log_bytes) {
    config.flags |= IPN_NETCFG_LOG_BYTES;
    config.log_bytes = *settings.log_bytes;
  }
  return config;
}

std::string join(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string deadline_text(std::uint32_t deadline_ms) {
  return deadline_ms == 0 ? "never" : duration(std::uint64_t{deadline_ms} * 1'000'000);
}

bool is_lossless(const ipn_net_record& network) { return (network.nflags & IPN_NET_LOSSLESS) != 0; }

/// What a network is, in a line.
std::string summary(const ipn_net_record& network, Names& names) {
  std::string text = policy_text(network) + (is_lossless(network) ? ", lossless" : ", lossy");
  text += ", mtu " + std::to_string(network.mtu) + ", pool " + std::to_string(network.pool);
  text += ", " + counted(network.nodes_max, "node") + " at most, mode " + mode_text(network.mode);
  text += ", owner " + names.user(network.uid);
  const bool persistent = (network.nflags & IPN_NET_PERSISTENT) != 0;
  return text + (persistent ? ", persistent" : ", temporary");
}

/// Says what was done to a network: in a line, or as the network it is now.
Result<void> report(const Globals& globals, const ipn_net_record& network, const char* done) {
  Names names;
  if (globals.json) return write_out(json_text(network_json(network, names)));
  return write_out(text_of(network.name) + ": " + done + ": " + summary(network, names) + '\n');
}

// ---- net add

Result<void> net_add(const Globals& globals, const Settings& settings) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  ipn_netcfg config = config_of(settings);
  config.flags |= IPN_NETCFG_NFLAGS;
  if (settings.lossless) config.nflags |= IPN_NET_LOSSLESS;
  if (settings.confidential) config.nflags |= IPN_NET_CONFIDENTIAL;
  if (!settings.temporary) config.nflags |= IPN_NET_PERSISTENT;
  if (settings.lossless && !settings.deadline_ms) {
    put(config, IPN_NETCFG_DEADLINE, config.deadline_ms, kLosslessDeadlineMs);
  }
  if (auto done = device->network_call(IPN_IOC_NET_ADD, config, settings.name); !done) return done;
  const auto network = device->network(settings.name);
  if (!network) return network.error();
  return report(globals, *network, "added");
}

constexpr const char* kAddMore = R"(Examples:
  ipnctl net add chat
      everybody hears everybody; a slow reader loses its oldest messages
  ipnctl net add backup --lossless --mtu 65536
      no message is lost; senders wait for the slowest reader
  ipnctl net add lab --mode 0770 --group ipn --nodes 256
      for the members of group ipn only

POLICY is broadcast, ethernet, l3, bus or a number from 1 to 63. With --deadline
a node that kept senders waiting this long is disconnected. A network with
--confidential shows newcomers nothing that was sent before.

A network made here stays until "ipnctl net del", unless it is --temporary: then
it ends with its last node.)";

Action prepare_add(Options& options) {
  auto settings = std::make_shared<Settings>();
  add_name(options, settings->name);
  options.add_value("--policy", settings->policy, kPolicy,
                    "who gets a message, by name or number (broadcast)");
  options.add_flag("--lossless", settings->lossless, "senders wait for slow receivers");
  add_settings(options, *settings);
  options.add_flag("--confidential", settings->confidential, "each receiver has a log of its own");
  options.add_flag("--temporary", settings->temporary, "ends with its last node");
  return [settings](const Globals& globals) {
    if (!settings->policy) settings->policy = IPN_BROADCAST;
    return net_add(globals, *settings);
  };
}

// ---- net list

Result<void> net_list(const Globals& globals) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto networks = device->networks();
  if (!networks) return networks.error();
  Names names;
  if (globals.json) {
    Json list = Json::array();
    for (const auto& network : *networks) list.push_back(network_json(network, names));
    return write_out(json_text(list));
  }
  const Units units{globals.human};
  using enum Table::Align;
  Table table({{"NAME", kLeft},
               {"POLICY", kLeft},
               {"FLAGS", kLeft},
               {"MTU", kRight},
               {"NODES", kRight},
               {"MODE", kRight},
               {"OWNER", kLeft},
               {"MSGS", kRight},
               {"BYTES", kRight},
               {"DROPS", kRight}});
  for (const auto& network : *networks) {
    const auto flags = network_flags(network.nflags);
    table.add_row({text_of(network.name), policy_text(network),
                   flags.empty() ? "-" : join(flags, ","), std::to_string(network.mtu),
                   std::to_string(network.nodes) + "/" + std::to_string(network.nodes_max),
                   mode_text(network.mode), names.user(network.uid), units.count(network.msgs),
                   units.bytes(network.bytes), units.count(drop_sum(network.drops))});
  }
  return write_out(table.text());
}

constexpr const char* kListMore = R"(Examples:
  ipnctl net list
  ipnctl net list --human
  ipnctl --json net list | python3 -m json.tool

Only networks that give you r, w or x are there; root sees all.)";

Action prepare_list(Options&) { return net_list; }

// ---- net show

Sheet network_sheet(const ipn_net_record& network, const Units& units) {
  Names names;
  const auto flags = network_flags(network.nflags);
  Sheet sheet;
  sheet.add("name", text_of(network.name));
  sheet.add("id", std::to_string(network.id));
  sheet.add("policy", policy_text(network) + " (" + std::to_string(network.policy) + ")");
  sheet.add("flags", flags.empty() ? "none" : join(flags, ", "));
  sheet.add("mode", mode_text(network.mode));
  sheet.add("owner", names.user(network.uid));
  sheet.add("group", names.group(network.gid));
  sheet.add("mtu", std::to_string(network.mtu));
  sheet.add("pool", std::to_string(network.pool));
  sheet.add("log", units.bytes(network.log_bytes));
  sheet.add("when full", overflow_text(network.overflow));
  if (is_lossless(network)) sheet.add("deadline", deadline_text(network.deadline_ms));
  sheet.add("nodes", std::to_string(network.nodes) + " of " + std::to_string(network.nodes_max));
  sheet.add("readers", std::to_string(network.readers));
  sheet.add("writers", std::to_string(network.writers));
  sheet.add("blocked", counted(network.blocked_senders, "message") + " waiting for room");
  sheet.add("messages", units.count(network.msgs));
  sheet.add("bytes", units.bytes(network.bytes));
  sheet.add("drops", drops_text(network.drops));
  return sheet;
}

Result<void> net_show(const Globals& globals, const std::string& name) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto network = device->network(name);
  if (!network) return network.error();
  Names names;
  if (globals.json) return write_out(json_text(network_json(*network, names)));
  return write_out(network_sheet(*network, Units{globals.human}).text());
}

constexpr const char* kShowMore = R"(Examples:
  ipnctl net show chat
  ipnctl --json net show chat

"drops" are messages that did not reach a receiver, by reason; counters never
go back to 0.)";

Action prepare_show(Options& options) {
  auto name = std::make_shared<std::string>();
  add_name(options, *name);
  return [name](const Globals& globals) { return net_show(globals, *name); };
}

// ---- net set

/// Adds the change of persistence: it needs to know the other flags.
Result<void> put_persistence(Device& device, const Settings& settings, ipn_netcfg& config) {
  if (!settings.persistent && !settings.temporary) return {};
  auto now = request_of<ipn_netcfg>();
  if (auto done = device.network_call(IPN_IOC_NET_GET, now, settings.name); !done) return done;
  config.flags |= IPN_NETCFG_NFLAGS;
  config.generation = now.generation;
  config.nflags =
      settings.persistent ? now.nflags | IPN_NET_PERSISTENT : now.nflags & ~IPN_NET_PERSISTENT;
  return {};
}

Result<void> change(Device& device, const Settings& settings) {
  for (int attempt = 1;; ++attempt) {
    ipn_netcfg config = config_of(settings);
    if (auto done = put_persistence(device, settings, config); !done) return done;
    auto done = device.network_call(IPN_IOC_NET_SET, config, settings.name);
    if (done || done.error().code != EAGAIN || attempt == kChangeAttempts) return done;
  }
}

/// A network that became temporary without any node ended with the change.
Result<void> report_ended(const Globals& globals, const std::string& name) {
  if (globals.json) return write_out(json_text({{"name", name}, {"ended", true}}));
  return write_out(name + ": set: temporary, and ended, as it had no node\n");
}

Result<void> net_set(const Globals& globals, const Settings& settings) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  if (auto done = change(*device, settings); !done) return done;
  const auto network = device->network(settings.name);
  if (network) return report(globals, *network, "set");
  const bool has_ended = settings.temporary && network.error().code == ENOENT;
  return has_ended ? report_ended(globals, settings.name) : network.error();
}

constexpr const char* kSetMore = R"(Examples:
  ipnctl net set chat --mode 0770 --group ipn
      members of group ipn only, from now on; others that are connected lose
      what the mode does not give them
  ipnctl net set backup --deadline 0
      wait for the slowest reader for ever
  ipnctl net set chat --temporary
      let it end with its last node

Policy, --lossless and --confidential are for life. Only the owner and root may
change a network.)";

bool is_nothing(const Settings& settings) {
  return config_of(settings).flags == 0 && !settings.persistent && !settings.temporary;
}

Action prepare_set(Options& options) {
  auto settings = std::make_shared<Settings>();
  add_name(options, settings->name);
  add_settings(options, *settings);
  options.add_flag("--persistent", settings->persistent, "stays until it is deleted");
  options.add_flag("--temporary", settings->temporary, "ends with its last node");
  options.exclude_each_other({"--persistent", "--temporary"});
  return [settings](const Globals& globals) -> Result<void> {
    if (is_nothing(*settings)) return usage_failure("net set", "nothing to set");
    return net_set(globals, *settings);
  };
}

// ---- net del

Result<void> net_del(const Globals& globals, const std::string& name) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  // Its owner may end a network that it may not look at.
  const auto network = device->network(name);
  auto config = request_of<ipn_netcfg>();
  if (auto done = device->network_call(IPN_IOC_NET_END, config, name); !done) return done;
  const std::uint32_t readers = network ? network->readers : 0;
  if (globals.json) {
    return write_out(json_text({{"name", name}, {"ended", true}, {"readers", readers}}));
  }
  std::string text = name + ": ended";
  if (readers > 0) text += "; " + counted(readers, "reader") + " can read what is left";
  return write_out(text + '\n');
}

constexpr const char* kDelMore = R"(Examples:
  ipnctl net del chat

Newcomers find nothing from now on, members read what is left and then the end
of the file. Only the owner and root may do it.)";

Action prepare_del(Options& options) {
  auto name = std::make_shared<std::string>();
  add_name(options, *name);
  return [name](const Globals& globals) { return net_del(globals, *name); };
}

constexpr std::array kVerbs{
    Verb{"net", "add", "make a network", kAddMore, prepare_add},
    Verb{"net", "list", "the networks that you may use", kListMore, prepare_list},
    Verb{"net", "show", "everything about one network", kShowMore, prepare_show},
    Verb{"net", "set", "change a network", kSetMore, prepare_set},
    Verb{"net", "del", "end a network", kDelMore, prepare_del},
};

}  // namespace

std::span<const Verb> network_verbs() { return kVerbs; }

}  // namespace ipnctl
