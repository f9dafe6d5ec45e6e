// SPDX-License-Identifier: MIT
// ipn-sim: random histories of the core against a naive model. The seed of a
// history is printed before it begins, so that also a crash names it.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/simulation.h"

namespace {

int usage(const char* why) {
  std::fprintf(stderr,
               "ipn-sim: %s\n"
               "usage: ipn-sim [--seed N] [--steps M] [--runs K] [--verbose]\n"
               "Plays K histories of M steps with the seeds N, N+1... Exit status: 0 all agree\n"
               "with the model, 1 one does not, 2 wrong usage. IPN_SIM_RUNS multiplies K.\n",
               why);
  return 2;
}

bool parse(const char* text, std::uint64_t& value) {
  if (text == nullptr || *text == '\0') return false;
  char* end = nullptr;
  value = std::strtoull(text, &end, 10);
  return *end == '\0';
}

}  // namespace

int main(int argc, char** argv) {
  ipn::sim::Options options;
  std::uint64_t runs = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    bool ok = true;
    if (name == "--verbose") {
      options.verbose = true;
      continue;
    }
    if (name == "--seed") {
      ok = parse(value, options.seed);
    } else if (name == "--steps") {
      ok = parse(value, options.steps);
    } else if (name == "--runs") {
      ok = parse(value, runs);
    } else {
      return usage((name + ": unknown option").c_str());
    }
    if (!ok) return usage((name + ": a number is missing").c_str());
    ++i;
  }
  if (const char* more = std::getenv("IPN_SIM_RUNS"); more != nullptr) {
    std::uint64_t factor = 0;
    if (!parse(more, factor) || factor == 0) return usage("IPN_SIM_RUNS: not a number");
    runs *= factor;
  }

  ipn::sim::Simulation::Coverage coverage;
  for (std::uint64_t run = 0; run < runs; ++run, ++options.seed) {
    std::printf("seed %" PRIu64 "\n", options.seed);
    std::fflush(stdout);
    ipn::sim::Simulation simulation(options);
    const std::string difference = simulation.run();
    coverage += simulation.coverage();
    if (!difference.empty()) {
      std::printf("ipn-sim: difference with seed %" PRIu64
                  " at %s\n"
                  "(again, with all steps: ipn-sim --seed %" PRIu64 " --steps %" PRIu64
                  " --verbose)\n",
                  options.seed, difference.c_str(), options.seed, options.steps);
      return 1;
    }
  }
  std::printf("ipn-sim: %" PRIu64 " histories agree with the model: sent %" PRIu64
              ", received %" PRIu64 ", waited %" PRIu64 ", of them ended %" PRIu64 ", lost %" PRIu64
              ", evicted %" PRIu64 ", epochs %" PRIu64 ", woken %" PRIu64 ", attached %" PRIu64
              ", received in memory %" PRIu64 ", sent in runs %" PRIu64 ", cut off %" PRIu64 "\n",
              runs, coverage.sent, coverage.received, coverage.parked, coverage.completed,
              coverage.lost, coverage.evicted, coverage.epochs, coverage.woken, coverage.attached,
              coverage.read_in_memory, coverage.sent_in_runs, coverage.cut_off);
  return 0;
}
