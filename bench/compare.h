// SPDX-License-Identifier: MIT
#pragma once

// How two systems are compared. Both do the same work in turn (ours, the other,
// ours, the other), and each pair of runs gives one ratio. So what changes
// slowly on the machine, as its clock rate and what else it does, changes both
// sides of a ratio. The result is the median of the ratios, with the lowest and
// the highest. A pair during which other processes took much of a CPU is run
// again.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "bench/processes.h"
#include "bench/result.h"
#include "bench/statistics.h"
#include "bench/works.h"

namespace ipn_bench {

/// What a system did in one run.
struct Outcome {
  std::uint64_t messages = 0;    ///< sent
  std::uint64_t deliveries = 0;  ///< received, by all receivers together
  /// From the start to the last delivery; unknown: as long as the run took.
  std::optional<Nanoseconds> wall{};
  std::optional<std::uint64_t> p50_ns{}, p99_ns{};  ///< of round trips, where these are timed
};

/// A thing that can be measured.
class System {
 public:
  virtual ~System() = default;
  virtual const std::string& name() const = 0;
  /// The processes whose CPU time counts besides ours; empty: not known.
  virtual const std::vector<pid_t>& processes() const = 0;
  virtual Result<Outcome> run(Nanoseconds duration) = 0;
};

struct Method {
  unsigned pairs = 5;
  Nanoseconds run = std::chrono::seconds(2);
  Nanoseconds warm_up = std::chrono::milliseconds(500);
};

/// One run of one system.
struct Sample {
  std::uint64_t messages = 0;
  std::uint64_t deliveries = 0;
  Nanoseconds wall{0};             ///< from the start to the last delivery
  std::optional<Nanoseconds> cpu;  ///< of this process and the system's; if these are known
  Nanoseconds foreign{0};          ///< CPU time of all others; 0 if they cannot be told apart
  Nanoseconds observed{0};         ///< during which `foreign` was used
  std::optional<std::uint64_t> p50_ns{}, p99_ns{};
};

double messages_per_s(const Sample& sample);
double deliveries_per_s(const Sample& sample);
/// `cpu` is known, and something was delivered.
double cpu_ns_per_delivery(const Sample& sample);

/// More than a fifth of a CPU was used by others.
bool is_disturbed(const Sample& sample);

struct Pair {
  Sample ours;
  Sample other;
};

struct Comparison {
  std::vector<Pair> pairs;
  unsigned disturbed = 0;  ///< pairs that stayed disturbed, however often they were run
};

/// What is compared: more deliveries per second are better, a shorter time of
/// half of all round trips is.
enum class Measure { kRate, kTime };

/// Ours to the other's.
Spread ratio_of(const Comparison& comparison, Measure measure);

using Sampler = std::function<Result<Sample>(System&, Nanoseconds)>;

/// Runs a system and reads the clocks around it: the Sampler for real use.
Result<Sample> take_sample(System& system, Nanoseconds duration);

/// `say` is told about each pair.
Result<Comparison> compare(System& ours, System& other, Measure measure, const Method& method,
                           const Sampler& sampler, const Say& say);

/// Runs of one system that has nothing to be compared with.
struct Alone {
  std::vector<Sample> samples;
  unsigned disturbed = 0;
};
Result<Alone> measure_alone(System& system, const Method& method, const Sampler& sampler,
                            const Say& say);

}  // namespace ipn_bench
