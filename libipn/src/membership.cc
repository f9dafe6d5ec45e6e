// SPDX-License-Identifier: MIT
// Everything about a node but its messages: networks, options, roles.
#include <cstddef>
#include <cstring>
#include <sys/ioctl.h>

#include "libipn/src/fast.h"

namespace libipn {
namespace {

constexpr std::uint32_t kBothRoles = IPN_ROLE_RECV | IPN_ROLE_SEND;

// One IPN_IOC_WAIT_PEERS; the ABI's timeout of 0 means for ever.
long wait_once(ipn_node& node, unsigned readers, std::uint32_t timeout_ms) {
  struct ipn_wait_peers request {};
  request.size = sizeof request;
  request.readers = readers;
  request.timeout_ms = timeout_ms;
  if (ioctl(node.fd, IPN_IOC_WAIT_PEERS, &request) < 0) return -errno;
  return static_cast<int>(request.readers);
}

// The longest wait of one request, in milliseconds.
constexpr std::int64_t kLongestMs = 1'000'000'000;

// As many waits as signals and the limit of one request ask for.
long wait_until(ipn_node& node, unsigned readers, std::int64_t deadline_ms) {
  for (;;) {
    const std::int64_t left_ms = deadline_ms - now_ms();
    if (left_ms <= 0) return -ETIMEDOUT;
    const std::int64_t wait_ms = left_ms < kLongestMs ? left_ms : kLongestMs;
    const long result = wait_once(node, readers, static_cast<std::uint32_t>(wait_ms));
    const bool again = result == -ETIMEDOUT || (result == -EINTR && (node.flags & IPN_INTR) == 0);
    if (!again) return result;
  }
}

long wait_peers(ipn_node& node, unsigned readers, int timeout_ms) {
  if (timeout_ms > 0) return wait_until(node, readers, now_ms() + timeout_ms);
  // Nobody waits until 0 others receive, so this just counts them.
  const unsigned wanted = timeout_ms < 0 ? readers : 0;
  const long there = restarting(node, [&] {
    const long result = wait_once(node, wanted, 0);
    errno = result < 0 ? static_cast<int>(-result) : 0;
    return result < 0 ? -1 : result;
  });
  return there >= 0 && there < static_cast<long>(readers) ? -ETIMEDOUT : there;
}

std::uint32_t shut_roles(unsigned how) {
  switch (how) {
    case IPN_SHUT_RD:
      return IPN_ROLE_RECV;
    case IPN_SHUT_WR:
      return IPN_ROLE_SEND;
    default:
      return kBothRoles;
  }
}

void remember_name(ipn_node& node) {
  std::memcpy(node.wishes.name, node.membership.name, sizeof node.wishes.name);
  node.wishes.name[sizeof node.wishes.name - 1] = '\0';
}

}  // namespace

int join(ipn_node& node, Call call, unsigned long request, const char* name, unsigned policy,
         unsigned roles, std::int32_t port) {
  ipn_join joined{};
  joined.size = sizeof joined;
  joined.policy = policy;
  joined.roles = roles;
  joined.port = port;
  if (name != nullptr) {
    const std::size_t length = strnlen(name, IPN_NAME_MAX + 1);
    if (length > IPN_NAME_MAX) return fail(node, call, EINVAL, Why::kName);
    std::memcpy(joined.name, name, length);
  }
  const int error = control(node, call, request, &joined);
  if (error < 0) return error;
  joined.name[sizeof joined.name - 1] = '\0';
  node.membership = joined;
  return 0;
}

int control(ipn_node& node, Call call, unsigned long request, void* argument) {
  const long result = restarting(node, [&] { return ioctl(node.fd, request, argument); });
  if (result >= 0) return static_cast<int>(result);
  const auto error = static_cast<std::uint16_t>(-result);
  return fail(node, Failure{error, static_cast<std::uint16_t>(_IOC_NR(request)), call});
}

}  // namespace libipn

using libipn::Call;
using libipn::control;
using libipn::fail;
using libipn::fail_stale;
using libipn::is_stale;
using libipn::Why;

int ipn_bind(struct ipn_node* node, const char* name, unsigned policy) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kBind);
  if (name == nullptr) return fail(*node, Call::kBind, EINVAL, Why::kNullPointer);
  const int error = libipn::join(*node, Call::kBind, IPN_IOC_BIND, name, policy, 0, IPN_PORT_ANY);
  if (error < 0) return error;
  node->membership.port = IPN_PORT_ANY;
  node->wishes.bound = true;
  node->wishes.bind_policy = policy;
  libipn::remember_name(*node);
  node->roles.store(IPN_ROLE_MANAGE, std::memory_order_relaxed);
  return 0;
}

int ipn_connect(struct ipn_node* node, const char* name, unsigned policy, unsigned roles) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kConnect);
  int error = libipn::read_fast_path(*node);
  if (error != 0) return error;
  error = libipn::join(*node, Call::kConnect, IPN_IOC_CONNECT, name, policy, roles, IPN_PORT_ANY);
  if (error < 0) return error;
  const std::uint32_t given = node->membership.roles & libipn::kBothRoles;
  node->roles.fetch_or(given, std::memory_order_relaxed);
  const std::uint32_t wanted = roles != 0 ? roles : libipn::kBothRoles;
  node->wishes.connected = true;
  node->wishes.connect_policy = policy;
  node->wishes.roles = wanted & ~node->wishes.shut;
  libipn::remember_name(*node);
  return libipn::choose_door(*node);
}

int ipn_setopt(struct ipn_node* node, unsigned name, uint32_t value) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kSetOption);
  if (name == IPN_OPT_HEADER) return fail(*node, Call::kSetOption, EINVAL, Why::kHeaderOption);
  libipn::OptionRequest request(name, value);
  const int result = control(*node, Call::kSetOption, libipn::OptionRequest::kSet, &request);
  if (result < 0) return result;
  for (unsigned i = 0; i < libipn::Wishes::kOptions; i++) {
    if (libipn::Wishes::kNames[i] != name) continue;
    node->wishes.option[i] = value;
    node->wishes.has_option[i] = true;
  }
  return 0;
}

int ipn_getopt(struct ipn_node* node, unsigned name, uint32_t* value) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kGetOption);
  if (value == nullptr) return fail(*node, Call::kGetOption, EINVAL, Why::kNullPointer);
  libipn::OptionRequest request(name, 0);
  const int result = control(*node, Call::kGetOption, libipn::OptionRequest::kGet, &request);
  if (result < 0) return result;
  *value = request.value;
  return 0;
}

int ipn_shutdown(struct ipn_node* node, unsigned how) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kShutdown);
  if (how != IPN_SHUT_RD) {
    // What was committed goes first. Who is just sending does that by itself, and who comes
    // to send meanwhile waits.
    const libipn::Turn turn(node->sending, libipn::kLibraryInside);
    const bool attached = turn.taken() && node->fast != nullptr && node->fast->sends;
    if (attached) libipn::fast_publish(*node, *node->fast);
  }
  struct ipn_shutdown request {};
  request.size = sizeof request;
  request.how = how;
  const int result = control(*node, Call::kShutdown, IPN_IOC_SHUTDOWN, &request);
  if (result < 0) return result;
  node->roles.fetch_and(~libipn::shut_roles(how), std::memory_order_relaxed);
  if (!node->wishes.connected) node->wishes.shut |= libipn::shut_roles(how);
  return 0;
}

int ipn_fd(const struct ipn_node* node) {
  if (node == nullptr) return -EINVAL;
  return is_stale(*node) ? -ESTALE : node->fd;
}

int ipn_info(const struct ipn_node* node, struct ipn_info* info) {
  if (node == nullptr || info == nullptr || info->size < sizeof info->size) return -EINVAL;
  if (is_stale(*node)) return -ESTALE;
  struct ipn_info known {};
  const std::size_t size = info->size < sizeof known ? info->size : sizeof known;
  known.size = static_cast<std::uint32_t>(size);
  known.net = node->membership.net;
  known.node = node->membership.node;
  known.port = node->membership.port;
  known.policy = node->membership.policy;
  known.roles = node->roles.load(std::memory_order_relaxed);
  known.door = node->door.load(std::memory_order_relaxed);
  known.msg_max = node->daemon.msg_max;
  known.abi = node->daemon.abi;
  std::memcpy(known.network, node->membership.name, sizeof known.network);
  std::memcpy(known.daemon, node->daemon.text, sizeof node->daemon.text);
  known.device = node->device;
  const libipn::DoorReason reason = node->reason.load(std::memory_order_relaxed);
  libipn::print_door_reason(known.door_reason, sizeof known.door_reason, reason);
  std::memcpy(info, &known, size);
  return 0;
}

int ipn_wait_peers(struct ipn_node* node, unsigned readers, int timeout_ms) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kWaitPeers);
  const long result = libipn::wait_peers(*node, readers, timeout_ms);
  if (result >= 0) return static_cast<int>(result);
  const auto nr = static_cast<std::uint16_t>(_IOC_NR(IPN_IOC_WAIT_PEERS));
  return fail(*node, {static_cast<std::uint16_t>(-result), nr, Call::kWaitPeers});
}

int ipn_ioctl(struct ipn_node* node, unsigned long request, void* arg) {
  const libipn::NoCancel no_cancel;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kIoctl);
  return control(*node, Call::kIoctl, request, arg);
}
