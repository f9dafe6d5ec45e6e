// SPDX-License-Identifier: MIT
#pragma once

#include "cuse_dev/call.h"

namespace ipn::device {

/// A device that does nothing: takes every write, answers every read with zeros
/// at once, up to 64 bytes. What a call on it costs is what the kernel, libfuse
/// and the loop cost; the rest of a call on the real device is ours.
class NullDevice final : public RequestHandler {
 public:
  void open(Call call, const Caller& caller, int flags) override;
  void read(Call call, FileHandle file, std::size_t size, std::uint64_t offset,
            bool nonblocking) override;
  void write(Call call, FileHandle file, std::span<const std::byte> data, std::uint64_t offset,
             bool nonblocking) override;
  void ioctl(Call call, FileHandle file, const Caller& caller, std::uint32_t command,
             std::span<const std::byte> in, std::size_t out_size, bool nonblocking) override;
  void poll(Call call, FileHandle file, unsigned events, void* poll_handle) override;
  void release(Call call, FileHandle file) override;
  void door_closed(Transport&) override {}
  void count_bad_request() override {}
  void finish_request() override {}
};

}  // namespace ipn::device
