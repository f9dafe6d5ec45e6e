// SPDX-License-Identifier: MIT
#include "bench/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

namespace ipn_bench {
namespace {

constexpr double kWidth = 960;
constexpr double kPlotLeft = 90, kPlotRight = 640;
constexpr double kPlotHeight = 340;
constexpr double kTop = 50, kBottom = 70;
constexpr double kLegendLeft = kPlotRight + 30;
constexpr double kLegendStep = 20;
constexpr double kBarLeft = 450, kBarRight = 920;
constexpr double kBarStep = 24, kBarThickness = 14;

constexpr std::array kColours{"#1f5fa8", "#d1495b", "#2e8b57", "#c77700", "#6a4c93",
                              "#008b8b", "#8c564b", "#555555", "#b5179e", "#708238"};
constexpr std::array kDashes{"none", "7 4", "2 3"};

const char* colour(std::size_t i) { return kColours[i % kColours.size()]; }
const char* dash(std::size_t i) { return kDashes[i / kColours.size() % kDashes.size()]; }

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const char* more = "") {
  return formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>", x, y, anchor, more) +
         xml_text(text) + "</text>\n";
}

std::string line_between(double x1, double y1, double x2, double y2, const char* colour_name) {
  return formatted(
      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"1\"/>\n",
      x1, y1, x2, y2, colour_name);
}

/// Maps values to places, logarithmically.
class Axis {
 public:
  Axis(double low, double high, double from, double to)
      : low_(std::log10(low)), span_(std::log10(high) - low_), from_(from), length_(to - from) {}
  double place(double value) const { return from_ + (std::log10(value) - low_) / span_ * length_; }

 private:
  double low_, span_, from_, length_;
};

double power_below(double value) { return std::pow(10, std::floor(std::log10(value))); }
double power_above(double value) { return std::pow(10, std::ceil(std::log10(value))); }

/// 1, 10, 100, ... from `low` to `high`, which are such powers.
std::vector<double> powers(double low, double high) {
  std::vector<double> values;
  const auto first = static_cast<int>(std::lround(std::log10(low)));
  const auto last = static_cast<int>(std::lround(std::log10(high)));
  for (int power = first; power <= last; power++) values.push_back(std::pow(10, power));
  return values;
}

/// Whole decades around values, at least one.
std::pair<double, double> decades(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double from = power_below(*low);
  return {from, std::max(power_above(*high), from * 10)};
}

bool is_empty(const LineChart& chart) {
  return std::none_of(chart.lines.begin(), chart.lines.end(),
                      [](const LineChart::Line& line) { return !line.points.empty(); });
}

std::string y_axis(const Axis& y, double low, double high) {
  std::string text;
  constexpr std::array kSteps{2.0, 5.0};
  for (const double value : powers(low, high)) {
    text += line_between(kPlotLeft, y.place(value), kPlotRight, y.place(value), "#cccccc");
    text += text_at(kPlotLeft - 8, y.place(value) + 4, "end", short_number(value));
    for (const double step : kSteps) {
      if (value * step > high) continue;
      const double at = y.place(value * step);
      text += line_between(kPlotLeft, at, kPlotRight, at, "#eeeeee");
    }
  }
  return text;
}

std::string one_line(const LineChart::Line& line, std::size_t i, const Axis& x, const Axis& y) {
  std::string points, dots;
  for (const auto& [at, value] : line.points) {
    points += formatted("%.1f,%.1f ", x.place(at), y.place(value));
    dots += formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x.place(at),
                      y.place(value), colour(i));
  }
  return "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string(colour(i)) +
         "\" stroke-dasharray=\"" + dash(i) + "\" points=\"" + points + "\"/>\n" + dots;
}

std::string legend(const LineChart& chart, double top) {
  std::string text;
  for (std::size_t i = 0; i < chart.lines.size(); i++) {
    const double y = top + static_cast<double>(i) * kLegendStep;
    text += formatted(
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"3\" "
        "stroke-dasharray=\"%s\"/>\n",
        kLegendLeft, y, kLegendLeft + 26, y, colour(i), dash(i));
    text += text_at(kLegendLeft + 34, y + 4, "start", chart.lines[i].name);
  }
  return text;
}

/// Appends the chart below `top`; where the next one may begin.
double add(std::string& svg, const LineChart& chart, double top) {
  std::vector<double> values;
  std::set<double> places;
  for (const LineChart::Line& line : chart.lines) {
    for (const auto& [at, value] : line.points) {
      places.insert(at);
      values.push_back(value);
    }
  }
  const auto [low, high] = decades(values);
  const double bottom = top + kTop + kPlotHeight;
  const Axis y(low, high, bottom, top + kTop);
  constexpr double kMargin = 1.3;
  const Axis x(*places.begin() / kMargin, *places.rbegin() * kMargin, kPlotLeft, kPlotRight);
  svg +=
      text_at(kPlotLeft, top + 26, "start", chart.title, "font-size=\"17\" font-weight=\"bold\"");
  svg += y_axis(y, low, high);
  for (const double at : places) {
    svg += line_between(x.place(at), bottom, x.place(at), bottom + 6, "#333333");
    svg += text_at(x.place(at), bottom + 22, "middle", formatted("%.0f", at));
  }
  svg += line_between(kPlotLeft, bottom, kPlotRight, bottom, "#333333");
  svg += text_at((kPlotLeft + kPlotRight) / 2, bottom + 46, "middle", chart.x_title);
  svg += text_at(kPlotLeft, top + kTop - 8, "start", chart.y_title, "fill=\"#555555\"");
  for (std::size_t i = 0; i < chart.lines.size(); i++) svg += one_line(chart.lines[i], i, x, y);
  svg += legend(chart, top + kTop + 6);
  const double legend_bottom = top + kTop + static_cast<double>(chart.lines.size()) * kLegendStep;
  return std::max(bottom + kBottom, legend_bottom + kLegendStep);
}

double add(std::string& svg, const BarChart& chart, double top) {
  std::vector<double> values;
  for (const BarChart::Bar& bar : chart.bars) {
    values.push_back(bar.length);
    if (bar.mark > 0) values.push_back(bar.mark);
  }
  const auto [low, high] = decades(values);
  const Axis x(low, high, kBarLeft, kBarRight);
  const double begin = top + kTop;
  const double end = begin + static_cast<double>(chart.bars.size()) * kBarStep;
  svg +=
      text_at(kPlotLeft, top + 26, "start", chart.title, "font-size=\"17\" font-weight=\"bold\"");
  for (const double value : powers(low, high)) {
    svg += line_between(x.place(value), begin, x.place(value), end, "#cccccc");
    svg += text_at(x.place(value), end + 18, "middle", short_number(value));
  }
  for (std::size_t i = 0; i < chart.bars.size(); i++) {
    const BarChart::Bar& bar = chart.bars[i];
    const double y = begin + static_cast<double>(i) * kBarStep + (kBarStep - kBarThickness) / 2;
    svg += text_at(kBarLeft - 10, y + 12, "end", bar.name, "font-size=\"12\"");
    svg += formatted("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
                     kBarLeft, y, std::max(x.place(bar.length) - kBarLeft, 1.0), kBarThickness,
                     colour(0));
    if (bar.mark <= 0) continue;
    svg += formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"%s\"/>\n", x.place(bar.mark),
                     y + kBarThickness / 2, colour(1));
  }
  svg += formatted("<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"10\" fill=\"%s\"/>\n",
                   kBarLeft, end + 32, colour(0));
  svg += text_at(kBarLeft + 20, end + 42, "start", chart.length_title);
  svg += formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"%s\"/>\n", kBarLeft + 250,
                   end + 37, colour(1));
  svg += text_at(kBarLeft + 262, end + 42, "start", chart.mark_title);
  return end + kBottom;
}

}  // namespace

std::string xml_text(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string short_number(double value) {
  constexpr std::array kUnits{"", " k", " M", " G", " T"};
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); unit++) value /= 1000;
  return formatted("%.4g", value) + kUnits[unit];
}

std::string svg_of(const std::vector<LineChart>& lines, const std::vector<BarChart>& bars) {
  std::string body;
  double height = 10;
  for (const LineChart& chart : lines) {
    if (!is_empty(chart)) height = add(body, chart, height);
  }
  for (const BarChart& chart : bars) {
    if (!chart.bars.empty()) height = add(body, chart, height);
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<svg xmlns=\"http://www.w3.org/2000/svg\"" +
         formatted(" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\"", kWidth, height,
                   kWidth, height) +
         " font-family=\"sans-serif\" font-size=\"13\">\n" +
         "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" + body + "</svg>\n";
}

}  // namespace ipn_bench
