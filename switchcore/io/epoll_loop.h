// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <utility>
#include <vector>

#include "switchcore/io/source_loop.h"

namespace ipn::io {

// The loop on epoll, for machines that forbid io_uring.
//
// A source is registered once, level-triggered, by its id, and stays so until
// remove() or its end. epoll_wait(2) then names it once per call as long as it
// is ready; messages and doorbells are read when they are named.
//
// epoll knows one registration per descriptor. Of a second source on the same
// descriptor a duplicate is registered, which lasts as long as the registration.
//
// The kernel leaves no note in memory that something is ready. Rounds that do
// not wait therefore ask it once in a while only: this is what keeps a daemon
// that is busy with shared memory from a system call per round, at the price of
// that while for descriptors.
class EpollLoop final : public SourceLoop {
 public:
  /// `why` epoll was chosen, for the description.
  static Result<std::unique_ptr<Loop>> create(const std::string& why);
  ~EpollLoop() override;

 private:
  EpollLoop(int epoll, bool has_nanoseconds, const std::string& why);

  bool arm() override;
  bool must_ask(TimeNs now) const override { return !asked_lately(now); }
  Result<void> ask(TimeNs wait_ns) override;
  void walk() override;
  void disarm(SourceId source, Slot& slot) override;

  void deliver(SourceId source, int mask);
  int watch(SourceId source, const Slot& slot);
  void stop_watching(std::uint32_t index, const Slot& slot);
  int wait(TimeNs wait_ns);

  /// By index of the slot: what is registered for it, -1 for nothing.
  std::vector<int> watched_;
  /// Sources that could not be registered, with -errno.
  std::vector<std::pair<SourceId, int>> refused_;
  /// What the last wait has brought. The others have their turn in the next.
  std::array<epoll_event, 256> events_{};
  std::size_t ready_ = 0;
  int epoll_;
  bool has_nanoseconds_;  ///< epoll_pwait2 is there
};

}  // namespace ipn::io
