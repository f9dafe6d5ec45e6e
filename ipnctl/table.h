// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ipnctl {

/// A table for a terminal: a header line, then a line a row; columns are as
/// wide as their widest cell and two blanks apart, numbers stand right and
/// text left. Lines have no blanks at their end.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  /// One cell a column.
  void add_row(std::vector<std::string> cells);
  std::string text() const;

 private:
  void append_line(std::string& out, const std::vector<std::string>& cells) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

/// "name:  value" lines, the values below each other: one object shown.
class Sheet {
 public:
  void add(std::string name, std::string value);
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

/// Text of strangers, as names of programs, made fit for a terminal: what is
/// not a visible ASCII character or a blank becomes '?'.
std::string printable(std::string_view text);

}  // namespace ipnctl
