// SPDX-License-Identifier: MIT
#pragma once

// The processes of a system with several of them. They are children of this
// process, made once and told by a board in shared memory when to run, so that
// what they opened stays open from run to run and a run begins for all at once.
//
// A run: the coordinator writes GO and the number of the run; each place works;
// after the time it writes STOP; who sends stops, and who receives goes on until it
// has everything; each place then *rests*, and when all do the run is OVER.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "bench/message.h"
#include "bench/processes.h"
#include "bench/result.h"

namespace ipn_bench {

/// What one place has done since the beginning. Written by that place only.
struct alignas(128) Record {
  std::atomic<std::uint64_t> sent;
  std::atomic<std::uint64_t> deliveries, lost, repeated, damaged;
  std::atomic<std::int64_t> last_ns;          ///< when it received its last message
  std::atomic<std::uint64_t> p50_ns, p99_ns;  ///< of the last run; 0: nothing was timed
  std::atomic<std::uint32_t> rested_run;
  std::atomic<std::uint32_t> state;
  std::atomic<bool> serves;  ///< never rests
  char text[512];            ///< what failed
};

struct BoardHead;

/// The board as one place sees it.
class Desk {
 public:
  Desk(BoardHead& head, Record& record) : head_(&head), record_(&record) {}

  Record& record() { return *record_; }

  /// Everything is open.
  void ready();
  /// Waits for the next run; nullopt: this was the last.
  std::optional<std::uint32_t> next_run();
  /// Until STOP.
  bool is_going() const;
  /// All rest.
  bool is_over() const;
  /// Sleeps until the run is over, or for this long.
  void wait_over(std::chrono::milliseconds patience) const;
  /// This place has done its part of the run.
  void rest();
  void note(const Seen& seen);
  /// Tells the coordinator, who ends the team.
  void fail(const std::string& text);

 private:
  BoardHead* head_;
  Record* record_;
  std::uint32_t run_ = 0;
};

/// What a process does: opens what it needs, then works run by run until there
/// is none. One place each; a process with two runs the second in a thread.
struct Member {
  unsigned places = 1;
  bool serves = false;  ///< works for the others all the time, and is killed at the end
  std::function<Result<void>(std::vector<Desk>& desks)> work;
};

class Team {
 public:
  /// Starts all, and waits until each is ready.
  static Result<Team> start(std::string name, const std::vector<Member>& members);
  Team(Team&&) noexcept;
  Team& operator=(Team&&) = delete;
  ~Team();

  const std::vector<pid_t>& pids() const { return pids_; }

  struct Run {
    std::uint64_t sent = 0;
    Seen seen;
    Nanoseconds wall{0};
    std::optional<std::uint64_t> p50_ns, p99_ns;
  };
  Result<Run> run(Nanoseconds duration);

 private:
  struct Shared;
  Team(std::string name, std::unique_ptr<Shared> shared);
  Result<void> hire(const std::vector<Member>& members);
  Result<void> wait_for(const std::function<bool(const Record&)>& is_done, const char* what);
  Result<void> look_after();
  Run sum() const;

  std::string name_;
  std::unique_ptr<Shared> shared_;
  std::vector<pid_t> pids_, servants_;
  std::uint32_t run_ = 0;
};

}  // namespace ipn_bench
