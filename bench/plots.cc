// SPDX-License-Identifier: MIT
#include "bench/plots.h"

#include <map>
#include <utility>

#include "bench/chart.h"
#include "bench/statistics.h"

namespace ipn_bench {
namespace {

constexpr double kNsPerUs = 1000;

std::string name_of(const Row& row) {
  const std::string variant = variant_of(row);
  return row.system + (variant.empty() ? "" : ", " + variant);
}

/// A system that was compared with several others has a row for each: what is
/// plotted is the median.
using Figures = std::map<double, std::vector<double>>;

/// Lines in the order of the rows.
class Lines {
 public:
  void add(const std::string& name, double x, double y) {
    if (figures_.find(name) == figures_.end()) names_.push_back(name);
    figures_[name][x].push_back(y);
  }
  std::vector<LineChart::Line> lines() const {
    std::vector<LineChart::Line> lines;
    for (const std::string& name : names_) {
      LineChart::Line line{name, {}};
      for (const auto& [x, values] : figures_.at(name)) line.points.emplace_back(x, median(values));
      lines.push_back(std::move(line));
    }
    return lines;
  }

 private:
  std::vector<std::string> names_;
  std::map<std::string, Figures> figures_;
};

LineChart deliveries_over(const std::vector<Row>& rows, const std::string& workload,
                          double (*x_of)(const Row&)) {
  Lines lines;
  unsigned cpus = 0;
  for (const Row& row : rows) {
    if (row.workload != workload || row.pinned) continue;
    if (!row.deliveries_per_s || *row.deliveries_per_s <= 0) continue;
    cpus = row.cpus;
    lines.add(name_of(row), x_of(row), *row.deliveries_per_s);
  }
  LineChart chart;
  chart.title = workload + " on " + std::to_string(cpus) + (cpus == 1 ? " CPU" : " CPUs");
  chart.y_title = "deliveries per second";
  chart.lines = lines.lines();
  return chart;
}

BarChart round_trips(const std::vector<Row>& rows) {
  BarChart chart;
  chart.title = "Round trips, microseconds";
  chart.length_title = "half of all take at most";
  chart.mark_title = "99 of 100 take at most";
  for (const Row& row : rows) {
    if (!row.p50_ns || *row.p50_ns == 0) continue;
    const std::string cpus = std::to_string(row.cpus) + (row.cpus == 1 ? " CPU" : " CPUs");
    chart.bars.push_back({row.workload + " " + name_of(row) + ", " + cpus,
                          static_cast<double>(*row.p50_ns) / kNsPerUs,
                          static_cast<double>(row.p99_ns.value_or(0)) / kNsPerUs});
  }
  return chart;
}

}  // namespace

std::string plots_of(const std::vector<Row>& rows) {
  LineChart sizes =
      deliveries_over(rows, "p2p", [](const Row& row) { return static_cast<double>(row.size); });
  sizes.x_title = "bytes of a message";
  LineChart fanout = deliveries_over(
      rows, "fanout", [](const Row& row) { return static_cast<double>(row.receivers); });
  fanout.x_title = "receivers of each message";
  return svg_of({sizes, fanout}, {round_trips(rows)});
}

}  // namespace ipn_bench
