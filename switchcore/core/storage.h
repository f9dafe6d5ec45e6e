// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "switchcore/base/result.h"

namespace ipn {

/// Memory for one epoch of a log. The core works on the bytes and knows nothing
/// of where they come from, so that a simulation can give it a vector.
class LogStorage {
 public:
  virtual ~LogStorage() = default;
  /// Zeroed when made; stays at its place.
  virtual std::span<std::byte> bytes() = 0;
  /// A descriptor by which a door lets programs map the bytes; the core has no use
  /// for it. -1: nobody else can map them.
  virtual int descriptor() const { return -1; }
};

/// Makes storage of exactly that many bytes; ENOMEM.
using StorageFactory = std::function<Result<std::unique_ptr<LogStorage>>(std::uint64_t bytes)>;

}  // namespace ipn
