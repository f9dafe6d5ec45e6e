// SPDX-License-Identifier: MIT
#include "switchcore/io/shared_memory.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/io/memory.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010  // Linux 5.1, older in some headers of libc
#endif

namespace ipn::io {
namespace {

Error failure(std::size_t size, const char* step, int code) {
  std::string text =
      "shared memory of " + std::to_string(size) + " bytes: " + step + ": " + std::strerror(code);
  if (code == EMFILE || code == ENFILE) text += " (raise LimitNOFILE of ipnd)";
  if (code == ENOMEM) text += " (make the pool or the mtu smaller, or allow ipnd more memory)";
  return Error{code, std::move(text)};
}

class SharedStorage final : public LogStorage {
 public:
  explicit SharedStorage(SharedMemory memory) : memory_(std::move(memory)) {}
  std::span<std::byte> bytes() override { return memory_.bytes(); }
  int descriptor() const override { return memory_.descriptor(); }

 private:
  SharedMemory memory_;
};

class PrivateStorage final : public LogStorage {
 public:
  explicit PrivateStorage(AnonymousMemory memory) : memory_(std::move(memory)) {}
  std::span<std::byte> bytes() override { return memory_.bytes(); }

 private:
  AnonymousMemory memory_;
};

Result<std::unique_ptr<LogStorage>> make_storage(std::uint64_t bytes) {
  auto shared = SharedMemory::allocate("ipn-log", bytes, SharedMemory::Writer::kWe);
  if (shared) {
    return std::unique_ptr<LogStorage>(std::make_unique<SharedStorage>(std::move(*shared)));
  }
  if (shared.error().code != EMFILE && shared.error().code != ENFILE) return shared.error();
  auto memory = AnonymousMemory::allocate(bytes);
  if (!memory) return memory.error();
  return std::unique_ptr<LogStorage>(std::make_unique<PrivateStorage>(std::move(*memory)));
}

}  // namespace

Result<SharedMemory> SharedMemory::allocate(const char* name, std::size_t size, Writer writer) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return failure(size, "memfd_create", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return failure(size, "ftruncate", errno);
  }
  const bool ours = writer == Writer::kWe;
  void* address =
      ::mmap(nullptr, size, ours ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return failure(size, "mmap", errno);
  SharedMemory memory(std::move(fd), {static_cast<std::byte*>(address), size});
  if (::madvise(address, size, MADV_DONTFORK) != 0) return failure(size, "madvise", errno);
  // Our own mapping is older than the seal and stays writable.
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (ours ? F_SEAL_FUTURE_WRITE : 0);
  if (::fcntl(memory.descriptor(), F_ADD_SEALS, seals) != 0) return failure(size, "seals", errno);
  return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)), bytes_(std::exchange(other.bytes_, {})) {}

SharedMemory::~SharedMemory() {
  if (bytes_.empty()) return;
  const int status = ::munmap(bytes_.data(), bytes_.size());
  IPN_ASSERT(status == 0);
}

StorageFactory shared_storage() { return make_storage; }

}  // namespace ipn::io
