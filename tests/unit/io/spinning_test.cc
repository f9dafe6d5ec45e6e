// SPDX-License-Identifier: MIT
#include "switchcore/io/spinning.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "switchcore/io/source_loop.h"

namespace ipn::io {
namespace {

/// The CPUs that this thread may use, for a while.
class OnCpus {
 public:
  explicit OnCpus(int count) {
    EXPECT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t some;
    CPU_ZERO(&some);
    for (int cpu = 0, left = count; left > 0 && cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &before_)) continue;
      CPU_SET(cpu, &some);
      --left;
    }
    EXPECT_EQ(sched_setaffinity(0, sizeof some, &some), 0);
  }
  ~OnCpus() { sched_setaffinity(0, sizeof before_, &before_); }
  OnCpus(const OnCpus&) = delete;
  OnCpus& operator=(const OnCpus&) = delete;
  bool had(int count) const { return CPU_COUNT(&before_) >= count; }

 private:
  cpu_set_t before_;
};

/// How long it goes on after the last work, in steps of a microsecond.
TimeNs length_of_spin(Spinning& spinning, TimeNs& now) {
  spinning.worked(now);
  const TimeNs start = now;
  while (spinning.goes_on(now) && now - start < kMillisecond) now += kMicrosecond;
  return now - start;
}

constexpr TimeNs kStart = 10 * kSecond;

TEST(Spinning, ThereIsNoneWithOneCpu) {
  const OnCpus one(1);
  Spinning spinning(Spin::kAdaptive);
  TimeNs now = kStart;
  spinning.worked(now);
  EXPECT_FALSE(spinning.goes_on(now));
  EXPECT_TRUE(spinning.has_one_cpu(now));
}

TEST(Spinning, InVainItGetsShorterAndWhenItPaysLonger) {
  const OnCpus two(2);
  if (!two.had(2)) return;  // it would be the test above
  Spinning spinning(Spin::kAdaptive);
  TimeNs now = kStart;
  EXPECT_EQ(length_of_spin(spinning, now), 50 * kMicrosecond);
  EXPECT_EQ(length_of_spin(spinning, now), 25 * kMicrosecond);
  for (int i = 0; i < 10; ++i) length_of_spin(spinning, now);
  EXPECT_EQ(length_of_spin(spinning, now), 2 * kMicrosecond);
  // Work that comes while it looks.
  for (int i = 0; i < 10; ++i) {
    spinning.worked(now);
    ASSERT_TRUE(spinning.goes_on(now += kMicrosecond));
  }
  spinning.worked(now);
  EXPECT_EQ(length_of_spin(spinning, now), 50 * kMicrosecond);
}

TEST(Spinning, AlwaysAndNeverDoNotLookAtCpus) {
  const OnCpus one(1);
  Spinning always(Spin::kAlways), never(Spin::kNever);
  EXPECT_TRUE(always.goes_on(kStart));
  EXPECT_FALSE(never.goes_on(kStart));
}

TEST(Spinning, TheOnlyCpuIsOfferedThreeTimesAfterWork) {
  const OnCpus one(1);
  Spinning spinning(Spin::kAdaptive);
  const TimeNs now = monotonic_now();
  EXPECT_FALSE(spinning.yield(now)) << "there was no work";
  spinning.worked(now);
  int offers = 0;
  while (offers < 10 && spinning.yield(now)) ++offers;
  EXPECT_GE(offers, 1);
  EXPECT_LE(offers, 3);
}

}  // namespace
}  // namespace ipn::io
