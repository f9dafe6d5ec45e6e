// SPDX-License-Identifier: MIT
//
// Commands of a node: version, joining, options, messages.
#include <bit>

#include "cuse_dev/command_context.h"

#include <ipn/ring.h>

namespace ipn::device {
namespace {

/// What a program may ask for with IPN_OPT_RING, in bytes.
constexpr std::uint32_t kRingBytesLeast = 4 << 10;
constexpr std::uint32_t kRingBytesMost = 16 << 20;

}  // namespace

// VERSION, EXPLAIN ------------------------------------------------------------

Result<void> version(const Context& context, ipn_version& v) {
  if (v.flags != 0) return unknown_flags();
  const std::uint32_t abi = v.abi;
  v = {};
  v.abi = IPN_ABI;
  v.msg_max = IPN_MSG_MAX;
  v.features[0] = IPN_FEATURE_DEVICE;
  const io::RingPorts* ports = context.device.ports();
  if (ports != nullptr && ports->is_listening() && ports->path().size() < sizeof v.socket) {
    v.features[0] |= IPN_FEATURE_FAST;
    v.layout_min = v.layout_max = IPN_RING_LAYOUT;
    put_text(v.socket, ports->path());
  }
  const DeviceInfo& info = context.device.info();
  std::memcpy(v.boot_id, info.boot_id.data(), sizeof v.boot_id);
  put_text(v.text, info.version);
  context.file.set_foreign_abi(abi != 0 && abi != IPN_ABI ? abi : 0);
  return {};
}

Result<void> explain(const Context& context, ipn_explain& e) {
  if (e.flags != 0) return unknown_flags();
  e = {};
  context.file.last_error().explain(e);
  return {};
}

namespace {

// Joining ---------------------------------------------------------------------

Result<JoinRequest> join_request(const ipn_join& join, std::uint32_t roles_known) {
  if (join.flags != 0 || join.layout != 0 || join.ns != 0 ||
      !is_zero(std::as_bytes(std::span(join.rsv)))) {
    return unknown_flags();
  }
  if ((join.roles & ~roles_known) != 0) return malformed("roles: unknown bits (receive 1, send 2)");
  if (join.port < IPN_PORT_ANY) return malformed("port: negative (0 and up, or IPN_PORT_ANY)");
  auto name = text_of(join.name);
  if (!name) return name.error();
  JoinRequest request;
  request.name = *name;
  request.policy = join.policy;
  request.roles = join.roles;
  if (join.port != IPN_PORT_ANY) request.port = Port{static_cast<std::uint32_t>(join.port)};
  return request;
}

void put_answer(ipn_join& join, const JoinAnswer& answer, const Node& node) {
  join = {};
  join.policy = answer.network->config().policy;
  join.roles = answer.roles;
  join.port = answer.port ? static_cast<__s32>(answer.port->value) : IPN_PORT_ANY;
  join.net = answer.network->id().value;
  join.node = node.id().value;
  join.next_seq = answer.next_seq;
  put_text(join.name, answer.network->config().name);
}

}  // namespace

Result<void> bind(const Context& context, ipn_join& join) {
  auto request = join_request(join, 0);
  if (!request) return request.error();
  if (request->port) return malformed("port: chosen at connect (leave it IPN_PORT_ANY)");
  Node& node = context.file.node();
  auto answer = context.core().bind(node, *request, context.who());
  if (!answer) return answer.error();
  put_answer(join, *answer, node);
  return {};
}

Result<void> connect(const Context& context, ipn_join& join) {
  auto request = join_request(join, IPN_ROLE_RECV | IPN_ROLE_SEND);
  if (!request) return request.error();
  Node& node = context.file.node();
  auto answer = context.core().connect(node, *request, context.who());
  if (!answer) return answer.error();
  put_answer(join, *answer, node);
  context.file.state_changed();
  return {};
}

Result<void> shutdown(const Context& context, ipn_shutdown& request) {
  Node& node = context.file.node();
  if (request.flags != 0 || request.rsv != 0) return unknown_flags();
  if (request.node != 0 && request.node != node.id().value) {
    return malformed("node: only this open file can be shut down (0, or its own id)");
  }
  if (request.how > IPN_SHUT_RDWR) return malformed("how: unknown (read 0, write 1, both 2)");
  const bool receive = request.how != IPN_SHUT_WR;
  const bool send = request.how != IPN_SHUT_RD;
  auto done = context.file.shutdown(receive, send);
  if (done) context.file.state_changed();
  return done;
}

namespace {

Result<ipn_opt> option_head(const Context& context) {
  const auto in = context.request.in;
  const auto head = head_of<ipn_opt>(in);
  if (!head || head->size != in.size() || head->len > in.size() - sizeof(ipn_opt)) {
    return malformed(
        "size or len: not what the number of the ioctl says (IPN_IOC_SETOPT, IPN_IOC_GETOPT)");
  }
  if (head->flags != 0 || head->rsv != 0) return unknown_flags();
  if (head->node != 0 && head->node != context.file.node().id().value) {
    return malformed("node: only options of this open file (0, or its own id)");
  }
  return *head;
}

Result<void> set_ring(const Context& context, std::uint32_t bytes) {
  if (bytes != 0 && (bytes < kRingBytesLeast || bytes > kRingBytesMost)) {
    return malformed("option RING: out of range (4096 to 16777216 bytes, or 0)");
  }
  context.file.set_ring_bytes(bytes == 0 ? 0 : std::bit_ceil(bytes));
  return {};
}

Result<void> set_option_value(const Context& context, const ipn_opt& head) {
  const auto value = context.request.in.subspan(sizeof(ipn_opt), head.len);
  Node& node = context.file.node();
  if (head.level != 0) {
    const auto policy = static_cast<std::uint32_t>(head.level);
    return context.core().set_policy_option(node, policy, head.name, value);
  }
  std::uint32_t number = 0;
  if (value.size() != sizeof number) return malformed("len: not that of the option (4, one __u32)");
  std::memcpy(&number, value.data(), sizeof number);
  if (head.name == IPN_OPT_RING) return set_ring(context, number);
  if (head.name != IPN_OPT_HEADER) return context.core().set_option(node, head.name, number);
  if (number > 1) return malformed("option HEADER: out of range (0 or 1)");
  context.file.set_header_mode(number == 1);
  return {};
}

}  // namespace

void set_option(const Context& context, Call call) {
  auto head = option_head(context);
  if (!head) return refuse(context, call, head.error());
  if (auto done = set_option_value(context, *head); !done) {
    return refuse(context, call, done.error());
  }
  call.ioctl(0);
}

namespace {

Result<std::size_t> get_option_value(const Context& context, const ipn_opt& head,
                                     std::span<std::byte> value) {
  Node& node = context.file.node();
  if (head.level != 0) {
    const auto policy = static_cast<std::uint32_t>(head.level);
    return context.core().get_policy_option(node, policy, head.name, value);
  }
  std::uint32_t number = context.file.header_mode() ? 1 : 0;
  if (head.name == IPN_OPT_RING) number = static_cast<std::uint32_t>(context.file.ring_bytes());
  if (value.size() < sizeof number)
    return malformed("len: less than that of the option (4, one __u32)");
  if (head.name != IPN_OPT_HEADER && head.name != IPN_OPT_RING) {
    auto got = context.core().get_option(node, head.name);
    if (!got) return got.error();
    number = *got;
  }
  std::memcpy(value.data(), &number, sizeof number);
  return sizeof number;
}

}  // namespace

void get_option(const Context& context, Call call) {
  auto head = option_head(context);
  if (!head) return refuse(context, call, head.error());
  std::vector<std::byte> value(head->len);
  auto length = get_option_value(context, *head, value);
  if (!length) return refuse(context, call, length.error());
  ipn_opt answer = *head;
  answer.len = static_cast<__u32>(*length);
  answer.size = static_cast<__u32>(sizeof answer + *length);
  call.ioctl(0, std::as_bytes(std::span(&answer, 1)), std::span(value).first(*length));
}

void send(const Context& context, Call call) {
  const auto header = head_of<ipn_msg>(context.request.in);
  if (!header) return refuse(context, call, malformed("size: less than a header (IPN_IOC_SEND)"));
  context.file.send(std::move(call), *header, context.request.in.subspan(sizeof(ipn_msg)),
                    context.request.nonblocking);
}

void receive(const Context& context, Call call) {
  const auto header = head_of<ipn_msg>(context.request.in);
  ipn_msg allowed{};
  if (header) {
    allowed.hdr = IPN_MSG_HDR;
    allowed.flags = header->flags & (IPN_MSG_DONTWAIT | IPN_MSG_PEEK);
    allowed.peer = header->peer;
  }
  if (!header || std::memcmp(&*header, &allowed, sizeof allowed) != 0) {
    return refuse(context, call,
                  malformed("header: has more than an offset and known flags (DONTWAIT, PEEK)"));
  }
  context.file.receive(std::move(call), *header, context.request.out_size - sizeof(ipn_msg),
                       context.request.nonblocking);
}

void wait_peers(const Context& context, Call call) {
  const auto request = structure_of<ipn_wait_peers>(context);
  if (!request) return refuse(context, call, request.error());
  if (request->flags != 0) return refuse(context, call, unknown_flags());
  context.file.wait_peers(std::move(call), *request);
}

void check(const Context&, Call call) { call.ioctl(IPN_IOC_CHECK); }

}  // namespace ipn::device
