// SPDX-License-Identifier: MIT
// Failures in words: "object: reason (remedy)". The daemon knows best why it
// said no and is asked first; this file knows what the library itself refused
// and what a dead daemon can no longer say.
#include <cstdio>
#include <cstring>
#include <iterator>
#include <sys/ioctl.h>

#include "libipn/src/device.h"

namespace libipn {
namespace {

constexpr char kThisFile[] = "this open file";
constexpr std::size_t kThisFileLength = sizeof kThisFile - 1;

// The last failure of this thread, and the node it belongs to.
struct Last {
  std::uint64_t serial = 0;
  Failure failure{};
};
thread_local Last last;

struct Words {
  const char* reason;
  const char* remedy;
};

constexpr const char* kDoing[] = {
    "nothing",
    "binding",
    "connecting",
    "sending",
    "receiving",
    "peeking",
    "setting option",
    "getting option",
    "shutting down",
    "waiting for peers",
    "ioctl",
    "collecting completions",
    "reserving",
    "committing",
    "flushing",
    "releasing",
    "changing door",
    "reconnecting",
    "asking for information",
};
static_assert(std::size(kDoing) == static_cast<std::size_t>(Call::kInfo) + 1);

constexpr Words kWhys[] = {
    {nullptr, nullptr},
    {"a null pointer was given", nullptr},
    {"unknown flag", "see libipn(3)"},
    {"the name is too long", "1 to 107 bytes of [A-Za-z0-9._:@/-], first a letter, a digit or _"},
    {"the message is longer than any network takes", "65792 bytes at most, and the network's mtu"},
    {"the message is longer than the network's mtu", "IPN_OPT_MTU tells how long it may be"},
    {"another thread is sending on this node", "one sender at a time, or open a node for each"},
    {"another thread is receiving on this node", "one receiver at a time, or open a node for each"},
    {"the end: the network ended, or this node was disconnected or does not receive", nullptr},
    {"the daemon is gone", "start ipnd, then ipn_reconnect() or open another node"},
    {"header mode belongs to the library", "ipn_recvmsg gives the headers"},
    {"msg must be null when sending", nullptr},
    {"too many messages in one call", nullptr},
    {"ipnd gave an answer that makes no sense", "install matching versions of ipnd and libipn"},
    {"the node's memory belongs to the parent of this process",
     "close it and open one after fork, or call ipn_setdoor() before"},
    {"IPN_FASTPATH has another value than 0, 1 or require", "mend it or unset it"},
    {"messages cannot go through shared memory", "IPN_FASTPATH=1 is content with the device"},
    {"no such door", "IPN_DOOR_FAST or IPN_DOOR_DEVICE"},
    {"no reservation that large",
     "call ipn_reserve() before with as many bytes, or ipn_reservemany() for as many messages"},
    {"512 reports are outstanding", "call ipn_completions()"},
    {"so many messages are not shown", "call ipn_peekmany() before"},
    {"messages are still shown in place", "call ipn_release() first"},
    {"messages of an older epoch are unread", "receive them first"},
    {"the network's policy knows no destinations", "peer must be 0"},
    {"a field of the header is not zero", "flags, cookie and peer are for the sender"},
    {"the device cannot be opened again", nullptr},
    {"messages that were sent wait for room in the network",
     "receive, or let others receive, then try again"},
};
static_assert(std::size(kWhys) == static_cast<std::size_t>(Why::kNotDrained) + 1);

// What an error means to a user of this library; no reason: nothing special.
Words words_of(int error) {
  switch (error) {
    case EAGAIN:
      return {"it would wait", "wait for the descriptor of ipn_fd(), or open without IPN_NONBLOCK"};
    case EINTR:
      return {"a signal came", "call again, or open without IPN_INTR"};
    case ENOTCONN:
      return {"the node is not connected", "call ipn_connect() first"};
    case EPIPE:
      return {"the node does not send, by its roles, the network's mode or ipn_shutdown()",
              "connect another one with IPN_ROLE_SEND"};
    case ETIMEDOUT:
      return {"too few receivers in the time given", nullptr};
    case ECONNRESET:
      return {"the network ended, or this node was disconnected", "ipn_reconnect() joins again"};
    case ENOTTY:
      return {"the daemon does not know this request", "install matching versions"};
    default:
      return {nullptr, nullptr};
  }
}

bool is_from_daemon(const Failure& failure) {
  return failure.why == Why::kErrno && failure.nr != 0;
}

// The daemon's own words, if they are about this failure.
bool ask_daemon(const ipn_node& node, const Failure& failure, struct ipn_explain& answer) {
  if (!is_from_daemon(failure)) return false;
  answer = {};
  answer.size = sizeof answer;
  const long result = restarting(node, [&] { return ioctl(node.fd, IPN_IOC_EXPLAIN, &answer); });
  answer.text[sizeof answer.text - 1] = '\0';
  return result >= 0 && answer.error == failure.error && answer.nr == failure.nr &&
         answer.text[0] != '\0';
}

// "network on device", or the device alone.
struct Object {
  const char* network;
  const char* on;
  const char* device;

  explicit Object(const ipn_node& node)
      : network(node.membership.name), on(*network != '\0' ? " on " : ""), device(node.device) {}
};

// No shared memory, with the reason that ipn_info() gives as well.
int print_not_fast(char* text, std::size_t size, const ipn_node& node, const Failure& failure,
                   const Words& words) {
  const Object object(node);
  char why[64];
  print_door_reason(why, sizeof why, node.reason.load(std::memory_order_relaxed));
  return snprintf(text, size, "%s%s%s: %s: %s: %s (%s)", object.network, object.on, object.device,
                  kDoing[static_cast<std::size_t>(failure.call)], words.reason, why, words.remedy);
}

int print_own(char* text, std::size_t size, const ipn_node& node, const Failure& failure) {
  const Words words = failure.why == Why::kErrno ? words_of(failure.error)
                                                 : kWhys[static_cast<std::size_t>(failure.why)];
  const Object object(node);
  if (failure.why == Why::kNotFast) return print_not_fast(text, size, node, failure, words);
  if (failure.why == Why::kReopen && failure.error != ETIMEDOUT && *open_text().text != '\0') {
    return snprintf(text, size, "%s", open_text().text);
  }
  const char* doing = kDoing[static_cast<std::size_t>(failure.call)];
  const char* reason = words.reason != nullptr ? words.reason : strerrordesc_np(failure.error);
  const bool remedy = words.remedy != nullptr;
  return snprintf(text, size, "%s%s%s: %s: %s%s%s%s", object.network, object.on, object.device,
                  doing, reason != nullptr ? reason : "unknown error", remedy ? " (" : "",
                  remedy ? words.remedy : "", remedy ? ")" : "");
}

// What the daemon says of "this open file" it derives from the errno alone, and
// it knows neither the path nor this library: own words are better if there are any.
int print_daemon(char* text, std::size_t size, const ipn_node& node, const Failure& failure,
                 const char* said) {
  if (strncmp(said, kThisFile, kThisFileLength) != 0) return snprintf(text, size, "%s", said);
  if (words_of(failure.error).reason != nullptr) return print_own(text, size, node, failure);
  const Object object(node);
  return snprintf(text, size, "%s%s%s%s", object.network, object.on, object.device,
                  said + kThisFileLength);
}

// A dead daemon's file says ECONNABORTED to calls that waited and ENOTCONN to
// all others, as a living daemon says to a node that is not connected. EIO comes from
// the kernel alone, if the daemon was killed while it was handed the call.
bool tells_of_end(const ipn_node& node, const Failure& failure) {
  if (failure.why != Why::kErrno) return false;
  if (failure.error == ENOTCONN) return is_daemon_gone(node);
  return failure.error == ECONNABORTED || failure.error == EIO;
}

}  // namespace

int fail(ipn_node& node, Failure failure) {
  if (tells_of_end(node, failure)) {
    failure.error = ECONNABORTED;
    failure.why = Why::kDaemonGone;
  }
  last = {node.serial, failure};
  node.failure.store(failure, std::memory_order_relaxed);
  return -static_cast<int>(failure.error);
}

}  // namespace libipn

ssize_t ipn_explain(struct ipn_node* node, char* text, size_t size) {
  using namespace libipn;
  if (text == nullptr && size > 0) return -EINVAL;
  if (size > 0) *text = '\0';
  const NoCancel no_cancel;
  const int errno_before = errno;
  int length = 0;
  if (node == nullptr) {
    length = snprintf(text, size, "%s", open_text().text);
  } else {
    const bool own = last.serial == node->serial;
    const Failure failure = own ? last.failure : node->failure.load(std::memory_order_relaxed);
    struct ipn_explain answer;
    if (failure.call == Call::kNone) {
      length = 0;
    } else if (ask_daemon(*node, failure, answer)) {
      length = print_daemon(text, size, *node, failure, answer.text);
    } else {
      length = print_own(text, size, *node, failure);
    }
  }
  errno = errno_before;
  return length;
}
