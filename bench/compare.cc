// SPDX-License-Identifier: MIT
#include "bench/compare.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <unistd.h>

namespace ipn_bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kForeignMax = 0.2;  // of one CPU
constexpr unsigned kAttempts = 4;
constexpr double kPercent = 100;
constexpr double kNsPerUs = 1000;

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double foreign_share(const Sample& sample) {
  const Nanoseconds time = sample.observed > sample.wall ? sample.observed : sample.wall;
  return seconds(sample.foreign) / seconds(time);
}

double foreign_share(const Pair& pair) {
  return std::max(foreign_share(pair.ours), foreign_share(pair.other));
}

double value_of(const Sample& sample, Measure measure) {
  if (measure == Measure::kRate) return deliveries_per_s(sample);
  return static_cast<double>(sample.p50_ns.value_or(0));
}

double ratio(const Pair& pair, Measure measure) {
  return value_of(pair.ours, measure) / value_of(pair.other, measure);
}

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string figure(const System& system, const Sample& sample, Measure measure) {
  if (measure == Measure::kRate) {
    return formatted("%s %.0f deliveries/s", system.name().c_str(), deliveries_per_s(sample));
  }
  return formatted("%s %.2f us", system.name().c_str(), value_of(sample, measure) / kNsPerUs);
}

std::string others_used(double share) {
  return formatted("others used %.0f %% of a CPU", share * kPercent);
}

std::string figures(const System& ours, const System& other, const Pair& pair, Measure measure) {
  return figure(ours, pair.ours, measure) + ", " + figure(other, pair.other, measure) +
         formatted(", ratio %.3f, ", ratio(pair, measure)) + others_used(foreign_share(pair));
}

Result<Pair> run_pair(System& ours, System& other, Nanoseconds duration, const Sampler& sampler) {
  const auto first = sampler(ours, duration);
  if (!first) return first.error();
  const auto second = sampler(other, duration);
  if (!second) return second.error();
  return Pair{*first, *second};
}

/// Calls `once` until what it returns is calm, a few times at most; the calmest.
template <typename Once>
auto calmest_of(const Once& once, const Say& say) -> decltype(once()) {
  auto calmest = once();
  for (unsigned attempt = 1; attempt < kAttempts && calmest; attempt++) {
    if (foreign_share(*calmest) <= kForeignMax) break;
    say("too much for a measurement: once more");
    auto again = once();
    if (!again) return again;
    if (foreign_share(*again) < foreign_share(*calmest)) calmest = again;
  }
  return calmest;
}

}  // namespace

double messages_per_s(const Sample& sample) {
  return static_cast<double>(sample.messages) / seconds(sample.wall);
}

double deliveries_per_s(const Sample& sample) {
  return static_cast<double>(sample.deliveries) / seconds(sample.wall);
}

double cpu_ns_per_delivery(const Sample& sample) {
  return static_cast<double>(sample.cpu->count()) / static_cast<double>(sample.deliveries);
}

bool is_disturbed(const Sample& sample) { return foreign_share(sample) > kForeignMax; }

Spread ratio_of(const Comparison& comparison, Measure measure) {
  std::vector<double> ratios;
  for (const Pair& pair : comparison.pairs) ratios.push_back(ratio(pair, measure));
  return spread(ratios);
}

Result<Sample> take_sample(System& system, Nanoseconds duration) {
  std::vector<pid_t> all = system.processes();
  const bool is_known = !all.empty();
  all.push_back(getpid());
  const auto machine_before = machine_cpu_time();
  const auto cpu_before = cpu_time(all);
  const auto begin = Clock::now();
  const auto outcome = system.run(duration);
  const auto end = Clock::now();
  const auto cpu_after = cpu_time(all);
  const auto machine_after = machine_cpu_time();
  if (!outcome) return outcome.error();
  if (!cpu_before || !cpu_after) {
    return Failure{system.name() + ": one of its processes ended during the measurement"};
  }
  Sample sample;
  sample.messages = outcome->messages;
  sample.deliveries = outcome->deliveries;
  sample.observed = end - begin;
  sample.wall = outcome->wall.value_or(sample.observed);
  sample.p50_ns = outcome->p50_ns;
  sample.p99_ns = outcome->p99_ns;
  if (sample.deliveries == 0) return Failure{system.name() + ": nothing was delivered in a run"};
  if (!is_known) return sample;
  sample.cpu = *cpu_after - *cpu_before;
  if (machine_before && machine_after) {
    sample.foreign = std::max(Nanoseconds(0), *machine_after - *machine_before - *sample.cpu);
  }
  return sample;
}

Result<Comparison> compare(System& ours, System& other, Measure measure, const Method& method,
                           const Sampler& sampler, const Say& say) {
  if (const auto warm = run_pair(ours, other, method.warm_up, sampler); !warm) return warm.error();
  Comparison comparison;
  for (unsigned i = 1; i <= method.pairs; i++) {
    const auto once = [&]() -> Result<Pair> {
      auto pair = run_pair(ours, other, method.run, sampler);
      if (pair) {
        say(formatted("pair %u of %u: ", i, method.pairs) + figures(ours, other, *pair, measure));
      }
      return pair;
    };
    const auto calmest = calmest_of(once, say);
    if (!calmest) return calmest.error();
    if (foreign_share(*calmest) > kForeignMax) comparison.disturbed++;
    comparison.pairs.push_back(*calmest);
  }
  return comparison;
}

Result<Alone> measure_alone(System& system, const Method& method, const Sampler& sampler,
                            const Say& say) {
  if (const auto warm = sampler(system, method.warm_up); !warm) return warm.error();
  Alone alone;
  for (unsigned i = 1; i <= method.pairs; i++) {
    const auto once = [&]() -> Result<Sample> {
      auto sample = sampler(system, method.run);
      if (!sample) return sample;
      const Measure measure = sample->p50_ns ? Measure::kTime : Measure::kRate;
      say(formatted("run %u of %u: ", i, method.pairs) + figure(system, *sample, measure) + ", " +
          others_used(foreign_share(*sample)));
      return sample;
    };
    const auto calmest = calmest_of(once, say);
    if (!calmest) return calmest.error();
    if (is_disturbed(*calmest)) alone.disturbed++;
    alone.samples.push_back(*calmest);
  }
  return alone;
}

}  // namespace ipn_bench
