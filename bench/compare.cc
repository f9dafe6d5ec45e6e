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

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double foreign_share(const Sample& sample) {
  return seconds(sample.foreign) / seconds(sample.wall);
}

double foreign_share(const Pair& pair) {
  return std::max(foreign_share(pair.ours), foreign_share(pair.other));
}

bool is_disturbed(const Pair& pair) {
  return ipn_bench::is_disturbed(pair.ours) || ipn_bench::is_disturbed(pair.other);
}

double ratio(const Pair& pair) { return messages_per_s(pair.ours) / messages_per_s(pair.other); }

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string figures(const System& ours, const System& other, const Pair& pair) {
  return formatted("%s %.0f, %s %.0f messages/s, ratio %.3f, others used %.0f %% of a CPU",
                   ours.name().c_str(), messages_per_s(pair.ours), other.name().c_str(),
                   messages_per_s(pair.other), ratio(pair), foreign_share(pair) * 100);
}

Result<Pair> run_pair(System& ours, System& other, Nanoseconds duration, const Sampler& sampler) {
  const auto first = sampler(ours, duration);
  if (!first) return first.error();
  const auto second = sampler(other, duration);
  if (!second) return second.error();
  return Pair{*first, *second};
}

}  // namespace

double messages_per_s(const Sample& sample) {
  return static_cast<double>(sample.messages) / seconds(sample.wall);
}

double cpu_ns_per_message(const Sample& sample) {
  return static_cast<double>(sample.cpu->count()) / static_cast<double>(sample.messages);
}

bool is_disturbed(const Sample& sample) { return foreign_share(sample) > kForeignMax; }

Spread ratio_of(const Comparison& comparison) {
  std::vector<double> ratios;
  for (const Pair& pair : comparison.pairs) ratios.push_back(ratio(pair));
  return spread(ratios);
}

Result<Sample> take_sample(System& system, Nanoseconds duration) {
  std::vector<pid_t> all = system.processes();
  const bool is_known = !all.empty();
  all.push_back(getpid());
  const auto machine_before = machine_cpu_time();
  const auto cpu_before = cpu_time(all);
  const auto begin = Clock::now();
  const auto messages = system.run(duration);
  const auto end = Clock::now();
  const auto cpu_after = cpu_time(all);
  const auto machine_after = machine_cpu_time();
  if (!messages) return messages.error();
  if (!cpu_before || !cpu_after) {
    return Failure{system.name() + ": a process of its daemon ended during the measurement"};
  }
  Sample sample{*messages, end - begin, {}, Nanoseconds(0)};
  if (!is_known) return sample;
  sample.cpu = *cpu_after - *cpu_before;
  if (machine_before && machine_after) {
    sample.foreign = std::max(Nanoseconds(0), *machine_after - *machine_before - *sample.cpu);
  }
  return sample;
}

Result<Comparison> compare(System& ours, System& other, const Method& method,
                           const Sampler& sampler, const Say& say) {
  if (const auto warm = run_pair(ours, other, method.warm_up, sampler); !warm) return warm.error();
  Comparison comparison;
  for (unsigned i = 1; i <= method.pairs; i++) {
    std::optional<Pair> calmest;
    for (unsigned attempt = 1; attempt <= kAttempts; attempt++) {
      const auto pair = run_pair(ours, other, method.run, sampler);
      if (!pair) return pair.error();
      say(formatted("pair %u of %u: ", i, method.pairs) + figures(ours, other, *pair));
      if (!calmest || foreign_share(*pair) < foreign_share(*calmest)) calmest = *pair;
      if (!is_disturbed(*calmest)) break;
      if (attempt < kAttempts) say("too much for a measurement: once more");
    }
    if (is_disturbed(*calmest)) comparison.disturbed++;
    comparison.pairs.push_back(*calmest);
  }
  return comparison;
}

}  // namespace ipn_bench
