// SPDX-License-Identifier: MIT
// Nodes: ipnctl node list, show, set, kick.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
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

/// Names of networks by their ids.
using NetworkNames = std::map<std::uint64_t, std::string>;

Result<NetworkNames> network_names(Device& device) {
  const auto networks = device.networks();
  if (!networks) return networks.error();
  NetworkNames names;
  for (const auto& network : *networks) names[network.id] = text_of(network.name);
  return names;
}

/// The name, or the id if the network came or went between two questions.
std::string name_of(const NetworkNames& names, std::uint64_t net) {
  const auto found = names.find(net);
  return found == names.end() ? std::to_string(net) : found->second;
}

std::string port_text(const ipn_node_record& node) {
  return node.port == IPN_PORT_ANY ? "-" : std::to_string(node.port);
}

/// What a full log does with a node's messages. Its owner, that of the network and
/// root are told; nobody, if the node is gone already.
std::optional<std::uint32_t> overflow_of(Device& device, const ipn_node_record& node) {
  auto config = request_of<ipn_nodecfg>();
  config.node = node.id;
  if (!device.call(IPN_IOC_NODE_GET, &config, device.path())) return std::nullopt;
  return config.overflow;
}

// ---- node list

std::string list_text(const std::vector<ipn_node_record>& nodes, const NetworkNames& networks,
                      const Units& units) {
  Names names;
  using enum Table::Align;
  Table table({{"NET", kLeft},
               {"PORT", kRight},
               {"DOOR", kLeft},
               {"ROLE", kLeft},
               {"PID", kRight},
               {"USER", kLeft},
               {"PROGRAM", kLeft},
               {"IN", kRight},
               {"OUT", kRight},
               {"QUEUE", kRight},
               {"DROPS", kRight},
               {"CONNECTED", kRight}});
  for (const auto& node : nodes) {
    table.add_row({name_of(networks, node.net), port_text(node), door_text(node.door),
                   role_text(node.roles), std::to_string(node.pid), names.user(node.uid),
                   printable(text_of(node.program)), units.count(node.msgs_in),
                   units.count(node.msgs_out), units.count(node.queue),
                   units.count(drop_sum(node.drops)),
                   node.port == IPN_PORT_ANY ? "-" : duration(node.connected_ns)});
  }
  return table.text();
}

Result<void> node_list(const Globals& globals, const std::string& net) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  std::uint64_t id = 0;
  if (!net.empty()) {
    const auto network = device->network(net);
    if (!network) return network.error();
    id = network->id;
  }
  const auto nodes = device->nodes(id);
  if (!nodes) return nodes.error();
  const auto networks = network_names(*device);
  if (!networks) return networks.error();
  if (!globals.json) return write_out(list_text(*nodes, *networks, Units{globals.human}));
  Json list = Json::array();
  for (const auto& node : *nodes) {
    list.push_back(node_json(node, name_of(*networks, node.net), overflow_of(*device, node)));
  }
  return write_out(json_text(list));
}

constexpr const char* kListMore = R"(Examples:
  ipnctl node list
  ipnctl node list chat
  ipnctl --json node list chat

DOOR is how a node exchanges messages: "fast" through shared memory, "device"
and "file" by calls. IN is what it sent into the network, OUT what it was given,
QUEUE what it has not read yet. A node with port "-" is bound and not connected.)";

Action prepare_list(Options& options) {
  auto net = std::make_shared<std::string>();
  options.add_word("NET", *net, "only the nodes of this network", Options::Need::kOptional);
  return [net](const Globals& globals) { return node_list(globals, *net); };
}

// ---- one node

/// Which node is meant: by its port, or by its id.
struct Which {
  std::string net;
  std::optional<std::uint32_t> port;
  std::optional<std::uint64_t> id;

  bool is_given() const { return port || id; }
  std::string text() const { return port ? std::to_string(*port) : "id " + std::to_string(*id); }
  /// In sentences.
  std::string object() const { return net + " port " + text(); }
};

constexpr const char* kNoNode = "PORT or --id is required";

void add_which(Options& options, Which& which) {
  options.add_word("NET", which.net, "the network");
  options.add_value("PORT", which.port, kCount, "the node's number in the network");
  options.add_value("--id", which.id, kId, "the node's id, instead of its port");
  options.exclude_each_other({"PORT", "--id"});
}

bool is_meant(const Which& which, const ipn_node_record& node) {
  if (which.id) return node.id == *which.id;
  return node.port >= 0 && static_cast<std::uint32_t>(node.port) == *which.port;
}

Result<ipn_node_record> find_node(Device& device, const Which& which) {
  const auto network = device.network(which.net);
  if (!network) return network.error();
  const auto nodes = device.nodes(network->id);
  if (!nodes) return nodes.error();
  const auto found = std::find_if(nodes->begin(), nodes->end(), [&](const ipn_node_record& node) {
    return is_meant(which, node);
  });
  if (found == nodes->end()) return no_node(which.net, which.text());
  return *found;
}

// ---- node show

Sheet node_sheet(const ipn_node_record& node, const std::string& net,
                 std::optional<std::uint32_t> overflow, const Units& units) {
  Names names;
  Sheet sheet;
  sheet.add("net", net);
  sheet.add("port", port_text(node));
  sheet.add("id", std::to_string(node.id));
  sheet.add("door", door_text(node.door));
  sheet.add("role", role_text(node.roles));
  sheet.add("program",
            printable(text_of(node.program)) + " (pid " + std::to_string(node.pid) + ")");
  sheet.add("user", names.user(node.uid));
  sheet.add("group", names.group(node.gid));
  sheet.add("sent",
            units.count(node.msgs_in) + " messages, " + units.bytes(node.bytes_in) + " bytes");
  sheet.add("received",
            units.count(node.msgs_out) + " messages, " + units.bytes(node.bytes_out) + " bytes");
  sheet.add("unread", units.count(node.queue) + ", at most " + units.count(node.queue_max));
  if (overflow) sheet.add("overflow", overflow_text(*overflow));
  sheet.add("drops", drops_text(node.drops));
  if (node.port != IPN_PORT_ANY) sheet.add("connected", duration(node.connected_ns));
  if ((node.flags & IPN_NODE_BLOCKS) != 0) {
    sheet.add("blocks", "senders wait for it since " + duration(node.blocking_ns));
  }
  if ((node.flags & IPN_NODE_ENDED) != 0) sheet.add("ended", "yes");
  return sheet;
}

Result<void> node_show(const Globals& globals, const Which& which) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto node = find_node(*device, which);
  if (!node) return node.error();
  const auto overflow = overflow_of(*device, *node);
  if (globals.json) return write_out(json_text(node_json(*node, which.net, overflow)));
  return write_out(node_sheet(*node, which.net, overflow, Units{globals.human}).text());
}

constexpr const char* kShowMore = R"(Examples:
  ipnctl node show chat 3
  ipnctl --json node show chat 3
  ipnctl node show chat --id 1207

"overflow" is shown to the owner of the network and to root.)";

Action checked(std::shared_ptr<Which> which, const char* verb,
               Result<void> (*run)(const Globals&, const Which&)) {
  return [which = std::move(which), verb, run](const Globals& globals) -> Result<void> {
    if (!which->is_given()) return usage_failure(verb, kNoNode);
    return run(globals, *which);
  };
}

Action prepare_show(Options& options) {
  auto which = std::make_shared<Which>();
  add_which(options, *which);
  return checked(which, "node show", node_show);
}

// ---- node set

struct NodeSettings {
  Which which;
  std::optional<std::uint32_t> overflow;
};

const char* meaning(std::uint32_t overflow) {
  switch (overflow) {
    case IPN_OVERFLOW_DROP_NEWEST:
      return "a log of its own, which loses the newest when full; nobody waits for it";
    case IPN_OVERFLOW_LATEST:
      return "a log of its own, with the latest message only; nobody waits for it";
    default:
      return "as the network's other nodes";
  }
}

Result<void> node_set(const Globals& globals, const NodeSettings& settings) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto node = find_node(*device, settings.which);
  if (!node) return node.error();
  const std::string object = settings.which.object();
  auto config = request_of<ipn_nodecfg>();
  config.node = node->id;
  config.flags = IPN_NODECFG_OVERFLOW;
  config.overflow = *settings.overflow;
  if (const auto done = device->call(IPN_IOC_NODE_SET, &config, object); !done) return done.error();
  if (globals.json) {
    return write_out(json_text(node_json(*node, settings.which.net, config.overflow)));
  }
  return write_out(object + ": set: overflow " + overflow_text(config.overflow) + ", " +
                   meaning(config.overflow) + '\n');
}

constexpr const char* kSetMore = R"(Examples:
  ipnctl node set backup 3 --overflow drop-newest
      senders do not wait for this node any more; what does not fit is lost
  ipnctl node set chat 1 --overflow latest
      for a display: only the newest message is of interest
  ipnctl node set backup 3 --overflow network
      like the others again

HOW is network, drop-newest or latest. With the last two a node has a log of its
own, also where the others share one, and never holds up senders. It is charged
to the node's user. What is lost counts as log_full or lapped in "node show".
Only the owner of the network and root may do it.)";

Action prepare_set(Options& options) {
  auto settings = std::make_shared<NodeSettings>();
  add_which(options, settings->which);
  options.add_value("--overflow", settings->overflow, kNodeOverflow,
                    "what becomes of messages without room");
  return [settings](const Globals& globals) -> Result<void> {
    if (!settings->which.is_given()) return usage_failure("node set", kNoNode);
    if (!settings->overflow) return usage_failure("node set", "nothing to set");
    return node_set(globals, *settings);
  };
}

// ---- node kick

Result<void> node_kick(const Globals& globals, const Which& which) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto node = find_node(*device, which);
  if (!node) return node.error();
  auto ref = request_of<ipn_ref>();
  ref.node = node->id;
  const std::string object = which.object();
  const auto overflow = globals.json ? overflow_of(*device, *node) : std::nullopt;
  if (const auto done = device->call(IPN_IOC_NODE_KICK, &ref, object); !done) return done.error();
  if (globals.json) {
    Json form = node_json(*node, which.net, overflow);
    form["kicked"] = true;
    return write_out(json_text(form));
  }
  const std::string program = printable(text_of(node->program));
  return write_out(object + ": kicked " + program + " (pid " + std::to_string(node->pid) + ")\n");
}

constexpr const char* kKickMore = R"(Examples:
  ipnctl node kick chat 3

The node reads the end of the file at once and cannot send any more; what it
had not read is dropped. Its program may connect again: take rights away with
"ipnctl net set --mode". Only the owner of the network and root may do it.)";

Action prepare_kick(Options& options) {
  auto which = std::make_shared<Which>();
  add_which(options, *which);
  return checked(which, "node kick", node_kick);
}

constexpr std::array kVerbs{
    Verb{"node", "list", "the nodes of a network, or of all", kListMore, prepare_list},
    Verb{"node", "show", "everything about one node", kShowMore, prepare_show},
    Verb{"node", "set", "how a node receives", kSetMore, prepare_set},
    Verb{"node", "kick", "disconnect a node", kKickMore, prepare_kick},
};

}  // namespace

std::span<const Verb> node_verbs() { return kVerbs; }

}  // namespace ipnctl
