// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <pthread.h>

// The functions of the C ABI are the only symbols that leave the library.
#pragma GCC visibility push(default)
#include <ipn/ipn.h>
#pragma GCC visibility pop

// Inside of the library. A node is an open device in header mode plus what its
// calls have learned. Two threads may be inside of it, one sending and one
// receiving; what they share is atomic. Failures are remembered as a number of
// 64 bits and become a sentence only when ipn_explain() asks.

namespace libipn {

/// What the caller was doing when it failed; indexes a table in explain.cc.
enum class Call : std::uint8_t {
  kNone,
  kBind,
  kConnect,
  kSend,
  kReceive,
  kPeek,
  kSetOption,
  kGetOption,
  kShutdown,
  kWaitPeers,
  kIoctl,
};

/// Why, where the library itself knows; indexes a table in explain.cc.
enum class Why : std::uint8_t {
  kErrno,  // the daemon or the kernel said no
  kNullPointer,
  kUnknownFlag,
  kName,
  kMessageTooLong,
  kSenderBusy,
  kReceiverBusy,
  kEnd,
  kDaemonGone,
  kHeaderOption,
  kHeaderForSending,
  kTooMany,
  kForeignAnswer,
};

/// One failure. `nr` is the number by which the daemon knows the call
/// (ipn_explain.nr), so that its explanation can be told from another call's.
struct alignas(8) Failure {
  std::uint16_t error = 0;
  std::uint16_t nr = 0;
  Call call = Call::kNone;
  Why why = Why::kErrno;
};
static_assert(sizeof(Failure) == 8 && std::atomic<Failure>::is_always_lock_free);

inline constexpr std::uint16_t kReadNr = 0x100;
inline constexpr std::uint16_t kWriteNr = 0x101;

}  // namespace libipn

struct ipn_node {
  int fd = -1;
  unsigned flags = 0;        // IPN_NONBLOCK | IPN_INTR
  std::uint64_t serial = 0;  // tells apart nodes that lived at the same address
  char* device = nullptr;    // path; owned
  std::uint32_t door = 0;
  ipn_version daemon{};

  ipn_join membership{};  // as answered by BIND and CONNECT; zeros before
  std::atomic<std::uint32_t> roles{0};

  // Who is inside: 0 nobody, else the value of fork_count() at the entry.
  std::atomic<std::uint32_t> sending{0};
  std::atomic<std::uint32_t> receiving{0};
  std::atomic<libipn::Failure> failure{};  // the last one, of any thread

  void* peek_buffer = nullptr;  // the receiver's; owned; made by the first peek
};

namespace libipn {

/// Forks since the library was first used, plus 1. A sender's mark that a fork
/// copied from another thread is not valid in the child.
std::uint32_t fork_count();

/// Remembers the failure for ipn_explain() and returns -error. A dead daemon
/// is told apart from a node without network, both of which are ENOTCONN.
int fail(ipn_node& node, Failure failure);
inline int fail(ipn_node& node, Call call, int error, Why why) {
  return fail(node, Failure{static_cast<std::uint16_t>(error), 0, call, why});
}

/// The text that ipn_explain(NULL) gives to this thread.
struct OpenText {
  char text[1024];
};
OpenText& open_text();

/// Puts in words why `path` could not be opened and returns -error.
int fail_open(const char* path, int error);
int fail_handshake(const char* path, int error);
int fail_abi(const char* path, std::uint32_t abi);
int fail_no_device(const char* rootless);
int fail_arguments(const char* reason, int error);

/// Calls `call` until no signal interrupts it, or once on nodes with IPN_INTR.
template <typename SystemCall>
long restarting(const ipn_node& node, SystemCall call) {
  for (;;) {
    const long result = call();
    if (result >= 0) return result;
    if (errno != EINTR || (node.flags & IPN_INTR) != 0) return -errno;
  }
}

/// An ioctl with the rules above; remembers a failure.
int control(ipn_node& node, Call call, unsigned long request, void* argument);

/// What kSet and kGet take: an option of this open file, all of which are numbers.
struct OptionRequest {
  ipn_opt option{};
  std::uint32_t value = 0;

  static constexpr unsigned long kSet = IPN_IOC_SETOPT(sizeof value);
  static constexpr unsigned long kGet = IPN_IOC_GETOPT(sizeof value);

  OptionRequest(unsigned name, std::uint32_t given) : value(given) {
    option.size = sizeof option + sizeof value;
    option.name = name;
    option.len = sizeof value;
  }
};

/// No call is a cancellation point.
class NoCancel {
 public:
  NoCancel() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancel() { pthread_setcancelstate(before_, nullptr); }
  NoCancel(const NoCancel&) = delete;
  NoCancel& operator=(const NoCancel&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

/// The only sender or the only receiver, or none: no waiting.
class Turn {
 public:
  explicit Turn(std::atomic<std::uint32_t>& inside) : inside_(inside) {
    const std::uint32_t mine = fork_count();
    std::uint32_t seen = inside.load(std::memory_order_relaxed);
    taken_ = seen != mine && inside.compare_exchange_strong(seen, mine, std::memory_order_acquire);
  }
  ~Turn() {
    if (taken_) inside_.store(0, std::memory_order_release);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool taken() const { return taken_; }

 private:
  std::atomic<std::uint32_t>& inside_;
  bool taken_ = false;
};

}  // namespace libipn
