// SPDX-License-Identifier: MIT
// Nodes: ipnctl node list, show, kick.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
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
  for (const auto& node : *nodes) list.push_back(node_json(node, name_of(*networks, node.net)));
  return write_out(json_text(list));
}

constexpr const char* kListMore = R"(Examples:
  ipnctl node list
  ipnctl node list chat
  ipnctl --json node list chat

IN is what a node sent into the network, OUT what it was given, QUEUE what it
has not read yet. A node with port "-" is bound and not connected.)";

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

  std::string text() const { return port ? std::to_string(*port) : "id " + std::to_string(*id); }
};

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

Sheet node_sheet(const ipn_node_record& node, const std::string& net, const Units& units) {
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
  if (globals.json) return write_out(json_text(node_json(*node, which.net)));
  return write_out(node_sheet(*node, which.net, Units{globals.human}).text());
}

constexpr const char* kShowMore = R"(Examples:
  ipnctl node show chat 3
  ipnctl --json node show chat 3
  ipnctl node show chat --id 1207)";

Action checked(std::shared_ptr<Which> which, const char* verb,
               Result<void> (*run)(const Globals&, const Which&)) {
  return [which = std::move(which), verb, run](const Globals& globals) -> Result<void> {
    if (!which->port && !which->id) return usage_failure(verb, "PORT or --id is required");
    return run(globals, *which);
  };
}

Action prepare_show(Options& options) {
  auto which = std::make_shared<Which>();
  add_which(options, *which);
  return checked(which, "node show", node_show);
}

// ---- node kick

Result<void> node_kick(const Globals& globals, const Which& which) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto node = find_node(*device, which);
  if (!node) return node.error();
  auto ref = request_of<ipn_ref>();
  ref.node = node->id;
  const std::string object = which.net + " port " + which.text();
  if (const auto done = device->call(IPN_IOC_NODE_KICK, &ref, object); !done) return done.error();
  if (globals.json) {
    Json form = node_json(*node, which.net);
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
    Verb{"node", "kick", "disconnect a node", kKickMore, prepare_kick},
};

}  // namespace

std::span<const Verb> node_verbs() { return kVerbs; }

}  // namespace ipnctl
