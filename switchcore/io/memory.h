// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include "switchcore/base/result.h"

namespace ipn::io {

/// Zero-filled private memory from the kernel. A page is committed when it is
/// first touched, so that a large log that stays empty costs address space
/// only. Forked children do not get it.
class AnonymousMemory {
 public:
  /// `size` is in bytes and not 0; the kernel rounds it up to whole pages,
  /// bytes() does not. ENOMEM where the kernel refuses.
  static Result<AnonymousMemory> allocate(std::size_t size);

  AnonymousMemory(AnonymousMemory&& other) noexcept;
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept;
  ~AnonymousMemory();

  /// Good until this object is destroyed or assigned to; a move leaves the
  /// bytes where they are. Empty in an object that was moved from.
  std::span<std::byte> bytes() { return bytes_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit AnonymousMemory(std::span<std::byte> bytes) : bytes_(bytes) {}
  void unmap();

  std::span<std::byte> bytes_;
};

}  // namespace ipn::io
