// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "switchcore/base/result.h"
#include "switchcore/core/storage.h"
#include "switchcore/io/unique_fd.h"

namespace ipn::io {

/// Zero-filled memory in a file without a name, that programs can map. A page is
/// committed when it is first touched. Nobody can change the size of the file, so
/// that no access of ours can fault. Forked children do not get the mapping.
class SharedMemory {
 public:
  enum class Writer : std::uint8_t {
    kWe,         ///< whoever else maps it only reads, by no way can he write
    kTheProgram  ///< we only read
  };

  /// `size` is in bytes and not 0; `name` is what /proc shows. EMFILE, ENFILE,
  /// ENOMEM.
  static Result<SharedMemory> allocate(const char* name, std::size_t size, Writer writer);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  std::span<std::byte> bytes() const { return bytes_; }
  int descriptor() const { return fd_.get(); }
  /// The mapping stays.
  void close_descriptor() { fd_.reset(); }

 private:
  SharedMemory(UniqueFd fd, std::span<std::byte> bytes) : fd_(std::move(fd)), bytes_(bytes) {}

  UniqueFd fd_;
  std::span<std::byte> bytes_;
};

/// Memory of logs that programs can map. Where there is no descriptor left for
/// one, it is private, and its receivers stay on the device.
StorageFactory shared_storage();

}  // namespace ipn::io
