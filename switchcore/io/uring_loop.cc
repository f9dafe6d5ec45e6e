// SPDX-License-Identifier: MIT
#include "switchcore/io/uring_loop.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "switchcore/io/uring_refusal.h"

namespace ipn::io {

namespace {

/// Requests that one round can queue; what does not fit goes into the next,
/// which then does not wait. A daemon re-arms a handful of sources per round.
constexpr unsigned kQueueEntries = 256;

/// Room for the completions of many more sources than are re-armed in one
/// round. Beyond it the kernel keeps them in a list, which is only slower.
constexpr unsigned kCompletionEntries = 4 * kQueueEntries;

constexpr unsigned kPreferredFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL;

/// Marks the completions of cancellations, which tell nothing: the cancelled
/// request has a completion of its own. No slot has this index.
constexpr std::uint64_t kCancellation = ~std::uint64_t{0};

/// As read(2) does it; the other value would be an offset.
constexpr std::uint64_t kCurrentPosition = ~std::uint64_t{0};

/// Cancelled requests on non-blocking descriptors end at once. The bound only
/// keeps a mistake from hanging the end of the program.
constexpr TimeNs kLongestDrain = 30 * kSecond;

Error refused(std::string_view call, int code) {
  return uring_refused(call, code, read_io_uring_disabled());
}

}  // namespace

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

Result<std::unique_ptr<Loop>> UringLoop::create(Setup setup) {
  int error = EINVAL;
  std::string description = "io_uring (single issuer, deferred task work)";
  Ring ring;
  if (setup == Setup::kBest) {
    ring = open_ring(kPreferredFlags, error);
  }
  if (error == EINVAL) {
    description = "io_uring (plain set-up, as before Linux 6.1)";
    ring = open_ring(0, error);
  }
  if (error != 0) {
    return refused("io_uring_setup", error);
  }
  unsigned workers_max[] = {1, 1};  // bounded and unbounded
  if (const int status = io_uring_register_iowq_max_workers(ring.get(), workers_max); status != 0) {
    return refused("io_uring_register", -status);
  }
  // A profile may forbid each call by itself.
  if (const int status = io_uring_submit_and_get_events(ring.get()); status < 0) {
    return refused("io_uring_enter", -status);
  }
  return std::unique_ptr<Loop>(new UringLoop(std::move(ring), description));
}

UringLoop::UringLoop(Ring ring, const std::string& description)
    : SourceLoop(description), ring_(std::move(ring)) {}

UringLoop::~UringLoop() {
  remove_all();
  drain();
}

void UringLoop::disarm(SourceId source, Slot& slot) {
  if (slot.state == State::kArmed) {
    to_cancel_.push_back(source);
  }
}

/// Returns false if the submission ring is full and something had to stay.
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
  std::vector<SourceId>& sources = to_arm();
  std::size_t done = 0;
  for (; done < sources.size(); ++done) {
    Slot* const slot = find(sources[done]);
    if (slot == nullptr) {
      continue;
    }
    io_uring_sqe* const request = io_uring_get_sqe(ring_.get());
    if (request == nullptr) {
      break;
    }
    prepare(*request, sources[done], *slot);
  }
  // In order of age, so that nobody waits for ever behind the others.
  sources.erase(sources.begin(), sources.begin() + static_cast<std::ptrdiff_t>(done));
  return sources.empty();
}

void UringLoop::prepare(io_uring_sqe& request, SourceId source, Slot& slot) {
  IPN_ASSERT(slot.state == State::kIdle);
  if (slot.messages != nullptr) {
    io_uring_prep_read(&request, slot.fd, slot.buffer.get(),
                       static_cast<unsigned>(slot.buffer_bytes), kCurrentPosition);
  } else if (slot.doorbell != nullptr) {
    io_uring_prep_recv(&request, slot.fd, slot.rings.data(), slot.rings.size(), 0);
  } else {
    io_uring_prep_poll_add(&request, slot.fd, slot.events);
  }
  io_uring_sqe_set_data64(&request, pack(source));
  slot.state = State::kArmed;
  ++armed_;
}

bool UringLoop::must_ask(TimeNs now) const {
  // Relaxed: the flag says only that the kernel is worth a call.
  const unsigned flags = std::atomic_ref(*ring_->sq.kflags).load(std::memory_order_relaxed);
  if (io_uring_sq_ready(ring_.get()) > 0 ||
      (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) {
    return true;
  }
  const bool is_told = (ring_->flags & IORING_SETUP_TASKRUN_FLAG) != 0;
  return !is_told && !asked_lately(now);
}

/// Given a time, liburing enters the kernel once; without one it goes to sleep
/// again if a signal came while it was also submitting.
Result<void> UringLoop::ask(TimeNs wait_ns) {
  int status = 0;
  count_system_call();
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

void UringLoop::walk() {
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
  IPN_ASSERT(slot != nullptr);
  --armed_;
  if (take(source, *slot, result)) {
    to_arm().push_back(source);
  }
}

/// Waits until the kernel has let go of all buffers of removed sources.
void UringLoop::drain() {
  const TimeNs deadline = monotonic_now() + kLongestDrain;
  while (armed_ > 0) {
    const TimeNs left = deadline - monotonic_now();
    IPN_ASSERT(left > 0);
    const Result<void> asked = ask(arm() ? left : 0);
    IPN_ASSERT(asked.has_value());
    walk();
  }
}

}  // namespace ipn::io
