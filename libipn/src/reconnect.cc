// SPDX-License-Identifier: MIT
// A node begins anew, on the same number of descriptor. Everything is tried on a
// node of its own, which takes the place of the old one only when all has worked.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "libipn/src/fast.h"
#include "libipn/src/held.h"

namespace libipn {
namespace {

constexpr std::int64_t kFirstPauseMs = 5;
constexpr std::int64_t kLongestPauseMs = 100;

/// Errors that the start of a daemon, or of a network, may mend.
bool may_pass(int error) {
  switch (-error) {
    case ENOENT:
    case ENOTTY:
    case ENODEV:
    case ENXIO:
    case ENOTCONN:
    case ECONNABORTED:
    case ECONNRESET:
    case ENFILE:
    case EACCES:  // a device that has not got its mode yet
    case EPROTONOSUPPORT:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

int set_options(ipn_node& fresh) {
  for (unsigned i = 0; i < Wishes::kOptions; i++) {
    if (!fresh.wishes.has_option[i]) continue;
    OptionRequest request(Wishes::kNames[i], fresh.wishes.option[i]);
    const int error = control(fresh, Call::kSetOption, OptionRequest::kSet, &request);
    if (error < 0) return error;
  }
  return 0;
}

/// Where the old node was: by the same port, if nobody else has it now.
int join_again(ipn_node& fresh, std::int32_t port) {
  const Wishes& wishes = fresh.wishes;
  int error = set_options(fresh);
  if (error == 0 && wishes.bound) {
    error =
        join(fresh, Call::kBind, IPN_IOC_BIND, wishes.name, wishes.bind_policy, 0, IPN_PORT_ANY);
    fresh.membership.port = IPN_PORT_ANY;
  }
  if (error != 0 || !wishes.connected) return error;
  const auto connect = [&](std::int32_t wanted) {
    const char* name = wishes.bound ? nullptr : wishes.name;
    return join(fresh, Call::kConnect, IPN_IOC_CONNECT, name, wishes.connect_policy, wishes.roles,
                wanted);
  };
  error = connect(port);
  if (error == -EADDRINUSE || error == -EADDRNOTAVAIL) error = connect(IPN_PORT_ANY);
  return error;
}

/// What the old node had of its own is forgotten; what the new one has takes its place.
int replace(ipn_node& node, ipn_node& fresh) {
  release_fast(node);
  if (dup3(fresh.fd, node.fd, O_CLOEXEC) < 0) return -errno;
  close(fresh.fd);
  fresh.fd = -1;
  std::free(std::exchange(node.held, nullptr));
  std::free(std::exchange(node.reports, nullptr));
  node.reservation = {};
  node.given_below = 0;
  node.daemon = fresh.daemon;
  node.device_door = fresh.device_door;
  node.membership = fresh.membership;
  const std::uint32_t manage = node.wishes.bound ? std::uint32_t{IPN_ROLE_MANAGE} : 0;
  const std::uint32_t given = node.wishes.connected ? fresh.membership.roles : 0;
  node.roles.store((given & (IPN_ROLE_RECV | IPN_ROLE_SEND)) | manage, std::memory_order_relaxed);
  update_door(node, {});
  return 0;
}

int try_once(ipn_node& node) {
  ipn_node fresh;
  fresh.device = node.device;
  fresh.flags = node.flags;
  fresh.serial = node.serial;
  fresh.wishes = node.wishes;
  int error = open_node(fresh);
  if (error != 0) {
    error = fail(fresh, Call::kReconnect, -error, Why::kReopen);
  } else {
    error = join_again(fresh, node.membership.port);
  }
  if (error == 0) error = replace(node, fresh);
  if (fresh.fd >= 0) close(fresh.fd);
  if (error != 0) {
    node.failure.store(fresh.failure.load(std::memory_order_relaxed), std::memory_order_relaxed);
    return error;
  }
  return node.wishes.connected ? choose_door(node) : 0;
}

bool is_interrupted(const ipn_node& node, std::int64_t pause_ms) {
  const timespec pause{0, pause_ms * 1'000'000};
  return nanosleep(&pause, nullptr) != 0 && (node.flags & IPN_INTR) != 0;
}

int reconnect(ipn_node& node, int timeout_ms) {
  const std::int64_t until = now_ms() + timeout_ms;
  std::int64_t pause_ms = kFirstPauseMs;
  for (;;) {
    const int error = try_once(node);
    if (error == 0 || timeout_ms == 0 || !may_pass(error)) return error;
    if (timeout_ms > 0 && now_ms() >= until) {
      return fail(node, Call::kReconnect, ETIMEDOUT, Why::kReopen);
    }
    if (is_interrupted(node, pause_ms)) return fail(node, Call::kReconnect, EINTR, Why::kErrno);
    pause_ms = std::min(2 * pause_ms, kLongestPauseMs);
  }
}

}  // namespace
}  // namespace libipn

int ipn_reconnect(struct ipn_node* node, int timeout_ms) {
  using namespace libipn;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kReconnect);
  const Turn sending(node->sending), receiving(node->receiving);
  if (!sending.taken()) return fail(*node, Call::kReconnect, EBUSY, Why::kSenderBusy);
  if (!receiving.taken()) return fail(*node, Call::kReconnect, EBUSY, Why::kReceiverBusy);
  const NoCancel no_cancel;
  return reconnect(*node, timeout_ms);
}
