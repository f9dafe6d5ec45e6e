// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ipn_bench {

/// Lines over a horizontal and a vertical axis, both logarithmic.
struct LineChart {
  struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;  ///< x ascending; both positive
  };
  std::string title, x_title, y_title;
  std::vector<Line> lines;
};

/// A bar and a mark on one logarithmic axis for each name.
struct BarChart {
  struct Bar {
    std::string name;
    double length = 0;  ///< positive
    double mark = 0;    ///< positive; 0: none
  };
  std::string title, length_title, mark_title;
  std::vector<Bar> bars;
};

/// One SVG document with these charts below each other; those without anything
/// to show are left out.
std::string svg_of(const std::vector<LineChart>& lines, const std::vector<BarChart>& bars);

/// "&lt;" for "<", and so on.
std::string xml_text(const std::string& text);

/// "64", "1.5 k", "20 M"
std::string short_number(double value);

}  // namespace ipn_bench
