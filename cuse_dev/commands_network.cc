// SPDX-License-Identifier: MIT
//
// Commands of networks: making, changing, ending; kicking nodes; the daemon's numbers.
#include "cuse_dev/command_context.h"

namespace ipn::device {
std::uint32_t overflow_of(const NetworkConfig& config) {
  if (config.is_lossless()) return IPN_OVERFLOW_BLOCK;
  return (config.flags & IPN_NET_CONFIDENTIAL) != 0 ? IPN_OVERFLOW_DROP_NEWEST
                                                    : IPN_OVERFLOW_DROP_OLDEST;
}

namespace {

constexpr std::uint32_t kSettable = IPN_NETCFG_NFLAGS | IPN_NETCFG_MTU | IPN_NETCFG_PORTS |
                                    IPN_NETCFG_POOL | IPN_NETCFG_MODE | IPN_NETCFG_UID |
                                    IPN_NETCFG_GID | IPN_NETCFG_DEADLINE | IPN_NETCFG_LOG_BYTES;

Result<void> check_reserved(const ipn_netcfg& c, std::uint32_t fields_known) {
  if ((c.flags & ~fields_known) != 0 || c.retain_msgs != 0 || c.retain_ms != 0 ||
      !is_zero(std::as_bytes(std::span(c.rsv)))) {
    return unknown_flags();
  }
  return {};
}

NetworkChange change_of(const ipn_netcfg& c) {
  NetworkChange change;
  if (c.flags & IPN_NETCFG_NFLAGS) change.flags = c.nflags;
  if (c.flags & IPN_NETCFG_MTU) change.mtu = c.mtu;
  if (c.flags & IPN_NETCFG_PORTS) change.ports = c.ports;
  if (c.flags & IPN_NETCFG_POOL) change.pool = c.pool;
  if (c.flags & IPN_NETCFG_MODE) change.mode = c.mode;
  if (c.flags & IPN_NETCFG_UID) change.owner = Uid{c.uid};
  if (c.flags & IPN_NETCFG_GID) change.group = Gid{c.gid};
  if (c.flags & IPN_NETCFG_DEADLINE) change.deadline_ms = c.deadline_ms;
  if (c.flags & IPN_NETCFG_LOG_BYTES) change.log_bytes = c.log_bytes;
  return change;
}

void put_network(ipn_netcfg& c, const Network& network) {
  const NetworkConfig& config = network.config();
  c = {};
  c.flags = kSettable | IPN_NETCFG_POLICY;
  c.net = network.id().value;
  c.generation = network.generation();
  c.policy = config.policy;
  c.nflags = config.flags;
  c.mtu = config.mtu;
  c.ports = config.ports;
  c.pool = config.pool;
  c.mode = config.mode;
  c.uid = config.owner.value;
  c.gid = config.group.value;
  c.overflow = overflow_of(config);
  c.deadline_ms = config.deadline_ms;
  c.log_bytes = network.log_bytes();
  put_text(c.name, config.name);
}

}  // namespace

Result<void> net_add(const Context& context, ipn_netcfg& c) {
  if (auto ok = check_reserved(c, kSettable | IPN_NETCFG_POLICY); !ok) return ok;
  auto name = text_of(c.name);
  if (!name) return name.error();
  const Credentials& who = context.who();
  NetworkConfig config;
  config.name = *name;
  config.policy = (c.flags & IPN_NETCFG_POLICY) != 0 ? c.policy : IPN_BROADCAST;
  config.mode = 0777 & ~who.umask;
  config.owner = who.uid;
  config.group = who.gid;
  change_of(c).apply_to(config);
  auto network = context.core().add_network(config, who, false);
  if (!network) return network.error();
  put_network(c, **network);
  return {};
}

namespace {

/// The network that a program means, if it may see it.
Result<Network*> network_of(const Context& context, std::uint64_t id, std::string_view name) {
  return context.core().visible_network(NetworkId{id}, name, context.who());
}

}  // namespace

Result<void> net_get(const Context& context, ipn_netcfg& c) {
  if (auto ok = check_reserved(c, 0); !ok) return ok;
  auto name = text_of(c.name);
  if (!name) return name.error();
  auto network = network_of(context, c.net, *name);
  if (!network) return network.error();
  put_network(c, **network);
  return {};
}

Result<void> net_set(const Context& context, ipn_netcfg& c) {
  if (auto ok = check_reserved(c, kSettable); !ok) return ok;
  auto name = text_of(c.name);
  if (!name) return name.error();
  auto network = network_of(context, c.net, *name);
  if (!network) return network.error();
  const NetworkId id = (*network)->id();
  auto done = context.core().change_network(id, change_of(c), c.generation, context.who());
  if (!done) return done;
  // A network that is temporary now and has no node is gone.
  if (auto changed = context.core().find_network(id, {}); changed) put_network(c, **changed);
  return {};
}

Result<void> net_end(const Context& context, ipn_netcfg& c) {
  if (auto ok = check_reserved(c, 0); !ok) return ok;
  auto name = text_of(c.name);
  if (!name) return name.error();
  auto network = network_of(context, c.net, *name);
  if (!network) return network.error();
  return context.core().end_network((*network)->id(), context.who());
}

Result<void> node_kick(const Context& context, ipn_ref& ref) {
  if (ref.flags != 0 || ref.rsv != 0) return unknown_flags();
  std::uint64_t id = ref.node;
  if (id == 0) {
    auto name = text_of(ref.name);
    if (!name) return name.error();
    auto network = network_of(context, ref.net, *name);
    if (!network) return network.error();
    const Node* node =
        ref.port < 0 ? nullptr : (*network)->node_at(Port{static_cast<std::uint32_t>(ref.port)});
    if (node == nullptr) {
      const std::string& net = (*network)->config().name;
      return Error{ENOENT, net + " port " + std::to_string(ref.port) +
                               ": no node there (see ipnctl node list " + net + ")"};
    }
    id = node->id().value;
  }
  return context.core().kick(NodeId{id}, context.who());
}

Result<void> stats(const Context& context, ipn_stats& s) {
  if (s.flags != 0) return unknown_flags();
  const SwitchTotals totals = context.core().totals();
  const Limits& limits = context.core().limits();
  const Uid uid{context.request.caller.uid};
  const Account account = context.core().account_of(uid);
  s = {};
  s.uptime_ns = static_cast<__u64>(context.device.uptime());
  s.networks = totals.networks;
  s.nodes = totals.connected;
  s.open_files = totals.open_nodes;
  s.open_files_max = limits.open_nodes;
  s.msgs = totals.msgs;
  s.bytes = totals.bytes;
  s.requests = context.device.requests();
  s.bad_requests = context.device.bad_requests();
  std::copy(totals.drops.all().begin(), totals.drops.all().end(), s.drops);
  s.evictions = totals.evictions;
  s.uid = uid.value;
  s.exempt = Accounts::is_exempt(uid) ? 1 : 0;
  s.uid_networks = account.networks;
  s.uid_networks_max = limits.networks_per_uid;
  s.uid_nodes = account.nodes;
  s.uid_nodes_max = limits.nodes_per_uid;
  s.uid_log_bytes = account.log_bytes;
  s.uid_log_bytes_max = limits.log_bytes_per_uid;
  s.uid_parked_bytes = account.parked_bytes;
  s.node_parked_bytes_max = limits.parked_bytes_per_node;
  s.attached = totals.attached;
  s.cut_off = totals.cut_off;
  if (const io::RingPorts* ports = context.device.ports()) {
    const io::RingPortsStats memory = ports->stats();
    s.attached_hot = memory.hot;
    s.doorbells = memory.doorbells;
    s.wakes = memory.wakes;
    s.rounds = memory.loop.rounds;
    s.loop_calls = memory.loop.system_calls;
  }
  put_text(s.loop, context.device.info().loop);
  put_text(s.device, context.device.info().device);
  return {};
}

}  // namespace ipn::device
