// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <liburing.h>
#include <memory>
#include <vector>

#include "switchcore/io/loop.h"

namespace ipn::io {

// The loop on io_uring.
//
// A source is a slot in a table. It has at most one request in the kernel: a
// READ into the slot's own buffer, or a one-shot POLL_ADD. The request carries
// index and generation of the slot as its user_data, so a completion finds its
// slot without a pointer. A slot goes through these states:
//
//     idle --arm--> armed --completion--> handled --handler returns--> idle
//
// add_*(), remove() and the end of a handler only note what is to be armed or
// cancelled; the next round queues all of it and submits it with the wait, in
// one io_uring_enter(2). So handlers may add and remove as they like: nothing
// happens to the ring while its completions are being walked.
//
// A read that brought a message is followed by plain reads of the same
// descriptor, within a budget, before the ring has its turn again.
//
// remove() silences a source at once. An armed one keeps its slot and buffer
// until the cancelled request has completed; one that is just being handled
// keeps them until its handler returns. Then the slot is free and takes a new
// generation, which makes all ids of the old source stale.
//
// Poll sources are one-shot and armed again at the end of the round. POLL_ADD
// looks at the descriptor when it is submitted, so one that is still ready
// completes in that same call: level-triggered, once per round, and a handler
// that left something unread is asked again. A multishot poll would report
// edges only, and the handler that did not read to the end would never hear of
// the rest.
//
// Nothing here may need a worker thread of the kernel: descriptors are
// non-blocking, and the kernel waits for such ones by poll. The number of
// workers is capped at 1 (0 would mean "do not change"), so that a mistake
// shows as slowness and a test that counts them, not as dozens of threads.
class UringLoop final : public Loop {
 public:
  /// Only the calling thread may use and destroy the loop; the kernel refuses
  /// all others (IORING_SETUP_SINGLE_ISSUER).
  static Result<std::unique_ptr<Loop>> create();
  ~UringLoop() override;
  UringLoop(const UringLoop&) = delete;
  UringLoop& operator=(const UringLoop&) = delete;

  Result<SourceId> add_messages(int fd, std::size_t buffer_bytes, MessageHandler& handler) override;
  Result<SourceId> add_poll(int fd, std::uint32_t events, PollHandler& handler) override;
  void remove(SourceId source) override;
  Result<void> run_round(RoundHandler& round, std::optional<TimeNs> wake_at) override;
  std::string_view description() const override { return description_; }

 private:
  struct RingCloser {
    void operator()(io_uring* ring) const;
  };
  using Ring = std::unique_ptr<io_uring, RingCloser>;

  enum class State { kFree, kIdle, kArmed, kHandled };

  struct Slot {
    std::uint32_t generation = 1;
    State state = State::kFree;
    bool removed = false;
    int fd = -1;
    MessageHandler* messages = nullptr;  ///< of a message source, else null
    std::unique_ptr<std::byte[]> buffer;
    std::size_t buffer_bytes = 0;
    PollHandler* poll = nullptr;  ///< of a poll source, else null
    std::uint32_t events = 0;
  };

  UringLoop(Ring ring, std::string_view description);
  static Ring open_ring(unsigned flags, int& error);

  SourceId take_slot(Slot content);
  Slot* find(SourceId source);
  void release(std::uint32_t index);

  bool queue_requests();
  bool queue_cancels();
  bool queue_arms();
  void prepare(io_uring_sqe& request, SourceId source, Slot& slot);
  Result<void> submit_and_wait(TimeNs wait_ns);
  void handle_completions();
  void complete(SourceId source, int result);
  bool read_on(Slot& slot, int result);
  void drain();

  // A deque, because a handler may add sources while a slot is in use.
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<SourceId> to_arm_;
  std::vector<SourceId> to_cancel_;
  std::size_t armed_ = 0;        ///< slots in that state
  std::size_t round_bytes_ = 0;  ///< read in this round
  Ring ring_;
  std::string_view description_;
};

/// Why the kernel refused a ring, with the remedy. `disabled` is the value of
/// the sysctl kernel.io_uring_disabled, 0 where there is none.
Error uring_refused(std::string_view call, int code, int disabled);

}  // namespace ipn::io
