// SPDX-License-Identifier: MIT
#include "ipnd/log_memory.h"

#include <utility>

#include "switchcore/io/memory.h"

namespace ipn {
namespace {

class AnonymousStorage final : public LogStorage {
 public:
  explicit AnonymousStorage(io::AnonymousMemory memory) : memory_(std::move(memory)) {}
  std::span<std::byte> bytes() override { return memory_.bytes(); }

 private:
  io::AnonymousMemory memory_;
};

}  // namespace

StorageFactory anonymous_storage() {
  return [](std::uint64_t bytes) -> Result<std::unique_ptr<LogStorage>> {
    auto memory = io::AnonymousMemory::allocate(bytes);
    if (!memory) return memory.error();
    return std::unique_ptr<LogStorage>(std::make_unique<AnonymousStorage>(std::move(*memory)));
  };
}

}  // namespace ipn
