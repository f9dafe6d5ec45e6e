// SPDX-License-Identifier: MIT
#include "switchcore/io/memory.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <sys/mman.h>
#include <sys/wait.h>
#include <type_traits>
#include <unistd.h>
#include <utility>

namespace ipn::io {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

static_assert(!std::is_copy_constructible_v<AnonymousMemory>);

AnonymousMemory allocate(std::size_t size) {
  Result<AnonymousMemory> memory = AnonymousMemory::allocate(size);
  EXPECT_TRUE(memory.has_value()) << memory.error().text;
  return std::move(memory.value());
}

/// 1 if the page is in memory, 0 if it is not, -errno if it is not mapped.
int page_state(const std::byte* address) {
  const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto offset = reinterpret_cast<std::uintptr_t>(address) % page_bytes;
  unsigned char resident = 0;
  if (mincore(const_cast<std::byte*>(address - offset), page_bytes, &resident) != 0) {
    return -errno;
  }
  return resident & 1;
}

TEST(AnonymousMemory, HasTheSizeAskedForAndIsZero) {
  AnonymousMemory memory = allocate(3 * kMiB + 17);
  EXPECT_EQ(memory.bytes().size(), 3 * kMiB + 17);
  EXPECT_TRUE(std::ranges::all_of(memory.bytes(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(AnonymousMemory, KeepsWhatIsWritten) {
  AnonymousMemory memory = allocate(kMiB);
  memory.bytes().front() = std::byte{1};
  memory.bytes().back() = std::byte{2};
  const AnonymousMemory& read_only = memory;
  EXPECT_EQ(read_only.bytes().front(), std::byte{1});
  EXPECT_EQ(read_only.bytes().back(), std::byte{2});
}

TEST(AnonymousMemory, CommitsAPageWhenItIsTouched) {
  AnonymousMemory memory = allocate(64 * kMiB);
  memory.bytes().front() = std::byte{1};
  EXPECT_EQ(page_state(memory.bytes().data()), 1);
  EXPECT_EQ(page_state(&memory.bytes().back()), 0);
}

TEST(AnonymousMemory, IsUnmappedWhenItsOwnerEnds) {
  const std::byte* address = nullptr;
  {
    AnonymousMemory memory = allocate(kMiB);
    address = memory.bytes().data();
    EXPECT_NE(page_state(address), -ENOMEM);
  }
  EXPECT_EQ(page_state(address), -ENOMEM);
}

TEST(AnonymousMemory, MovesWithoutMovingTheBytes) {
  AnonymousMemory first = allocate(kMiB);
  std::byte* const address = first.bytes().data();
  AnonymousMemory second(std::move(first));
  EXPECT_EQ(second.bytes().data(), address);
  // The contract says what is in it now.
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_TRUE(first.bytes().empty());
}

TEST(AnonymousMemory, LetsGoOfItsBytesWhenAssignedTo) {
  AnonymousMemory memory = allocate(kMiB);
  const std::byte* const old_address = memory.bytes().data();
  AnonymousMemory other = allocate(2 * kMiB);
  std::byte* const new_address = other.bytes().data();
  memory = std::move(other);
  EXPECT_EQ(memory.bytes().data(), new_address);
  EXPECT_EQ(memory.bytes().size(), 2 * kMiB);
  EXPECT_EQ(page_state(old_address), -ENOMEM);
}

TEST(AnonymousMemory, IsNotSeenByAForkedChild) {
  AnonymousMemory memory = allocate(kMiB);
  memory.bytes().front() = std::byte{1};
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    _exit(page_state(memory.bytes().data()) == -ENOMEM ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
}

TEST(AnonymousMemory, SaysWhatIsMissingWhenThereIsNotEnough) {
  const std::size_t too_much = std::numeric_limits<std::size_t>::max() / 4;
  const Result<AnonymousMemory> memory = AnonymousMemory::allocate(too_much);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().code, ENOMEM);
  EXPECT_NE(memory.error().text.find(std::to_string(too_much)), std::string::npos);
}

TEST(AnonymousMemory, RefusesSizeZero) {
  const Result<AnonymousMemory> memory = AnonymousMemory::allocate(0);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().code, EINVAL);
}

}  // namespace
}  // namespace ipn::io
