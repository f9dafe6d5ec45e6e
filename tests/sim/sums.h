// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "switchcore/base/result.h"

namespace ipn::sim {

inline std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const std::byte byte : bytes) {
    sum = (sum ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  }
  return sum;
}

template <typename T>
int code_of(const Result<T>& result) {
  return result ? 0 : result.error().code;
}

}  // namespace ipn::sim
