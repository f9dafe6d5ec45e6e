// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

#include "ipnd/helper_process.h"
#include "ipnd/helper_protocol.h"
#include "switchcore/base/assert.h"
#include "switchcore/io/loop.h"

namespace ipn {

/// The loop's end of the helper: requests go out one after the other, answers
/// come by the loop. Nobody ever waits for one while the device is served.
class Helper final : private io::PollHandler {
 public:
  /// What the helper has done: a descriptor if the request has one, or why not.
  using Done = std::function<void(Result<UniqueFd>)>;

  /// Starts the process; before there are threads.
  static Result<std::unique_ptr<Helper>> start(const HelperTask& task, InstanceLock& lock);
  /// Ends the helper, which cleans up, and waits for that a short time.
  ~Helper();

  /// Asks and waits; only until attach().
  Result<UniqueFd> call(HelperCall call, std::uint32_t door);

  /// From now on answers come by the loop. `on_lost` is called when the helper
  /// has died.
  Result<void> attach(io::Loop& loop, std::function<void()> on_lost);
  /// No answers come any more; before the loop or who asked goes away.
  void detach();
  /// `done` is called by the loop, or at once with EPIPE if the helper is dead.
  void request(HelperCall call, std::uint32_t door, UniqueFd fd, Done done);

 private:
  struct Pending {
    HelperRequest request;
    UniqueFd fd;
    Done done;
  };

  Helper(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  void on_ready(std::uint32_t events) override;
  void send_next();
  void lost();
  void reap();
  static Error gone();

  UniqueFd socket_;
  pid_t pid_;  ///< -1 once it is reaped
  io::Loop* loop_ = nullptr;
  std::optional<io::SourceId> source_;
  std::function<void()> on_lost_;
  std::deque<Pending> pending_;  ///< the first has been sent
  bool dead_ = false;
};

}  // namespace ipn
