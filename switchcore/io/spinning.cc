// SPDX-License-Identifier: MIT
#include "switchcore/io/spinning.h"

#include <algorithm>
#include <sched.h>

namespace ipn::io {
namespace {

constexpr TimeNs kCheckEvery = kSecond;

bool has_one_cpu() {
  cpu_set_t usable;
  return sched_getaffinity(0, sizeof usable, &usable) == 0 && CPU_COUNT(&usable) <= 1;
}

}  // namespace

Spinning::Spinning(Spin spin) : spin_(spin) {}

void Spinning::worked(TimeNs now) {
  if (idle_) length_ = std::min(2 * length_, kLongest);
  idle_ = false;
  since_ = now;
}

bool Spinning::goes_on(TimeNs now) {
  if (spin_ == Spin::kAlways) return true;
  if (spin_ == Spin::kNever) return false;
  if (now - checked_at_ >= kCheckEvery) {
    one_cpu_ = has_one_cpu();
    checked_at_ = now;
  }
  if (one_cpu_) return false;
  idle_ = true;
  if (now - since_ < length_) return true;
  length_ = std::max(length_ / 2, kShortest);
  idle_ = false;
  return false;
}

}  // namespace ipn::io
