// SPDX-License-Identifier: MIT
#include "switchcore/io/spinning.h"

#include <algorithm>
#include <sched.h>

#include "switchcore/io/source_loop.h"

namespace ipn::io {
namespace {

constexpr TimeNs kCheckEvery = kSecond;

int usable_cpus() {
  cpu_set_t usable;
  return sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 2;
}

}  // namespace

Spinning::Spinning(Spin spin) : spin_(spin) {}

void Spinning::worked(TimeNs now) {
  if (idle_) length_ = std::min(2 * length_, kLongest);
  idle_ = false;
  since_ = now;
  yields_ = kYields;
}

bool Spinning::has_one_cpu(TimeNs now) {
  if (now - checked_at_ >= kCheckEvery) {
    one_cpu_ = usable_cpus() <= 1;
    checked_at_ = now;
  }
  return one_cpu_;
}

bool Spinning::goes_on(TimeNs now) {
  if (spin_ != Spin::kAdaptive) return spin_ == Spin::kAlways;
  if (has_one_cpu(now)) return false;
  idle_ = true;
  if (now - since_ < length_) return true;
  length_ = std::max(length_ / 2, kShortest);
  idle_ = false;
  return false;
}

bool Spinning::yield(TimeNs now) {
  if (yields_ == 0 || !has_one_cpu(now)) return false;
  --yields_;
  const TimeNs before = monotonic_now();
  if (before < yields_from_) return false;
  sched_yield();
  const TimeNs after = monotonic_now();
  if (after - before > kTakenAway) yields_from_ = after + kSecond;
  return true;
}

}  // namespace ipn::io
