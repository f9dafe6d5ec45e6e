// SPDX-License-Identifier: MIT
#include "switchcore/io/memory.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <utility>

namespace ipn::io {

namespace {

Error memory_error(std::size_t size, int code) {
  std::string text = "memory of " + std::to_string(size) + " bytes: " + std::strerror(code);
  if (code == ENOMEM) {
    text += " (make the pool or the mtu smaller, or allow the daemon more address space)";
  }
  return Error{code, std::move(text)};
}

}  // namespace

Result<AnonymousMemory> AnonymousMemory::allocate(std::size_t size) {
  void* const address =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    return memory_error(size, errno);
  }
  AnonymousMemory memory(std::span(static_cast<std::byte*>(address), size));
  if (madvise(address, size, MADV_DONTFORK) != 0) {
    return memory_error(size, errno);
  }
  return memory;
}

AnonymousMemory::AnonymousMemory(AnonymousMemory&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

AnonymousMemory& AnonymousMemory::operator=(AnonymousMemory&& other) noexcept {
  if (this != &other) {
    unmap();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

AnonymousMemory::~AnonymousMemory() { unmap(); }

void AnonymousMemory::unmap() {
  if (!bytes_.empty()) {
    const int status = munmap(bytes_.data(), bytes_.size());
    IPN_ASSERT(status == 0);
  }
}

}  // namespace ipn::io
