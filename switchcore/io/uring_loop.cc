// SPDX-License-Identifier: MIT
#include "switchcore/io/uring_loop.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <utility>

namespace ipn::io {

namespace {

/// Requests that one round can queue; what does not fit goes into the next,
/// which then does not wait. A daemon re-arms a handful of sources per round.
constexpr unsigned kQueueEntries = 256;

/// Room for the completions of many more sources than are re-armed in one
/// round. Beyond it the kernel keeps them in a list, which is only slower.
constexpr unsigned kCompletionEntries = 4 * kQueueEntries;

/// How often a source is read on by read(2) after a completion brought a message.
/// On a busy descriptor that is cheaper than one more request and completion:
/// 15 % less CPU time per request on a FUSE file, a third less on a socket; the
/// one read too many of an idle descriptor does not show. More than 16 gain
/// nothing and keep the other sources waiting.
constexpr int kReadsOn = 16;

/// No reading on once a round has brought this much: the other descriptors
/// come first again.
constexpr std::size_t kRoundBytes = 256 * 1024;

constexpr unsigned kPreferredFlags =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;

/// Marks the completions of cancellations, which tell nothing: the cancelled
/// request has a completion of its own. No slot has this index.
constexpr std::uint64_t kCancellation = ~std::uint64_t{0};

/// As read(2) does it; the other value would be an offset.
constexpr std::uint64_t kCurrentPosition = ~std::uint64_t{0};

/// A wait without end is cut into days. Given a time, liburing enters the
/// kernel once; without one it goes to sleep again if a signal came while it
/// was also submitting.
constexpr TimeNs kLongestWait = 86'400 * kSecond;

/// Cancelled requests on non-blocking descriptors end at once. The bound only
/// keeps a mistake from hanging the end of the program.
constexpr TimeNs kLongestDrain = 30 * kSecond;

TimeNs read_clock(clockid_t id) {
  timespec now{};
  const int status = clock_gettime(id, &now);
  IPN_ASSERT(status == 0);
  return now.tv_sec * kSecond + now.tv_nsec;
}

TimeNs monotonic_now() { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t pack(SourceId source) {
  return std::uint64_t{source.generation} << 32 | source.index;
}

SourceId unpack(std::uint64_t user_data) {
  return SourceId{.index = static_cast<std::uint32_t>(user_data),
                  .generation = static_cast<std::uint32_t>(user_data >> 32)};
}

int read_io_uring_disabled() {
  int value = 0;
  if (std::FILE* const file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re")) {
    if (std::fscanf(file, "%d", &value) != 1) {
      value = 0;
    }
    std::fclose(file);
  }
  return value;
}

/// True where the next read may bring a message: nothing was there after all,
/// a signal came, or FUSE withdrew the request while it was being copied
/// (ENOENT, which libfuse's own loop takes the same way).
bool is_transient(int error) { return error == EAGAIN || error == EINTR || error == ENOENT; }

int read_now(int fd, std::span<std::byte> buffer) {
  const ssize_t count = read(fd, buffer.data(), buffer.size());
  return count < 0 ? -errno : static_cast<int>(count);
}

/// `result` is a count or -errno. Returns whether the source is to be read
/// again.
bool hand_over_read(MessageHandler& handler, std::span<std::byte> buffer, int result) {
  if (result > 0) {
    handler.on_message(buffer.first(static_cast<std::size_t>(result)));
    return true;
  }
  if (is_transient(-result)) {
    return true;
  }
  handler.on_closed(-result);
  return false;
}

/// `result` is a mask or -errno. Returns whether the source is to be polled
/// again.
bool hand_over_poll(PollHandler& handler, int result) {
  if (result < 0) {
    handler.on_ready(result == -EBADF ? POLLNVAL : POLLERR);
    return false;
  }
  handler.on_ready(static_cast<std::uint32_t>(result));
  return true;
}

}  // namespace

Error uring_refused(std::string_view call, int code, int disabled) {
  std::string text = "io_uring: " + std::string(call) + ": ";
  if (code == EPERM && disabled != 0) {
    text += "forbidden by the sysctl kernel.io_uring_disabled = " + std::to_string(disabled) +
            " (allow it: sysctl -w kernel.io_uring_disabled=0)";
  } else if (code == EPERM || code == EACCES) {
    text +=
        "forbidden, as by the seccomp profile of a container (start the container with a profile "
        "that allows io_uring_setup, io_uring_enter and io_uring_register, such as "
        "--security-opt seccomp=unconfined)";
  } else if (code == ENOSYS) {
    text +=
        "not there: a kernel without CONFIG_IO_URING, or a seccomp profile that hides it (use a "
        "kernel from 6.1 on, or a profile that allows io_uring_setup, io_uring_enter and "
        "io_uring_register)";
  } else if (code == ENOMEM) {
    text +=
        "no memory for the ring (raise the limit of locked memory: LimitMEMLOCK=8M in the unit, "
        "or ulimit -l 8192)";
  } else {
    text += std::strerror(code);
    text += " (a kernel from 6.1 on is needed)";
  }
  return Error{code, std::move(text)};
}

void UringLoop::RingCloser::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  delete ring;
}

UringLoop::Ring UringLoop::open_ring(unsigned flags, int& error) {
  io_uring_params params{};
  params.flags = flags | IORING_SETUP_CQSIZE;
  params.cq_entries = kCompletionEntries;
  auto memory = std::make_unique<io_uring>();
  error = -io_uring_queue_init_params(kQueueEntries, memory.get(), &params);
  return Ring(error == 0 ? memory.release() : nullptr);
}

Result<std::unique_ptr<Loop>> UringLoop::create() {
  int error = 0;
  std::string_view description = "io_uring (single issuer, deferred task work)";
  Ring ring = open_ring(kPreferredFlags, error);
  if (error == EINVAL) {
    description = "io_uring (plain set-up: the kernel is older than 6.1)";
    ring = open_ring(0, error);
  }
  if (error != 0) {
    return uring_refused("io_uring_setup", error, read_io_uring_disabled());
  }
  unsigned workers_max[] = {1, 1};  // bounded and unbounded
  if (const int status = io_uring_register_iowq_max_workers(ring.get(), workers_max); status != 0) {
    return uring_refused("io_uring_register", -status, read_io_uring_disabled());
  }
  return std::unique_ptr<Loop>(new UringLoop(std::move(ring), description));
}

UringLoop::UringLoop(Ring ring, std::string_view description)
    : ring_(std::move(ring)), description_(description) {}

UringLoop::~UringLoop() {
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    remove(SourceId{index, slots_[index].generation});
  }
  drain();
}

Result<SourceId> UringLoop::add_messages(int fd, std::size_t buffer_bytes,
                                         MessageHandler& handler) {
  IPN_ASSERT(buffer_bytes > 0 && buffer_bytes <= INT_MAX);
  const std::string object = "descriptor " + std::to_string(fd) + ": ";
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) {
    return Error{errno, object + std::strerror(errno)};
  }
  if ((flags & O_NONBLOCK) == 0) {
    return Error{EINVAL, object + "reads of it would block the loop (open it with O_NONBLOCK)"};
  }
  Slot slot;
  slot.fd = fd;
  slot.messages = &handler;
  slot.buffer = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
  slot.buffer_bytes = buffer_bytes;
  return take_slot(std::move(slot));
}

Result<SourceId> UringLoop::add_poll(int fd, std::uint32_t events, PollHandler& handler) {
  if (fcntl(fd, F_GETFD) < 0) {
    return Error{errno, "descriptor " + std::to_string(fd) + ": " + std::strerror(errno)};
  }
  Slot slot;
  slot.fd = fd;
  slot.poll = &handler;
  slot.events = events;
  return take_slot(std::move(slot));
}

void UringLoop::remove(SourceId source) {
  Slot* const slot = find(source);
  if (slot == nullptr || slot->removed) {
    return;
  }
  slot->removed = true;
  if (slot->state == State::kArmed) {
    to_cancel_.push_back(source);
  } else if (slot->state == State::kIdle) {
    release(source.index);
  }
}

Result<void> UringLoop::run_round(RoundHandler& round, std::optional<TimeNs> wake_at) {
  TimeNs wait_ns = kLongestWait;
  if (!queue_requests()) {
    wait_ns = 0;
  } else if (wake_at) {
    const TimeNs now = monotonic_now();
    wait_ns = *wake_at <= now ? 0 : std::min(*wake_at - now, kLongestWait);
  }
  if (Result<void> waited = submit_and_wait(wait_ns); !waited) {
    return waited;
  }
  round_bytes_ = 0;
  round.on_round_begin(Clock{.monotonic = monotonic_now(), .realtime = read_clock(CLOCK_REALTIME)});
  handle_completions();
  round.on_round_end();
  return {};
}

SourceId UringLoop::take_slot(Slot content) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  content.generation = slot.generation;
  content.state = State::kIdle;
  slot = std::move(content);
  const SourceId source{index, slot.generation};
  to_arm_.push_back(source);
  return source;
}

UringLoop::Slot* UringLoop::find(SourceId source) {
  if (source.index >= slots_.size()) {
    return nullptr;
  }
  Slot& slot = slots_[source.index];
  const bool same = slot.generation == source.generation && slot.state != State::kFree;
  return same ? &slot : nullptr;
}

void UringLoop::release(std::uint32_t index) {
  Slot& slot = slots_[index];
  std::uint32_t next = slot.generation + 1;
  if (next == 0) {
    next = 1;  // SourceId{} names no source
  }
  slot = Slot{};
  slot.generation = next;
  free_.push_back(index);
}

/// Returns false if the submission ring is full and something had to stay.
bool UringLoop::queue_requests() { return queue_cancels() && queue_arms(); }

bool UringLoop::queue_cancels() {
  while (!to_cancel_.empty()) {
    const SourceId source = to_cancel_.back();
    if (find(source) != nullptr) {
      io_uring_sqe* const request = io_uring_get_sqe(ring_.get());
      if (request == nullptr) {
        return false;
      }
      io_uring_prep_cancel64(request, pack(source), 0);
      io_uring_sqe_set_data64(request, kCancellation);
    }
    to_cancel_.pop_back();
  }
  return true;
}

bool UringLoop::queue_arms() {
  std::size_t done = 0;
  for (; done < to_arm_.size(); ++done) {
    Slot* const slot = find(to_arm_[done]);
    if (slot == nullptr) {
      continue;
    }
    io_uring_sqe* const request = io_uring_get_sqe(ring_.get());
    if (request == nullptr) {
      break;
    }
    prepare(*request, to_arm_[done], *slot);
  }
  // In order of age, so that nobody waits for ever behind the others.
  to_arm_.erase(to_arm_.begin(), to_arm_.begin() + static_cast<std::ptrdiff_t>(done));
  return to_arm_.empty();
}

void UringLoop::prepare(io_uring_sqe& request, SourceId source, Slot& slot) {
  IPN_ASSERT(slot.state == State::kIdle);
  if (slot.messages != nullptr) {
    io_uring_prep_read(&request, slot.fd, slot.buffer.get(),
                       static_cast<unsigned>(slot.buffer_bytes), kCurrentPosition);
  } else {
    io_uring_prep_poll_add(&request, slot.fd, slot.events);
  }
  io_uring_sqe_set_data64(&request, pack(source));
  slot.state = State::kArmed;
  ++armed_;
}

Result<void> UringLoop::submit_and_wait(TimeNs wait_ns) {
  int status = 0;
  if (wait_ns == 0) {
    status = io_uring_submit_and_get_events(ring_.get());
  } else {
    __kernel_timespec timeout{.tv_sec = wait_ns / kSecond, .tv_nsec = wait_ns % kSecond};
    io_uring_cqe* first = nullptr;
    status = io_uring_submit_and_wait_timeout(ring_.get(), &first, 1, &timeout, nullptr);
  }
  if (status >= 0) {
    return {};
  }
  switch (-status) {
    case ETIME:   // wake_at has come
    case EINTR:   // a signal
    case EAGAIN:  // no memory for a request; what was not taken is submitted next time
    case EBUSY:   // completions have to be taken first, which the round does now
      return {};
    default:
      return Error{-status, std::string("io_uring_enter: ") + std::strerror(-status)};
  }
}

void UringLoop::handle_completions() {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* completion = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, completion) {
    ++count;
    if (completion->user_data != kCancellation) {
      complete(unpack(completion->user_data), completion->res);
    }
  }
  io_uring_cq_advance(ring_.get(), count);
}

void UringLoop::complete(SourceId source, int result) {
  Slot* const slot = find(source);
  IPN_ASSERT(slot != nullptr && slot->state == State::kArmed);
  --armed_;
  bool again = false;
  if (!slot->removed) {
    slot->state = State::kHandled;
    again =
        slot->messages != nullptr ? read_on(*slot, result) : hand_over_poll(*slot->poll, result);
  }
  slot->state = State::kIdle;
  if (slot->removed) {
    release(source.index);
  } else if (again) {
    to_arm_.push_back(source);
  }
}

/// Hands over what the ring has read, then what read(2) finds, within the
/// budgets. Returns whether the source is to be armed again.
bool UringLoop::read_on(Slot& slot, int result) {
  const std::span buffer(slot.buffer.get(), slot.buffer_bytes);
  bool again = hand_over_read(*slot.messages, buffer, result);
  for (int left = kReadsOn; left > 0 && result > 0 && !slot.removed; --left) {
    round_bytes_ += static_cast<std::size_t>(result);
    if (round_bytes_ >= kRoundBytes) {
      break;
    }
    result = read_now(slot.fd, buffer);
    again = hand_over_read(*slot.messages, buffer, result);
  }
  return again;
}

/// Waits until the kernel has let go of all buffers of removed sources.
void UringLoop::drain() {
  const TimeNs deadline = monotonic_now() + kLongestDrain;
  while (armed_ > 0) {
    const TimeNs left = deadline - monotonic_now();
    IPN_ASSERT(left > 0);
    const Result<void> waited = submit_and_wait(queue_requests() ? left : 0);
    IPN_ASSERT(waited.has_value());
    handle_completions();
  }
}

Result<std::unique_ptr<Loop>> make_loop() { return UringLoop::create(); }

}  // namespace ipn::io
