// SPDX-License-Identifier: MIT
#include "ipnctl/table.h"

#include <algorithm>
#include <utility>

namespace ipnctl {
namespace {

constexpr std::string_view kGap = "  ";

void trim_line(std::string& line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(column.title.size());
}

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], cells[i].size());
  rows_.push_back(std::move(cells));
}

void Table::append_line(std::string& out, const std::vector<std::string>& cells) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths_[i] - cells[i].size(), ' ');
    if (i > 0) line += kGap;
    line += columns_[i].align == Align::kRight ? padding + cells[i] : cells[i] + padding;
  }
  trim_line(line);
  out += line + '\n';
}

std::string Table::text() const {
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  std::string out;
  append_line(out, titles);
  for (const auto& row : rows_) append_line(out, row);
  return out;
}

void Sheet::add(std::string name, std::string value) {
  lines_.emplace_back(std::move(name), std::move(value));
}

std::string Sheet::text() const {
  std::size_t width = 0;
  for (const auto& [name, value] : lines_) width = std::max(width, name.size());
  std::string out;
  for (const auto& [name, value] : lines_) {
    std::string line = name + ":";
    line.append(width - name.size() + kGap.size(), ' ').append(value);
    trim_line(line);
    out += line + '\n';
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace ipnctl
