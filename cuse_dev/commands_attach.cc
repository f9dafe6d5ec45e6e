// SPDX-License-Identifier: MIT
//
// Commands of how a node's messages travel and how it receives: attaching to
// shared memory, overflow.
#include "cuse_dev/command_context.h"

namespace ipn::device {
namespace {

/// The node that the caller means: its own, or one that it manages.
Result<Node*> node_of(const Context& context, std::uint64_t id) {
  Node& own = context.file.node();
  if (id == 0 || id == own.id().value) return &own;
  return context.core().own_node(NodeId{id}, context.who());
}

void put_settings(const Node& node, ipn_nodecfg& c) {
  c = {};
  c.node = node.id().value;
  c.overflow = node.overflow();
}

}  // namespace

Result<void> attach(const Context& context, ipn_attach& request) {
  const bool zero = request.flags == 0 && request.next_seq == 0 && request.epoch == 0 &&
                    is_zero(std::as_bytes(std::span(request.rsv)));
  if (!zero) return unknown_flags();
  const io::TicketHolder who{context.who().pid, context.request.caller.uid};
  return context.file.attach(request, who);
}

void detach(const Context& context, Call call) {
  auto request = structure_of<ipn_attach>(context);
  if (!request) return refuse(context, call, request.error());
  request->size = 0;
  if (!is_zero(std::as_bytes(std::span(&*request, 1)))) {
    return refuse(context, call, unknown_flags());
  }
  context.file.detach(std::move(call));
}

Result<void> node_get(const Context& context, ipn_nodecfg& c) {
  if (c.flags != 0) return unknown_flags();
  auto node = node_of(context, c.node);
  if (!node) return node.error();
  put_settings(**node, c);
  return {};
}

Result<void> node_set(const Context& context, ipn_nodecfg& c) {
  const bool zero = (c.flags & ~IPN_NODECFG_OVERFLOW) == 0 && c.deadline_ms == 0 &&
                    c.evict_ms == 0 && c.rsv0 == 0 && is_zero(std::as_bytes(std::span(c.rsv)));
  if (!zero) return unknown_flags();
  auto node = node_of(context, c.node);
  if (!node) return node.error();
  if ((c.flags & IPN_NODECFG_OVERFLOW) != 0) {
    if (auto done =
            context.core().set_overflow(**node, c.overflow, Uid{context.request.caller.uid});
        !done)
      return done;
  }
  put_settings(**node, c);
  return {};
}

}  // namespace ipn::device
