// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "switchcore/io/loop.h"

namespace ipn::io {

// What the backends have in common: the table of sources, the frame of a round
// and the calls of handlers. A backend knows how to ask the kernel.
//
// A source is a slot in a table. Index and generation of the slot are its id for
// users and its name in the kernel (user_data, epoll_data), so news of it find
// the slot without a pointer. A slot goes through these states:
//
//     idle --arm--> armed --news--> handled --handler returns--> idle
//
// Armed is what the kernel has been asked to watch. add_*() and the end of a
// handler only note that a source is to be armed; the next round does it. So
// handlers may add and remove as they like while news are being walked.
//
// A read that brought a message is followed by plain reads of the same
// descriptor, within a budget, before the others have their turn again.
//
// remove() silences a source at once. One that is just being handled keeps its
// slot and buffer until its handler returns, an armed one as long as the backend
// needs them. Then the slot is free and takes a new generation, which makes all
// ids of the old source stale.
class SourceLoop : public Loop {
 public:
  SourceLoop(const SourceLoop&) = delete;
  SourceLoop& operator=(const SourceLoop&) = delete;

  Result<SourceId> add_messages(int fd, std::size_t buffer_bytes, MessageHandler& handler) final;
  Result<SourceId> add_poll(int fd, std::uint32_t events, PollHandler& handler) final;
  Result<SourceId> add_doorbell(int fd, DoorbellHandler& handler) final;
  void remove(SourceId source) final;
  Result<void> run_round(RoundHandler& round, std::optional<TimeNs> wake_at) final;
  LoopStats stats() const final { return stats_; }
  std::string_view description() const final { return description_; }

 protected:
  enum class State { kFree, kIdle, kArmed, kHandled };

  /// Exactly one of the handlers is there.
  struct Slot {
    std::uint32_t generation = 1;
    State state = State::kFree;
    bool removed = false;
    int fd = -1;
    MessageHandler* messages = nullptr;
    std::unique_ptr<std::byte[]> buffer;  ///< of messages
    std::size_t buffer_bytes = 0;
    PollHandler* poll = nullptr;
    std::uint32_t events = 0;  ///< of a poll
    DoorbellHandler* doorbell = nullptr;
    /// What a doorbell receives; more than this is left for the next round of a
    /// stream, and cut off a packet.
    std::array<std::byte, 16> rings{};
  };

  explicit SourceLoop(std::string description);
  ~SourceLoop() override = default;

  /// Asks the kernel to watch what is noted in to_arm(). False if this round
  /// must not wait, because something stayed behind or is known already.
  virtual bool arm() = 0;
  /// Whether a round that does not wait has to ask the kernel.
  virtual bool must_ask(TimeNs now) const = 0;
  /// Lets the kernel see what arm() has prepared, and waits for news; 0 does not
  /// wait. The end of the time and a signal are no errors.
  virtual Result<void> ask(TimeNs wait_ns) = 0;
  /// Gives the news that are there to take().
  virtual void walk() = 0;
  /// The source is being removed. One that leaves here armed is released by the
  /// backend later, any other one as soon as no handler runs.
  virtual void disarm(SourceId source, Slot& slot) = 0;

  /// Null for a stale id.
  Slot* find(SourceId source);
  /// Calls the handler of an armed source with a count or a mask, or -errno.
  /// Whether the source is still there and to be armed again.
  bool take(SourceId source, Slot& slot, int result);
  void release(std::uint32_t index);
  /// Calls remove() for every source; for the destructors of backends.
  void remove_all();

  /// What a source of messages or a doorbell has now: a count or -errno.
  int fetch(Slot& slot);

  /// In order of age. Ids in it may be stale.
  std::vector<SourceId>& to_arm() { return to_arm_; }
  void count_system_call() { ++stats_.system_calls; }
  /// Whether a backend that cannot see news without asking may still leave it.
  bool asked_lately(TimeNs now) const { return now - asked_at_ < kAskAgain; }

 private:
  static constexpr TimeNs kAskAgain = 100 * kMicrosecond;

  SourceId take_slot(Slot content);
  bool hand_over(Slot& slot, int result);
  bool read_on(Slot& slot, int result);

  // A deque, because a handler may add sources while a slot is in use.
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<SourceId> to_arm_;
  std::size_t round_bytes_ = 0;  ///< read in this round
  TimeNs asked_at_ = 0;
  LoopStats stats_;
  std::string description_;
};

/// A wait without end is cut into days.
inline constexpr TimeNs kLongestWait = 86'400 * kSecond;

TimeNs monotonic_now();

/// A SourceId as one number, for the kernel to keep.
std::uint64_t pack(SourceId source);
SourceId unpack(std::uint64_t packed);

}  // namespace ipn::io
