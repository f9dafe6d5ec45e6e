// SPDX-License-Identifier: MIT
#include "cuse_dev/null_device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

namespace ipn::device {

void NullDevice::open(Call call, const Caller&, int) { call.opened({}); }

void NullDevice::read(Call call, FileHandle, std::size_t size, std::uint64_t, bool) {
  static constexpr std::array<std::byte, 64> kZeros{};
  call.data(std::span(kZeros).first(std::min(size, kZeros.size())));
}

void NullDevice::write(Call call, FileHandle, std::span<const std::byte> data, std::uint64_t,
                       bool) {
  call.written(data.size());
}

void NullDevice::ioctl(Call call, FileHandle, const Caller&, std::uint32_t,
                       std::span<const std::byte>, std::size_t, bool) {
  call.error(ENOTTY);
}

void NullDevice::poll(Call call, FileHandle, unsigned, void* poll_handle) {
  if (poll_handle != nullptr) call.transport().drop_poll(poll_handle);
  call.poll(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}

void NullDevice::release(Call call, FileHandle) { call.done(); }

}  // namespace ipn::device
