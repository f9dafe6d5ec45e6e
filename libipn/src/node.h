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
//
// Messages have two doors: read and write of the device (device.h), and memory
// shared with the daemon (fast.h), which is made and given up by whoever holds
// both turns. What both doors share is here.

namespace libipn {

struct Fast;
struct Held;
struct Reports;

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
  kComplete,
  kReserve,
  kCommit,
  kFlush,
  kRelease,
  kSetDoor,
  kReconnect,
  kInfo,
};

/// Why, where the library itself knows; indexes a table in explain.cc.
enum class Why : std::uint8_t {
  kErrno,  // the daemon or the kernel said no
  kNullPointer,
  kUnknownFlag,
  kName,
  kMessageTooLong,
  kLongerThanMtu,
  kSenderBusy,
  kReceiverBusy,
  kEnd,
  kDaemonGone,
  kHeaderOption,
  kHeaderForSending,
  kTooMany,
  kForeignAnswer,
  kStale,
  kFastPathValue,
  kNotFast,
  kDoor,
  kReservation,
  kReportsFull,
  kNotShown,
  kStillShown,
  kOldEpoch,
  kNoDestination,
  kHeaderFields,
  kReopen,
  kNotDrained,
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

/// What IPN_FASTPATH says.
enum class FastPath : std::uint8_t { kNever, kAllowed, kRequired };

/// Why messages travel by the device; indexes a table in door_reason.cc.
enum class Reason : std::uint16_t {
  kNone,
  kTurnedOff,
  kChosen,
  kNotOffered,
  kSocket,
  kNoAnswer,
  kTicket,
  kAttach,
  kGrant,
  kMapping,
  kMoved,
  kEpoch,
};
struct alignas(4) DoorReason {
  Reason reason = Reason::kNone;
  std::uint16_t error = 0;  // errno, where there is one
};
static_assert(std::atomic<DoorReason>::is_always_lock_free);

/// What the program has asked for, to ask for it again.
struct Wishes {
  static constexpr unsigned kNames[] = {IPN_OPT_MTU,   IPN_OPT_NUMNODES, IPN_OPT_MSGPOOLSIZE,
                                        IPN_OPT_FLAGS, IPN_OPT_MODE,     IPN_OPT_RING};
  static constexpr unsigned kOptions = sizeof kNames / sizeof *kNames;

  bool bound = false, connected = false;
  std::uint32_t shut = 0;  // roles given up before connecting
  bool has_option[kOptions] = {};
  std::uint32_t option[kOptions] = {};
  std::uint32_t bind_policy = 0, connect_policy = 0, roles = 0;
  char name[IPN_NAME_MAX + 1] = {};
};

/// Something that no other thread that lives has got.
inline const void* this_thread() {
  [[gnu::tls_model("initial-exec")]] static thread_local char mark;
  return &mark;
}

/// What is being written by the caller, between reserve and commit.
struct Reservation {
  void* data = nullptr;     // of the first message
  std::uint32_t size = 0;   // of the first message
  std::uint32_t batch = 0;  // messages of ipn_reservemany(); 0: one of ipn_reserve()
  bool in_ring = false;
  const void* owner = nullptr;  // the thread
};

}  // namespace libipn

struct ipn_node {
  int fd = -1;
  unsigned flags = 0;             // of ipn_open()
  std::uint64_t serial = 0;       // tells apart nodes that lived at the same address
  char* device = nullptr;         // path; owned
  std::uint32_t device_door = 0;  // the kind of device
  ipn_version daemon{};

  ipn_join membership{};  // as answered by BIND and CONNECT; zeros before
  std::atomic<std::uint32_t> roles{0};

  // Who is inside: 0 nobody, else the value of fork_count() at the entry.
  std::atomic<std::uint32_t> sending{0};
  std::atomic<std::uint32_t> receiving{0};
  std::atomic<libipn::Failure> failure{};  // the last one, of any thread

  // The way of messages; ipn_info() reads the atomic ones at any time.
  libipn::Fast* fast = nullptr;        // owned; null: the device only
  std::atomic<std::uint64_t> mark{0};  // process_mark() of what is mapped; 0: nothing
  std::atomic<std::uint32_t> door{0};
  std::atomic<libipn::DoorReason> reason{};
  libipn::FastPath fast_path = libipn::FastPath::kAllowed;
  bool device_chosen = false;        // by ipn_setdoor()
  std::int64_t attach_after_ms = 0;  // when to try again after the daemon moved it

  // The receiver's. Made when they are needed first.
  void* peek_buffer = nullptr;
  libipn::Held* held = nullptr;
  std::uint64_t given_below = 0;  // messages of lower numbers the caller has already

  // The sender's.
  libipn::Reservation reservation{};
  void* send_buffer = nullptr;  // IPN_MSG_MAX bytes
  libipn::Reports* reports = nullptr;

  libipn::Wishes wishes{};
};

namespace libipn {

/// Forks since the library was first used, plus 1. A sender's mark that a fork
/// copied from another thread is not valid in the child.
extern constinit std::atomic<std::uint32_t> forks;
inline std::uint32_t fork_count() { return forks.load(std::memory_order_relaxed); }

/// A number that a child of fork() does not have in common with its parent.
/// 0: the kernel has no page that a fork wipes.
std::uint64_t process_mark();
extern constinit const std::atomic<std::uint64_t>* process_page;

/// What was mapped belongs to a parent of this process.
inline bool is_stale(const ipn_node& node) {
  const std::uint64_t mark = node.mark.load(std::memory_order_relaxed);
  return mark != 0 && process_page->load(std::memory_order_relaxed) != mark;
}

/// Remembers the failure for ipn_explain() and returns -error. A dead daemon
/// is told apart from a node without network, both of which are ENOTCONN.
int fail(ipn_node& node, Failure failure);
inline int fail(ipn_node& node, Call call, int error, Why why) {
  return fail(node, Failure{static_cast<std::uint16_t>(error), 0, call, why});
}

inline int fail_stale(ipn_node& node, Call call) { return fail(node, call, ESTALE, Why::kStale); }

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

inline bool is_nonblocking(const ipn_node& node) { return (node.flags & IPN_NONBLOCK) != 0; }

/// Nanoseconds of a clock that only goes forward.
std::int64_t now_ns();
inline std::int64_t now_ms() { return now_ns() / 1'000'000; }

/// Calls `call` until no signal interrupts it, or once on nodes with IPN_INTR.
template <typename SystemCall>
long restarting(const ipn_node& node, SystemCall call) {
  for (;;) {
    const long result = call();
    if (result >= 0) return result;
    if (errno != EINTR || (node.flags & IPN_INTR) != 0) return -errno;
  }
}

/// Opens node.device and makes sure of what it is; 0 or -errno, with its text in open_text().
int open_node(ipn_node& node);

/// BIND and CONNECT; `name` may be null for CONNECT. 0 or a failure.
int join(ipn_node& node, Call call, unsigned long request, const char* name, unsigned policy,
         unsigned roles, std::int32_t port);

/// Puts the reason why messages travel by the device into `text`.
int print_door_reason(char* text, std::size_t size, DoorReason reason);

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

/// Set in a turn that the library has taken for itself, while it attaches again in
/// a call of the other side: the program's own thread waits a little for it.
inline constexpr std::uint32_t kLibraryInside = 0x80000000u;

/// Waits until the library is out.
void let_library_out(std::atomic<std::uint32_t>& inside);

/// The only sender or the only receiver, or none: no waiting.
class Turn {
 public:
  explicit Turn(std::atomic<std::uint32_t>& inside, std::uint32_t who = 0) : inside_(inside) {
    const std::uint32_t forks_now = fork_count();
    std::uint32_t seen = inside.load(std::memory_order_relaxed);
    for (;;) {
      if (seen == (forks_now | kLibraryInside) && who == 0) {
        let_library_out(inside);
        seen = inside.load(std::memory_order_relaxed);
        continue;
      }
      if ((seen & ~kLibraryInside) == forks_now) return;
      taken_ = inside.compare_exchange_strong(seen, forks_now | who, std::memory_order_acquire);
      if (taken_) return;
    }
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

/// The sender's turn, which a thread keeps between reserve and commit.
class SendTurn {
 public:
  explicit SendTurn(ipn_node& node) : turn_(node.sending), taken_(turn_.taken()) {
    const Reservation& made = node.reservation;
    if (taken_ && made.data != nullptr && made.owner != this_thread()) taken_ = false;
  }
  bool taken() const { return taken_; }

 private:
  const Turn turn_;
  bool taken_;
};

}  // namespace libipn
