// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>
#include <memory>
#include <string>
#include <vector>

#include "switchcore/io/source_loop.h"

namespace ipn::io {

// The loop on io_uring.
//
// A source has at most one request in the kernel: a READ into its own buffer, a
// RECV into its slot, or a one-shot POLL_ADD. arm() and disarm() only queue
// requests; one io_uring_enter(2) per round submits all of them with the wait.
// An armed source that is removed keeps its slot and buffer until the cancelled
// request has completed.
//
// Poll sources are one-shot and armed again at the end of the round. POLL_ADD
// looks at the descriptor when it is submitted, so one that is still ready
// completes in that same call: level-triggered, once per round, and a handler
// that left something unread is asked again. A multishot poll would report
// edges only, and the handler that did not read to the end would never hear of
// the rest. A doorbell is armed in the same way, so that who rings without end
// is heard once per round.
//
// Completions are made when this thread enters the kernel for them
// (IORING_SETUP_DEFER_TASKRUN). Until then a flag in the ring's memory says that
// there is something to be done (IORING_SETUP_TASKRUN_FLAG), so a round that
// does not wait looks at that flag and enters the kernel for a reason only.
//
// Nothing here may need a worker thread of the kernel: descriptors are
// non-blocking, and the kernel waits for such ones by poll. The number of
// workers is capped at 1 (0 would mean "do not change"), so that a mistake
// shows as slowness and a test that counts them, not as dozens of threads.
class UringLoop final : public SourceLoop {
 public:
  enum class Setup : std::uint8_t {
    kBest,   ///< what the kernel offers
    kPlain,  ///< what a kernel before 6.1 offers
  };

  /// Only the calling thread may use and destroy the loop; the kernel refuses
  /// all others (IORING_SETUP_SINGLE_ISSUER).
  static Result<std::unique_ptr<Loop>> create(Setup setup = Setup::kBest);
  ~UringLoop() override;

 private:
  struct RingCloser {
    void operator()(io_uring* ring) const;
  };
  using Ring = std::unique_ptr<io_uring, RingCloser>;

  UringLoop(Ring ring, const std::string& description);
  static Ring open_ring(unsigned flags, int& error);

  bool arm() override { return queue_cancels() && queue_arms(); }
  bool must_ask(TimeNs now) const override;
  Result<void> ask(TimeNs wait_ns) override;
  void walk() override;
  void disarm(SourceId source, Slot& slot) override;

  bool queue_cancels();
  bool queue_arms();
  void prepare(io_uring_sqe& request, SourceId source, Slot& slot);
  void complete(SourceId source, int result);
  void drain();

  std::vector<SourceId> to_cancel_;
  std::size_t armed_ = 0;  ///< slots in that state
  Ring ring_;
};

}  // namespace ipn::io
