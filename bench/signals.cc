// SPDX-License-Identifier: MIT
#include "bench/signals.h"

#include <csignal>

namespace ipn_bench {
namespace {

constexpr int kShellSignalBase = 128;

volatile std::sig_atomic_t caught = 0;

void note_signal(int number) { caught = number; }

}  // namespace

void catch_ending_signals() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

bool is_interrupted() { return caught != 0; }

Failure interrupted() {
  return {"interrupted: nothing was measured to its end", kShellSignalBase + caught};
}

}  // namespace ipn_bench
