// SPDX-License-Identifier: MIT
// Memory that programs map: what they may do to it, tried.
#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "switchcore/io/shared_memory.h"

namespace ipn::io {
namespace {

constexpr std::size_t kBytes = 8192;

SharedMemory make(SharedMemory::Writer writer) {
  auto memory = SharedMemory::allocate("ipn-test", kBytes, writer);
  EXPECT_TRUE(memory) << (memory ? "" : memory.error().text);
  return std::move(*memory);
}

/// The errno of mapping it so; 0 if it is mapped.
int map(int fd, int protection, int flags = MAP_SHARED) {
  void* address = ::mmap(nullptr, kBytes, protection, flags, fd, 0);
  if (address == MAP_FAILED) return errno;
  ::munmap(address, kBytes);
  return 0;
}

int error_of(long result) { return result < 0 ? errno : 0; }

class Seals : public testing::TestWithParam<SharedMemory::Writer> {
 protected:
  SharedMemory memory_ = make(GetParam());
  const int fd_ = memory_.descriptor();
};
INSTANTIATE_TEST_SUITE_P(Writers, Seals,
                         testing::Values(SharedMemory::Writer::kWe,
                                         SharedMemory::Writer::kTheProgram),
                         [](const auto& instance) {
                           return instance.param == SharedMemory::Writer::kWe ? "We" : "TheProgram";
                         });

TEST_P(Seals, NobodyChangesTheSize) {
  EXPECT_EQ(error_of(::ftruncate(fd_, 0)), EPERM);
  EXPECT_EQ(error_of(::ftruncate(fd_, kBytes - 1)), EPERM);
  EXPECT_EQ(error_of(::ftruncate(fd_, kBytes + 1)), EPERM);
  EXPECT_EQ(error_of(::fallocate(fd_, 0, 0, 2 * kBytes)), EPERM);
  EXPECT_NE(error_of(::fallocate(fd_, FALLOC_FL_COLLAPSE_RANGE, 0, 4096)), 0);
}

TEST_P(Seals, NobodyAddsOrTakesAwayASeal) {
  EXPECT_EQ(error_of(::fcntl(fd_, F_ADD_SEALS, F_SEAL_WRITE)), EPERM);
}

TEST(OurMemory, NobodyElseWritesByAnyWay) {
  const SharedMemory memory = make(SharedMemory::Writer::kWe);
  const int fd = memory.descriptor();
  memory.bytes()[0] = std::byte{'x'};
  const char byte = 'y';
  EXPECT_EQ(error_of(::write(fd, &byte, 1)), EPERM);
  EXPECT_EQ(error_of(::pwrite(fd, &byte, 1, 0)), EPERM);
  EXPECT_EQ(map(fd, PROT_READ | PROT_WRITE), EPERM);
  EXPECT_EQ(map(fd, PROT_READ), 0);
  EXPECT_EQ(error_of(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)), EPERM);
  EXPECT_NE(error_of(::fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096)), 0);

  void* read_only = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(read_only, MAP_FAILED);
  EXPECT_EQ(error_of(::mprotect(read_only, kBytes, PROT_READ | PROT_WRITE)), EACCES);
  EXPECT_NE(error_of(::madvise(read_only, kBytes, MADV_REMOVE)), 0) << "punches a hole";
  ::munmap(read_only, kBytes);

  const std::string again = "/proc/self/fd/" + std::to_string(fd);
  for (const int flags : {O_RDWR, O_WRONLY, O_RDWR | O_TRUNC}) {
    const int other = ::open(again.c_str(), flags | O_CLOEXEC);
    if (other < 0) continue;
    EXPECT_EQ(error_of(::write(other, &byte, 1)), EPERM);
    EXPECT_NE(map(other, PROT_READ | PROT_WRITE), 0);
    EXPECT_NE(error_of(::ftruncate(other, 0)), 0);
    ::close(other);
  }
  EXPECT_EQ(memory.bytes()[0], std::byte{'x'});
}

TEST(TheProgramsMemory, IsWrittenByTheProgramAndSeenByUs) {
  const SharedMemory memory = make(SharedMemory::Writer::kTheProgram);
  const int fd = memory.descriptor();
  const char byte = 'y';
  EXPECT_EQ(::pwrite(fd, &byte, 1, 0), 1);
  EXPECT_EQ(memory.bytes()[0], std::byte{'y'});
  EXPECT_EQ(map(fd, PROT_READ | PROT_WRITE), 0);
  // A hole reads as zeros, and no access of ours faults.
  EXPECT_EQ(error_of(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBytes)), 0);
  EXPECT_EQ(memory.bytes()[0], std::byte{0});
}

}  // namespace
}  // namespace ipn::io
