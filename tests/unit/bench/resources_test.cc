// SPDX-License-Identifier: MIT
#include "bench/resources.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace ipn_bench {
namespace {

TEST(Field, IsTheNumberBehindItsNameAtTheStartOfALine) {
  constexpr const char* kText = "Name:\tx\nPss:   12 kB\nPss_Shmem: 3 kB\nnonvoluntary: 9\n";
  EXPECT_EQ(parse_field(kText, "Pss"), 12u);
  EXPECT_EQ(parse_field(kText, "Pss_Shmem"), 3u);
  EXPECT_EQ(parse_field(kText, "voluntary"), std::nullopt);
  EXPECT_EQ(parse_field(kText, "Name"), std::nullopt);
  EXPECT_EQ(parse_field("", "Pss"), std::nullopt);
}

TEST(Memory, CountsThePagesOfAMemoryFileOnceThoughTwoHaveIt) {
  constexpr std::size_t kBytes = 32 << 20;
  ASSERT_TRUE(memory_of({getpid()}));  // takes memory itself when it is first called
  const auto before = memory_of({getpid()});
  ASSERT_TRUE(before);
  const int file = memfd_create("ipn-bench-test", MFD_CLOEXEC);
  ASSERT_EQ(fallocate(file, 0, 0, kBytes), 0);
  // The kernel fills them in: for what a program touches, a sanitizer needs memory itself.
  constexpr int kFlags = MAP_SHARED | MAP_POPULATE;
  void* first = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, kFlags, file, 0);
  void* second = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, kFlags, file, 0);
  ASSERT_NE(first, MAP_FAILED);
  ASSERT_NE(second, MAP_FAILED);
  const auto after = memory_of({getpid()});
  ASSERT_TRUE(after);
  EXPECT_NEAR(static_cast<double>(*after - *before), kBytes, kBytes / 4);
  munmap(first, kBytes);
  munmap(second, kBytes);
  close(file);
}

TEST(Memory, OfAProcessThatIsGoneIsNotKnown) { EXPECT_FALSE(memory_of({-1})); }

TEST(Switches, CountHowOftenThreadsSlept) {
  const auto before = switches_of({getpid()});
  for (int i = 0; i < 20; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto after = switches_of({getpid()});
  ASSERT_TRUE(before && after);
  EXPECT_GE(*after - *before, 20u);
  EXPECT_FALSE(switches_of({-1}));
}

}  // namespace
}  // namespace ipn_bench
