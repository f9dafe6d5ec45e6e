// SPDX-License-Identifier: MIT
#include "ipnctl/units.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <span>

namespace ipnctl {
namespace {

constexpr std::array<const char*, 7> kThousands{"", "k", "M", "G", "T", "P", "E"};
constexpr std::array<const char*, 7> kBinary{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

std::string formatted(double value, int digits, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
  return text;
}

/// Three digits and the unit that makes them enough.
std::string shortened(double value, double step, std::span<const char* const> units) {
  std::size_t power = 0;
  // 999.95 would be written as 1000.0.
  while (value >= step - 0.05 && power + 1 < units.size()) {
    value /= step;
    ++power;
  }
  return formatted(value, power == 0 && value == std::floor(value) ? 0 : 1, units[power]);
}

std::string two_units(std::uint64_t big, const char* big_unit, std::uint64_t small,
                      const char* small_unit) {
  std::string text = std::to_string(big) + big_unit;
  if (small > 0) text += " " + std::to_string(small) + small_unit;
  return text;
}

}  // namespace

std::string Units::count(std::uint64_t n) const {
  return human ? shortened(static_cast<double>(n), 1000, kThousands) : std::to_string(n);
}

std::string Units::bytes(std::uint64_t n) const {
  return human ? shortened(static_cast<double>(n), 1024, kBinary) : std::to_string(n);
}

std::string Units::rate(double per_second) const {
  return human ? shortened(per_second, 1000, kThousands) : formatted(per_second, 0, "");
}

std::string Units::byte_rate(double per_second) const {
  return human ? shortened(per_second, 1024, kBinary) : formatted(per_second, 0, "");
}

std::string duration(std::uint64_t nanoseconds) {
  const std::uint64_t seconds = nanoseconds / 1'000'000'000;
  if (seconds < 10) return formatted(static_cast<double>(nanoseconds) / 1e9, 2, " s");
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return two_units(seconds / 60, " min", seconds % 60, " s");
  if (seconds < 86400) return two_units(seconds / 3600, " h", seconds / 60 % 60, " min");
  return two_units(seconds / 86400, " d", seconds / 3600 % 24, " h");
}

std::string counted(std::uint64_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

}  // namespace ipnctl
