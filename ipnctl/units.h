// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace ipnctl {

/// How numbers are written: exactly, or short with a unit (--human).
struct Units {
  bool human = false;

  std::string count(std::uint64_t n) const;   ///< "12345" or "12.3k"
  std::string bytes(std::uint64_t n) const;   ///< "12345" or "12.1KiB"
  std::string rate(double per_second) const;  ///< "12345" or "12.3k"
  std::string byte_rate(double per_second) const;
};

/// A time span: "0.25 s", "12 s", "3 min 5 s", "2 h 10 min", "4 d 2 h".
std::string duration(std::uint64_t nanoseconds);

/// "1 node", "2 nodes".
std::string counted(std::uint64_t n, const std::string& noun);

}  // namespace ipnctl
