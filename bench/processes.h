// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <sched.h>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "bench/result.h"

namespace ipn_bench {

using Nanoseconds = std::chrono::nanoseconds;

/// `root` and every process that descends from it, as far as /proc shows them.
std::vector<pid_t> family_of(pid_t root);

/// User and system time of all threads that these processes ever had, from the
/// scheduler's nanosecond clocks. nullopt: one of them is gone.
std::optional<Nanoseconds> cpu_time(const std::vector<pid_t>& processes);

/// Time that the machine's CPUs spent on anything since it was started, in the
/// resolution of the kernel's ticks. nullopt: /proc/stat is not readable.
std::optional<Nanoseconds> machine_cpu_time();

/// The CPUs that this process may use, ascending.
std::vector<int> usable_cpus();

/// Keeps processes on one CPU until it is destroyed; threads that they start
/// meanwhile stay there too. Then they may use again what this process may.
class Pinning {
 public:
  static Result<Pinning> pin(std::vector<pid_t> processes, int cpu);
  Pinning(Pinning&& other) noexcept;
  Pinning& operator=(Pinning&&) = delete;
  ~Pinning();

 private:
  Pinning(std::vector<pid_t> processes, const cpu_set_t& before);

  std::vector<pid_t> processes_;
  cpu_set_t before_;
};

/// The pieces of /proc that are read, as pure functions.

/// Parent in a /proc/PID/stat, whose second field may contain anything.
std::optional<pid_t> parse_parent(std::string_view process_stat);

/// Ticks of the first line of /proc/stat in which no CPU was idle, waited for a
/// disk, or belonged to another machine.
std::optional<long long> parse_busy_ticks(std::string_view machine_stat);

}  // namespace ipn_bench
