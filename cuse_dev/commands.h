// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cuse_dev/call.h"

namespace ipn::device {

class Device;
class OpenFile;

/// An ioctl as it comes: nothing of it is believed yet.
struct CommandRequest {
  const Caller& caller;
  std::uint32_t command = 0;  ///< the whole number: direction, size, type, nr
  std::span<const std::byte> in;
  std::size_t out_size = 0;
  bool nonblocking = false;
};

/// Finds the command by (type, nr), applies the size rules of ipn/ioctl.h and
/// answers the call, now or when what it waits for happens.
void run_command(Device& device, OpenFile& file, Call call, const CommandRequest& request);

}  // namespace ipn::device
