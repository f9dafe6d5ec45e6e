// SPDX-License-Identifier: MIT
#pragma once

// Messages there and back: one side asks, the other answers with the same bytes.
// Half of all round trips take at most P50.

#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "bench/compare.h"
#include "bench/message.h"
#include "bench/node.h"
#include "bench/team.h"

namespace ipn_bench {

/// One side's way into a system.
class Line {
 public:
  virtual ~Line() = default;
  virtual Result<void> send(const void* message, std::size_t size) = 0;
  /// Waits for a message; its length.
  virtual Result<std::size_t> receive(void* room, std::size_t size) = 0;
};

using LineOpener = std::function<Result<std::unique_ptr<Line>>()>;

/// One system in which two sides talk.
class RoundTripSystem : public System {
 public:
  RoundTripSystem(std::string name, Team team, const std::vector<pid_t>& daemons);

  const std::string& name() const override { return name_; }
  const std::vector<pid_t>& processes() const override { return processes_; }
  const std::vector<pid_t>& own_processes() const { return team_.pids(); }
  Result<Outcome> run(Nanoseconds duration) override;
  /// What came otherwise than it was sent; empty: nothing.
  std::string fault() const;

 private:
  std::string name_;
  Team team_;
  std::vector<pid_t> processes_;
  Seen seen_;
};

/// Two nodes of a network, each in a process; `network` may exist.
Result<std::unique_ptr<RoundTripSystem>> start_ipn_round_trips(const Membership& membership,
                                                               std::size_t size,
                                                               const std::vector<pid_t>& daemons);

/// Both nodes in one thread.
Result<std::unique_ptr<RoundTripSystem>> start_ipn_one_thread(const Membership& membership,
                                                              std::size_t size,
                                                              const std::vector<pid_t>& daemons);

/// Three processes that sleep in recv(): the two sides, and a relay between them
/// that takes from each in turn.
Result<std::unique_ptr<RoundTripSystem>> start_relay(std::size_t size);

}  // namespace ipn_bench
