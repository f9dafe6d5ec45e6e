// SPDX-License-Identifier: MIT
#include "bench/processes.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipn_bench {
namespace {

/// A process that does nothing until it is destroyed.
class SleepingChild {
 public:
  SleepingChild() : pid_(fork()) {
    if (pid_ == 0) {
      for (;;) pause();
    }
  }
  SleepingChild(const SleepingChild&) = delete;
  SleepingChild& operator=(const SleepingChild&) = delete;
  ~SleepingChild() { end(); }
  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

cpu_set_t cpus_of(pid_t process) {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(process, sizeof set, &set), 0);
  return set;
}

TEST(ParseParent, TakesTheFourthField) { EXPECT_EQ(parse_parent("12 (ipnd) S 7 12 12 0"), 7); }

TEST(ParseParent, IsNotMisledByTheNameOfAProgram) {
  EXPECT_EQ(parse_parent("12 (a) S 99 (b) R 7 12"), 7);
  EXPECT_EQ(parse_parent("12 () S 7 ) S 8 12"), 8);
}

TEST(ParseParent, RefusesWhatIsNoStat) {
  EXPECT_FALSE(parse_parent(""));
  EXPECT_FALSE(parse_parent("12 ipnd S 7"));
  EXPECT_FALSE(parse_parent("12 (ipnd) S"));
}

TEST(ParseBusyTicks, AddsUserNiceSystemAndInterrupts) {
  EXPECT_EQ(parse_busy_ticks("cpu  1 20 300 4000 50000 600000 7000000 8 9 10\ncpu0 1 1\n"),
            7600321);
}

TEST(ParseBusyTicks, RefusesWhatIsNoStat) {
  EXPECT_FALSE(parse_busy_ticks(""));
  EXPECT_FALSE(parse_busy_ticks("cpu0 1 2 3 4 5 6 7"));
  EXPECT_FALSE(parse_busy_ticks("cpu 1 2 3\n"));
}

TEST(MachineCpuTime, IsThere) {
  const auto time = machine_cpu_time();
  ASSERT_TRUE(time.has_value());
  EXPECT_GT(*time, Nanoseconds(0));
}

TEST(FamilyOf, BeginsWithTheRootAndHasItsChildren) {
  const SleepingChild child;
  const auto family = family_of(getpid());
  EXPECT_EQ(family.front(), getpid());
  EXPECT_EQ(std::count(family.begin(), family.end(), child.pid()), 1);
  EXPECT_EQ(std::count(family.begin(), family.end(), getppid()), 0);
}

TEST(CpuTime, AddsUpProcesses) {
  const SleepingChild child;
  const auto before = cpu_time({getpid()});
  const auto both = cpu_time({getpid(), child.pid()});
  ASSERT_TRUE(before && both);
  EXPECT_GE(*both, *before);
}

TEST(CpuTime, IsNotKnownOfAProcessThatIsGone) {
  SleepingChild child;
  const pid_t pid = child.pid();
  EXPECT_TRUE(cpu_time({pid}));
  child.end();
  EXPECT_FALSE(cpu_time({pid}));
}

TEST(Pinning, KeepsAllProcessesOnOneCpuUntilItEnds) {
  const auto usable = usable_cpus();
  ASSERT_FALSE(usable.empty());
  const cpu_set_t before = cpus_of(0);
  const SleepingChild child;
  {
    const auto pinning = Pinning::pin({getpid(), child.pid()}, usable.back());
    ASSERT_TRUE(pinning) << pinning.error().text;
    EXPECT_EQ(usable_cpus(), std::vector<int>{usable.back()});
    const cpu_set_t pinned = cpus_of(child.pid());
    EXPECT_EQ(CPU_COUNT(&pinned), 1);
    EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(usable.back()), &pinned));
  }
  const cpu_set_t after = cpus_of(0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  const cpu_set_t childs = cpus_of(child.pid());
  EXPECT_TRUE(CPU_EQUAL(&before, &childs));
}

}  // namespace
}  // namespace ipn_bench
