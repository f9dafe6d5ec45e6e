// SPDX-License-Identifier: MIT
// The way of a node's messages: chosen at connect, changed by ipn_setdoor(), and
// taken up again after the daemon has moved a node to the device.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <poll.h>
#include <sys/ioctl.h>

#include "libipn/src/fast.h"

namespace libipn {
namespace {

constexpr std::int64_t kAttachAgainMs = 1000;
// The daemon looks at a ring many times in this time.
constexpr std::int64_t kStuckMs = 200;

constexpr const char* kReasons[] = {
    "",
    "IPN_FASTPATH is 0",
    "chosen by ipn_setdoor()",
    "the daemon offers no shared memory",
    "attach socket",
    "attach socket gives no ticket",
    "ticket is of another daemon",
    "IPN_IOC_ATTACH",
    "the daemon's memory has another form",
    "mapping",
    "moved by the daemon",
    "next epoch does not come",
};
static_assert(std::size(kReasons) == static_cast<std::size_t>(Reason::kEpoch) + 1);

bool is_moved(const ipn_node& node) {
  if (node.device_chosen || node.fast_path == FastPath::kNever || !is_connected(node)) return false;
  const Reason reason = node.reason.load(std::memory_order_relaxed).reason;
  return reason == Reason::kMoved || reason == Reason::kEpoch;
}

/// What attach() has found, as the failure of a call.
int fail_attach(ipn_node& node, Call call, long error) {
  const DoorReason reason = node.reason.load(std::memory_order_relaxed);
  const auto number = static_cast<std::uint16_t>(-error);
  if (reason.reason == Reason::kAttach) {
    if (error == -EAGAIN) return fail(node, call, EAGAIN, Why::kOldEpoch);
    return fail(node, Failure{number, static_cast<std::uint16_t>(_IOC_NR(IPN_IOC_ATTACH)), call});
  }
  const bool own = reason.reason == Reason::kMapping;
  return fail(node, call, own ? number : EOPNOTSUPP, Why::kNotFast);
}

bool device_has_something(const ipn_node& node) {
  pollfd descriptor{node.fd, POLLIN, 0};
  const long ready = restarting(node, [&] { return poll(&descriptor, 1, 0); });
  return ready != 0;
}

}  // namespace

int print_door_reason(char* text, std::size_t size, DoorReason reason) {
  const char* words = kReasons[static_cast<std::size_t>(reason.reason)];
  const char* error = reason.error != 0 ? strerrordesc_np(reason.error) : nullptr;
  return error == nullptr ? snprintf(text, size, "%s", words)
                          : snprintf(text, size, "%s: %s", words, error);
}

void update_door(ipn_node& node, DoorReason reason) {
  const bool fast = node.fast != nullptr && (node.fast->sends || node.fast->receives);
  node.door.store(fast ? IPN_DOOR_FAST : node.device_door, std::memory_order_relaxed);
  node.reason.store(reason, std::memory_order_relaxed);
}

int read_fast_path(ipn_node& node) {
  const char* value = secure_getenv("IPN_FASTPATH");
  if (value == nullptr || *value == '\0' || std::strcmp(value, "1") == 0) {
    node.fast_path = FastPath::kAllowed;
  } else if (std::strcmp(value, "0") == 0) {
    node.fast_path = FastPath::kNever;
  } else if (std::strcmp(value, "require") == 0) {
    node.fast_path = FastPath::kRequired;
  } else {
    return fail(node, Call::kConnect, EINVAL, Why::kFastPathValue);
  }
  return 0;
}

int choose_door(ipn_node& node) {
  node.device_chosen = false;
  node.given_below = 0;
  if (node.fast_path == FastPath::kNever) {
    update_door(node, {Reason::kTurnedOff, 0});
    return 0;
  }
  const long error = attach(node);
  const bool fails = error != 0 && node.fast_path == FastPath::kRequired;
  return fails ? fail_attach(node, Call::kConnect, error) : 0;
}

namespace {

/// Waits until the daemon has taken what was sent, as long as it goes on taking. False: something
/// waits for room in the network, which may wait for this very node to receive.
bool drain(const ipn_node& node, Fast& fast) {
  std::uint64_t tail = fast.writer.tail();
  std::int64_t since_ms = now_ms();
  while (!fast.writer.is_drained() && fast.send_state() == IPN_RING_OPEN) {
    if (is_nonblocking(node)) return false;
    const timespec pause{0, 50'000};
    nanosleep(&pause, nullptr);
    const std::uint64_t now_at = fast.writer.tail();
    if (now_at == tail) {
      if (now_ms() - since_ms >= kStuckMs) return check_daemon(node, fast) != 0;
      continue;
    }
    tail = now_at;
    since_ms = now_ms();
  }
  return true;
}

}  // namespace

int detach(ipn_node& node, Call call) {
  Fast& fast = *node.fast;
  if (fast.sends && fast_publish(node, fast) != 0) {
    return fail(node, call, ECONNABORTED, Why::kDaemonGone);
  }
  if (fast.sends && !drain(node, fast)) return fail(node, call, EAGAIN, Why::kNotDrained);
  node.reservation = {};
  if (fast.receives) fast.reader.publish(fast.base);
  ipn_attach request{};
  request.size = sizeof request;
  const NoCancel no_cancel;
  const long result = restarting(node, [&] { return ioctl(node.fd, IPN_IOC_DETACH, &request); });
  // Not attached: the daemon was first.
  if (result < 0 && (result != -ENOTCONN || is_daemon_gone(node))) {
    const auto nr = static_cast<std::uint16_t>(_IOC_NR(IPN_IOC_DETACH));
    return fail(node, Failure{static_cast<std::uint16_t>(-result), nr, call});
  }
  collect_completions(node, fast);
  if (fast.receives) {
    node.given_below = fast.base.seq;
    device_discard_given(node);
  }
  fast.sends = fast.receives = false;
  // What the caller looks at in place stays mapped until it is released.
  if (fast.shown == 0) release_fast(node);
  update_door(node, {Reason::kChosen, 0});
  return 0;
}

void attach_again(ipn_node& node, std::atomic<std::uint32_t>& other) {
  if (!is_moved(node)) return;
  const std::int64_t now = now_ms();
  if (now < node.attach_after_ms) return;
  node.attach_after_ms = now + kAttachAgainMs;
  const NoCancel no_cancel;
  if (device_has_something(node)) return;
  const Turn turn(other, kLibraryInside);
  if (!turn.taken() || node.reservation.data != nullptr) return;
  const DoorReason before = node.reason.load(std::memory_order_relaxed);
  if (node.fast != nullptr) {
    // Leaving waits until the ring is empty, which nobody has asked for.
    if (node.fast->sends && !node.fast->writer.is_drained()) return;
    if (node.fast->shown > 0 || detach(node, Call::kSetDoor) != 0) return;
  }
  attach(node);
  // It was not the program's choice: there will be another time.
  if (node.fast == nullptr) update_door(node, before);
}

}  // namespace libipn

int ipn_setdoor(struct ipn_node* node, unsigned door) {
  using namespace libipn;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kSetDoor);
  if (door != IPN_DOOR_FAST && door != IPN_DOOR_DEVICE) {
    return fail(*node, Call::kSetDoor, EINVAL, Why::kDoor);
  }
  const SendTurn sending(*node);
  const Turn receiving(node->receiving);
  if (!sending.taken()) return fail(*node, Call::kSetDoor, EBUSY, Why::kSenderBusy);
  if (!receiving.taken()) return fail(*node, Call::kSetDoor, EBUSY, Why::kReceiverBusy);
  if (!is_connected(*node)) return fail(*node, Call::kSetDoor, ENOTCONN, Why::kErrno);
  const NoCancel no_cancel;
  const bool moved = is_moved(*node);
  if (door == IPN_DOOR_DEVICE) {
    node->device_chosen = true;
    if (node->fast == nullptr) {
      if (moved) update_door(*node, {Reason::kChosen, 0});
      return 0;
    }
    return detach(*node, Call::kSetDoor);
  }
  if (node->fast_path == FastPath::kNever) {
    return fail(*node, Call::kSetDoor, EOPNOTSUPP, Why::kNotFast);
  }
  if (node->fast != nullptr) {
    const bool whole = node->door.load(std::memory_order_relaxed) == IPN_DOOR_FAST && !moved;
    if (whole) return 0;
    if (node->fast->shown > 0) return fail(*node, Call::kSetDoor, EAGAIN, Why::kStillShown);
    if (const int error = detach(*node, Call::kSetDoor); error != 0) return error;
  }
  node->device_chosen = false;
  const long error = attach(*node);
  return error != 0 ? fail_attach(*node, Call::kSetDoor, error) : 0;
}
