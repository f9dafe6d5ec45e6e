// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "switchcore/base/result.h"
#include "switchcore/base/time.h"

namespace ipn::io {

/// Receives what is read from a descriptor of which every read(2) is one
/// message, such as /dev/cuse or /dev/fuse. Called from run_round() only; may
/// add and remove sources, also its own.
class MessageHandler {
 public:
  /// `message` belongs to the loop and is good until the call returns.
  virtual void on_message(std::span<std::byte> message) = 0;
  /// The descriptor will not be read again: 0 for end-of-file, else the errno
  /// of the read, such as ENODEV for a device that is gone. Only remove() is
  /// left to do.
  virtual void on_closed(int error) = 0;

 protected:
  ~MessageHandler() = default;
};

/// Is told when a descriptor is ready; reads it without blocking.
class PollHandler {
 public:
  /// `events` as poll(2) reports them: POLLERR and POLLHUP also come unasked
  /// and, as they last, in every round until remove(). A descriptor that cannot
  /// be polled is reported once, with POLLNVAL or POLLERR alone; a regular file
  /// is one for epoll, while io_uring says that it is always ready.
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  ~PollHandler() = default;
};

/// Is told that somebody rang: single bytes came on a socket, which mean "look
/// here" and nothing else. How many they were, and what they were, is lost.
class DoorbellHandler {
 public:
  /// At most once per round. Called from run_round() only; may add and remove
  /// sources, also its own.
  virtual void on_ring() = 0;
  /// Nobody will ring again: 0 for end-of-file, else the errno of the receive.
  /// An empty packet counts as the end, because recv(2) cannot tell them apart.
  /// Only remove() is left to do.
  virtual void on_closed(int error) = 0;

 protected:
  ~DoorbellHandler() = default;
};

/// Told about the borders of a round, so that the clock is read once per round
/// and work can be finished in batches.
class RoundHandler {
 public:
  virtual void on_round_begin(const Clock& clock) = 0;
  virtual void on_round_end() = 0;

 protected:
  ~RoundHandler() = default;
};

/// Index and generation of a source; a stale one is recognised.
struct SourceId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
};

/// What a loop has done so far.
struct LoopStats {
  std::uint64_t rounds = 0;
  /// Of the loop itself, reads and receives of its sources included; what
  /// handlers do is not known here. Clocks are read without entering the kernel.
  std::uint64_t system_calls = 0;
};

/// Drives all descriptors of the daemon from one thread. The engine behind it
/// is io_uring, or epoll where io_uring is forbidden; users see no difference.
/// Descriptors must be non-blocking; the loop borrows them and the handlers
/// until remove(). All calls come from the thread that made the loop; handlers
/// may add and remove sources, but neither run a round nor destroy the loop.
class Loop {
 public:
  /// Ends all sources without calling a handler.
  virtual ~Loop() = default;

  /// Reads messages of at most `buffer_bytes` until remove() or the end, some
  /// of them in one round. EINVAL if the descriptor is not O_NONBLOCK.
  virtual Result<SourceId> add_messages(int fd, std::size_t buffer_bytes,
                                        MessageHandler& handler) = 0;
  /// Reports `events` (POLLIN, POLLOUT) as long as they last, once per round.
  virtual Result<SourceId> add_poll(int fd, std::uint32_t events, PollHandler& handler) = 0;
  /// Takes what comes on a socket, of packets or of bytes, one receive per
  /// round at most, so that a flood of rings costs no more than its share.
  /// EINVAL if the socket is not O_NONBLOCK.
  virtual Result<SourceId> add_doorbell(int fd, DoorbellHandler& handler) = 0;
  /// No handler of this source is called any more, even if its completion is
  /// already there; its buffer lives until the kernel has let go of it. The
  /// descriptor may be closed from now on, not earlier. Its file may stay open in
  /// the kernel until the next round, and what arrives until then may be lost. A
  /// stale id is ignored.
  virtual void remove(SourceId source) = 0;

  /// Waits until something is ready or `wake_at` (monotonic) has come, then
  /// calls the handlers once for all that is ready. A signal ends the wait.
  ///
  /// A round whose `wake_at` is past does not wait, and may be run in a tight
  /// loop by who is busy with something else, such as shared memory: while
  /// nothing is ready it makes no system call where the kernel leaves a note in
  /// memory that something is (io_uring from 6.1 on). Elsewhere such rounds ask
  /// the kernel once in 100 us, so much later do they see a descriptor at most.
  virtual Result<void> run_round(RoundHandler& round, std::optional<TimeNs> wake_at) = 0;

  virtual LoopStats stats() const = 0;
  /// The backend and why it was chosen, for logs and `ipnctl version`; less than
  /// 64 bytes.
  virtual std::string_view description() const = 0;
};

enum class Backend : std::uint8_t {
  kAuto,  ///< io_uring, or epoll where the kernel refuses it
  kUring,
  kEpoll,
};

/// A loop of that kind. kUring gives EPERM, EACCES, ENOSYS or ENOMEM with the
/// remedy in the text where the kernel refuses.
Result<std::unique_ptr<Loop>> make_loop(Backend backend = Backend::kAuto);

}  // namespace ipn::io
