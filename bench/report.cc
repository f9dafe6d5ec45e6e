// SPDX-License-Identifier: MIT
#include "bench/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace ipn_bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kGap = 2;
constexpr double kNsPerUs = 1000;
constexpr double kTenth = 10;
constexpr double kTenThousandth = 10000;

std::string decimal(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string decimal(const std::optional<double>& value, int digits) {
  return value ? decimal(*value, digits) : "-";
}

std::string microseconds(const std::optional<std::uint64_t>& ns) {
  return ns ? decimal(static_cast<double>(*ns) / kNsPerUs, 1) : "-";
}

std::string ratio_cell(const Row& row) {
  if (!row.ratio) return "-";
  return decimal(row.ratio->median, 3) + " [" + decimal(row.ratio->low, 3) + ".." +
         decimal(row.ratio->high, 3) + "]";
}

/// A column of the table.
struct Column {
  const char* title;
  bool is_number;  ///< stands right
  bool is_always;  ///< also if no row has anything there
  std::string (*cell)(const Row& row);
};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

constexpr std::array kColumns{
    Column{"WORK", false, true, [](const Row& row) { return row.workload; }},
    Column{"SYSTEM", false, true, [](const Row& row) { return row.system; }},
    Column{"VARIANT", false, false, [](const Row& row) { return or_dash(variant_of(row)); }},
    Column{"SIZE", true, true, [](const Row& row) { return std::to_string(row.size); }},
    Column{"RECEIVERS", true, false,
           [](const Row& row) {
             return row.receivers == 1 ? std::string("-") : std::to_string(row.receivers);
           }},
    Column{"CPUS", true, true, [](const Row& row) { return std::to_string(row.cpus); }},
    Column{"MSGS/S", true, true, [](const Row& row) { return decimal(row.msgs_per_s, 0); }},
    Column{"DELIVERIES/S", true, false,
           [](const Row& row) {
             return row.receivers == 1 ? std::string("-") : decimal(row.deliveries_per_s, 0);
           }},
    Column{"CPU NS/MSG", true, true,
           [](const Row& row) { return decimal(row.cpu_ns_per_msg, row.cpu_ns_per_msg < 100); }},
    Column{"P50 US", true, true, [](const Row& row) { return microseconds(row.p50_ns); }},
    Column{"P99 US", true, true, [](const Row& row) { return microseconds(row.p99_ns); }},
    Column{"BYTES/NODE", true, false,
           [](const Row& row) { return decimal(row.bytes_per_node, 0); }},
    Column{"WAKE-UPS", true, false,
           [](const Row& row) {
             return row.wakeups ? std::to_string(*row.wakeups) : std::string("-");
           }},
    Column{"LOSS", true, true, [](const Row& row) { return std::to_string(row.loss); }},
    Column{"DISTURBED", true, false,
           [](const Row& row) {
             return row.disturbed == 0 ? std::string("-") : std::to_string(row.disturbed);
           }},
    Column{"RATIO [LOW..HIGH]", true, true, ratio_cell},
    Column{"AGAINST", false, false, [](const Row& row) { return or_dash(row.against); }}};

using Cells = std::vector<std::string>;

/// Title and cells of one column; empty: it would tell nothing.
Cells cells_of(const Column& column, const std::vector<Row>& rows) {
  Cells cells{column.title};
  bool tells = column.is_always;
  for (const Row& row : rows) {
    cells.push_back(column.cell(row));
    tells = tells || cells.back() != "-";
  }
  return tells ? cells : Cells();
}

void widen(Cells& cells, bool is_number) {
  std::size_t width = 0;
  for (const std::string& cell : cells) width = std::max(width, cell.size());
  for (std::string& cell : cells) {
    const std::string blanks(width - cell.size(), ' ');
    cell = is_number ? blanks + cell : cell + blanks;
  }
}

double rounded(double value, double parts) { return std::round(value * parts) / parts; }

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json rounded_or_null(const std::optional<double>& value, double parts) {
  return value ? Json(rounded(*value, parts)) : Json();
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json object_of(const Row& row) {
  std::optional<double> ratio, low, high;
  if (row.ratio) {
    ratio = row.ratio->median;
    low = row.ratio->low;
    high = row.ratio->high;
  }
  return {{"workload", row.workload},
          {"system", row.system},
          {"size", row.size},
          {"senders", row.senders},
          {"receivers", row.receivers},
          {"cpus", row.cpus},
          {"pinned", row.pinned},
          {"door", text_or_null(row.door)},
          {"mode", text_or_null(row.mode)},
          {"lossless", or_null(row.lossless)},
          {"spin", text_or_null(row.spin)},
          {"crowd", text_or_null(row.crowd)},
          {"process", text_or_null(row.process)},
          {"idle_nodes", or_null(row.idle_nodes)},
          {"msgs_per_s", rounded_or_null(row.msgs_per_s, kTenth)},
          {"deliveries_per_s", rounded_or_null(row.deliveries_per_s, kTenth)},
          {"cpu_ns_per_msg", rounded_or_null(row.cpu_ns_per_msg, kTenth)},
          {"loss", row.loss},
          {"ratio", rounded_or_null(ratio, kTenThousandth)},
          {"ratio_low", rounded_or_null(low, kTenThousandth)},
          {"ratio_high", rounded_or_null(high, kTenThousandth)},
          {"against", text_or_null(row.against)},
          {"p50_ns", or_null(row.p50_ns)},
          {"p99_ns", or_null(row.p99_ns)},
          {"bytes_per_node", rounded_or_null(row.bytes_per_node, kTenth)},
          {"wakeups", or_null(row.wakeups)},
          {"seconds", or_null(row.seconds)},
          {"disturbed", row.disturbed}};
}

}  // namespace

std::string variant_of(const Row& row) {
  std::string text;
  const auto add = [&text](const std::string& word) {
    if (!word.empty()) text += (text.empty() ? "" : " ") + word;
  };
  add(row.mode);
  if (row.lossless.has_value()) add(*row.lossless ? "" : "lossy");
  if (row.door == "device") add(row.door);
  if (!row.spin.empty()) add("spin " + row.spin);
  if (row.idle_nodes) {
    add(std::to_string(*row.idle_nodes) + " idle " + (row.crowd.empty() ? "nodes" : row.crowd));
  }
  add(row.process);
  return text;
}

std::string table_of(const std::vector<Row>& rows) {
  std::vector<std::string> lines(rows.size() + 1);
  for (const Column& column : kColumns) {
    Cells cells = cells_of(column, rows);
    if (cells.empty()) continue;
    widen(cells, column.is_number);
    for (std::size_t i = 0; i < lines.size(); i++) {
      if (!lines[i].empty()) lines[i].append(kGap, ' ');
      lines[i] += cells[i];
    }
  }
  std::string text;
  for (std::string& line : lines) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string json_of(const std::vector<Row>& rows) {
  auto list = Json::array();
  for (const Row& row : rows) list.push_back(object_of(row));
  return list.dump(2) + '\n';
}

}  // namespace ipn_bench
