// SPDX-License-Identifier: MIT
#include "bench/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace ipn_bench {
namespace {

constexpr std::size_t kColumns = 10;
constexpr std::size_t kTextColumns = 2;  // the others are numbers and stand right
constexpr std::size_t kGap = 2;
constexpr double kNsPerUs = 1000;
constexpr double kTenth = 10;
constexpr double kTenThousandth = 10000;

using Cells = std::array<std::string, kColumns>;

const Cells kTitles{"WORK",       "SYSTEM", "SIZE",   "CPUS", "MSGS/S",
                    "CPU NS/MSG", "P50 US", "P99 US", "LOSS", "RATIO [LOW..HIGH]"};

std::string decimal(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string microseconds(const std::optional<std::uint64_t>& ns) {
  return ns ? decimal(static_cast<double>(*ns) / kNsPerUs, 1) : "-";
}

std::string ratio_cell(const std::optional<Spread>& ratio) {
  if (!ratio) return "-";
  return decimal(ratio->median, 3) + " [" + decimal(ratio->low, 3) + ".." +
         decimal(ratio->high, 3) + "]";
}

Cells cells_of(const Row& row) {
  return {row.workload,
          row.system,
          std::to_string(row.size),
          std::to_string(row.cpus),
          decimal(row.msgs_per_s, 0),
          row.cpu_ns_per_msg ? decimal(*row.cpu_ns_per_msg, 0) : "-",
          microseconds(row.p50_ns),
          microseconds(row.p99_ns),
          std::to_string(row.loss),
          ratio_cell(row.ratio)};
}

double rounded(double value, double parts) { return std::round(value * parts) / parts; }

template <typename T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

nlohmann::ordered_json object_of(const Row& row) {
  std::optional<double> cpu, ratio, low, high;
  if (row.cpu_ns_per_msg) cpu = rounded(*row.cpu_ns_per_msg, kTenth);
  if (row.ratio) {
    ratio = rounded(row.ratio->median, kTenThousandth);
    low = rounded(row.ratio->low, kTenThousandth);
    high = rounded(row.ratio->high, kTenThousandth);
  }
  return {{"workload", row.workload},
          {"system", row.system},
          {"size", row.size},
          {"receivers", row.receivers},
          {"cpus", row.cpus},
          {"pinned", row.pinned},
          {"msgs_per_s", rounded(row.msgs_per_s, kTenth)},
          {"deliveries_per_s", rounded(row.msgs_per_s * row.receivers, kTenth)},
          {"cpu_ns_per_msg", or_null(cpu)},
          {"loss", row.loss},
          {"ratio", or_null(ratio)},
          {"ratio_low", or_null(low)},
          {"ratio_high", or_null(high)},
          {"p50_ns", or_null(row.p50_ns)},
          {"p99_ns", or_null(row.p99_ns)},
          {"disturbed", row.disturbed}};
}

}  // namespace

std::string table_of(const std::vector<Row>& rows) {
  std::vector<Cells> lines{kTitles};
  for (const Row& row : rows) lines.push_back(cells_of(row));
  std::array<std::size_t, kColumns> widths{};
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < kColumns; i++) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < kColumns; i++) {
      const std::string blanks(widths[i] - line[i].size(), ' ');
      if (i > 0) text.append(kGap, ' ');
      text += i < kTextColumns ? line[i] + blanks : blanks + line[i];
    }
    text += '\n';
  }
  return text;
}

std::string json_of(const std::vector<Row>& rows) {
  auto list = nlohmann::ordered_json::array();
  for (const Row& row : rows) list.push_back(object_of(row));
  return list.dump(2) + '\n';
}

}  // namespace ipn_bench
