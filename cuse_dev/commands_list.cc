// SPDX-License-Identifier: MIT
//
// IPN_IOC_LIST: networks and nodes as records.
#include <vector>

#include "cuse_dev/command_context.h"

namespace ipn::device {
namespace {

ipn_net_record record_of(const Network& network) {
  const NetworkConfig& config = network.config();
  ipn_net_record r{};
  r.id = network.id().value;
  r.generation = network.generation();
  r.policy = config.policy;
  r.nflags = config.flags | (network.is_ending() ? IPN_NET_TERMINATED : 0);
  r.mtu = config.mtu;
  r.pool = config.pool;
  r.nodes = network.connected();
  r.nodes_max = config.ports;
  r.readers = network.readers();
  r.writers = network.writers();
  r.mode = config.mode;
  r.uid = config.owner.value;
  r.gid = config.group.value;
  r.blocked_senders = network.blocked_senders();
  r.deadline_ms = config.deadline_ms;
  r.overflow = overflow_of(config);
  r.log_bytes = network.log_bytes();
  r.msgs = network.msgs();
  r.bytes = network.bytes();
  std::copy(network.drops().all().begin(), network.drops().all().end(), r.drops);
  put_text(r.name, config.name);
  put_text(r.policy_name, network.policy_name());
  return r;
}

ipn_node_record record_of(const NodeView& view) {
  const Node& node = view.node;
  ipn_node_record r{};
  r.net = node.network()->id().value;
  r.id = node.id().value;
  r.port = node.port() ? static_cast<__s32>(node.port()->value) : IPN_PORT_ANY;
  r.door = static_cast<__u32>(node.door());
  r.roles = (node.receives() ? IPN_ROLE_RECV : 0) | (node.sends() ? IPN_ROLE_SEND : 0) |
            (node.is_bound() ? IPN_ROLE_MANAGE : 0);
  r.flags = (node.port() ? IPN_NODE_CONNECTED : 0) | (view.blocking_ns != 0 ? IPN_NODE_BLOCKS : 0) |
            (node.network()->is_ending() ? IPN_NODE_ENDED : 0);
  r.pid = node.credentials().pid;
  r.uid = node.credentials().uid.value;
  r.gid = node.credentials().gid.value;
  r.truncated = static_cast<__u32>(std::min<std::uint64_t>(node.counters().truncated, UINT32_MAX));
  r.msgs_in = node.counters().msgs_in;
  r.bytes_in = node.counters().bytes_in;
  r.msgs_out = node.counters().msgs_out;
  r.bytes_out = node.counters().bytes_out;
  r.queue = view.queue;
  r.queue_max = view.queue_max;
  std::copy(node.counters().drops.all().begin(), node.counters().drops.all().end(), r.drops);
  r.connected_ns = static_cast<__u64>(view.connected_ns);
  r.blocking_ns = static_cast<__u64>(view.blocking_ns);
  put_text(r.program, node.credentials().program);
  return r;
}

/// Collects records as long as there is room.
struct RecordBuffer {
  std::size_t room;
  std::vector<std::byte> bytes{};

  template <typename T>
  bool add(const T& record) {
    if (bytes.size() + sizeof record > room) return false;
    const auto raw = std::as_bytes(std::span(&record, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    return true;
  }
};

void list_networks(const Context& context, const Credentials& who, ipn_list& head,
                   RecordBuffer& records) {
  head.rec = sizeof(ipn_net_record);
  context.core().for_each_network(NetworkId{head.cursor}, [&](Network& network) {
    const bool seen = network.is_visible_to(who);
    if (seen && !records.add(record_of(network))) return false;
    head.n += seen ? 1 : 0;
    if (seen) head.cursor = network.id().value;
    return true;
  });
}

void list_nodes(const Context& context, const Credentials& who, ipn_list& head,
                RecordBuffer& records) {
  head.rec = sizeof(ipn_node_record);
  context.core().for_each_node(NodeId{head.cursor}, [&](Node& node) {
    const Network& network = *node.network();
    const bool meant = head.net == 0 || head.net == network.id().value;
    const bool seen = meant && network.is_visible_to(who);
    if (seen && !records.add(record_of(context.core().view(node)))) return false;
    head.n += seen ? 1 : 0;
    if (seen) head.cursor = node.id().value;
    return true;
  });
}

}  // namespace

void list(const Context& context, Call call) {
  auto head = head_of<ipn_list>(context.request.in);
  if (!head || head->size != context.request.in.size()) {
    return refuse(context, call, wrong_size());
  }
  if (head->flags != 0 || head->rsv != 0) return refuse(context, call, unknown_flags());
  RecordBuffer records{context.request.out_size - sizeof(ipn_list)};
  const Credentials& who = context.who();
  head->n = head->rec = 0;
  head->generation = context.core().generation();
  if (head->kind == IPN_LIST_NETWORKS) {
    list_networks(context, who, *head, records);
  } else if (head->kind == IPN_LIST_NODES) {
    list_nodes(context, who, *head, records);
  } else {
    return refuse(context, call, malformed("kind: unknown (networks 1, nodes 2)"));
  }
  if (records.room < head->rec) {
    return refuse(context, call, malformed("data: no room for one record (use IPN_LIST_DATA_MAX)"));
  }
  head->size = static_cast<__u32>(sizeof *head + records.bytes.size());
  call.ioctl(0, std::as_bytes(std::span(&*head, 1)), records.bytes);
}

}  // namespace ipn::device
