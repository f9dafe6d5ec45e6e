// SPDX-License-Identifier: MIT
#include "bench/measure.h"

#include <algorithm>
#include <unistd.h>

namespace ipn_bench {
namespace {

std::string on_cpus(const Placement& placement) {
  return std::to_string(placement.cpus) + (placement.cpus == 1 ? " CPU" : " CPUs");
}

std::string title_of(const Row& row) {
  const std::string variant = variant_of(row);
  std::string text = row.workload + (variant.empty() ? "" : " " + variant);
  if (row.size != 0) text += ", " + std::to_string(row.size) + " bytes";
  if (row.receivers != 1) text += ", " + std::to_string(row.receivers) + " receivers";
  return text;
}

template <typename Value>
void collect(std::vector<std::uint64_t>& values, const std::optional<Value>& value) {
  if (value) values.push_back(*value);
}

std::optional<std::uint64_t> median_of(const std::vector<std::uint64_t>& values) {
  if (values.empty()) return std::nullopt;
  return percentile(values, 50);
}

void fill_in(Row& row, const std::vector<Sample>& samples, const Placement& placement) {
  std::vector<double> rates, deliveries, costs;
  std::vector<std::uint64_t> p50, p99;
  for (const Sample& sample : samples) {
    rates.push_back(messages_per_s(sample));
    deliveries.push_back(deliveries_per_s(sample));
    if (sample.cpu) costs.push_back(cpu_ns_per_delivery(sample));
    collect(p50, sample.p50_ns);
    collect(p99, sample.p99_ns);
  }
  row.cpus = placement.cpus;
  row.pinned = placement.pinned;
  row.msgs_per_s = median(rates);
  row.deliveries_per_s = median(deliveries);
  if (!costs.empty()) row.cpu_ns_per_msg = median(costs);
  row.p50_ns = median_of(p50);
  row.p99_ns = median_of(p99);
}

std::vector<Sample> side_of(const Comparison& comparison, Sample Pair::*side) {
  std::vector<Sample> samples;
  for (const Pair& pair : comparison.pairs) samples.push_back(pair.*side);
  return samples;
}

void note_disturbed(const Row& row, WorkResult& result) {
  constexpr const char* kNote =
      "rows with DISTURBED: in so many runs other processes used more than 20 % of a CPU, each "
      "time (measure again on a quiet machine)";
  if (row.disturbed == 0) return;
  const auto& notes = result.notes;
  if (std::find(notes.begin(), notes.end(), kNote) == notes.end()) result.notes.emplace_back(kNote);
}

/// On one CPU, unless processes are not known.
Result<void> measure_pinned(const Contest& contest, const Options& options, const Say& say,
                            WorkResult& result) {
  if (contest.ours.processes().empty() || contest.other.processes().empty()) {
    result.notes.push_back(
        "not measured on one CPU: the daemon of a given device is not known "
        "(tell it by --device-pid or --null-pid)");
    return {};
  }
  std::vector<pid_t> all{getpid()};
  for (const System* system : {&contest.ours, &contest.other}) {
    all.insert(all.end(), system->processes().begin(), system->processes().end());
  }
  const auto pinning = Pinning::pin(std::move(all), usable_cpus().back());
  if (!pinning) return pinning.error();
  return measure_contest(contest, options, {1, true}, say, result);
}

}  // namespace

Placement free_placement() { return {static_cast<unsigned>(usable_cpus().size()), false}; }

Result<void> measure_contest(const Contest& contest, const Options& options,
                             const Placement& placement, const Say& say, WorkResult& result) {
  say(title_of(contest.our_row) + ", against " + contest.other.name() + ", on " +
      on_cpus(placement));
  const auto comparison =
      compare(contest.ours, contest.other, contest.measure, options.method, take_sample, say);
  if (!comparison) return comparison.error();
  Row row = contest.our_row;
  Row other_row = contest.other_row;
  fill_in(row, side_of(*comparison, &Pair::ours), placement);
  fill_in(other_row, side_of(*comparison, &Pair::other), placement);
  row.system = contest.ours.name();
  other_row.system = contest.other.name();
  row.against = other_row.system;
  row.ratio = ratio_of(*comparison, contest.measure);
  row.disturbed = other_row.disturbed = comparison->disturbed;
  if (contest.complete) {
    if (auto completed = contest.complete(row, other_row); !completed) return completed;
  }
  note_disturbed(row, result);
  result.rows.push_back(std::move(row));
  result.rows.push_back(std::move(other_row));
  return {};
}

Result<void> measure_everywhere(const Contest& contest, const Options& options, const Say& say,
                                WorkResult& result) {
  const Placement all = free_placement();
  if (all.cpus == 0) return Failure{"the usable CPUs are not known"};
  if (all.cpus > 1) {
    auto done = measure_contest(contest, options, all, say, result);
    if (!done) return done;
  }
  return measure_pinned(contest, options, say, result);
}

Result<void> in_every_placement(const Options& options,
                                const std::function<Result<void>(const Placement&)>& measure) {
  const std::vector<int> cpus = usable_cpus();
  if (cpus.empty()) return Failure{"the usable CPUs are not known"};
  if (cpus.size() > 1) {
    if (auto done = measure(free_placement()); !done) return done;
  }
  std::vector<pid_t> all{getpid()};
  if (options.device_pid) {
    const auto daemon = family_of(*options.device_pid);
    all.insert(all.end(), daemon.begin(), daemon.end());
  }
  const auto pinning = Pinning::pin(std::move(all), cpus.back());
  if (!pinning) return pinning.error();
  return measure({1, true});
}

Result<void> measure_solo(System& system, Row row, const Options& options,
                          const Placement& placement, const Say& say, WorkResult& result) {
  say(title_of(row) + ", on " + on_cpus(placement));
  const auto alone = measure_alone(system, options.method, take_sample, say);
  if (!alone) return alone.error();
  fill_in(row, alone->samples, placement);
  row.system = system.name();
  row.disturbed = alone->disturbed;
  note_disturbed(row, result);
  result.rows.push_back(std::move(row));
  return {};
}

}  // namespace ipn_bench
