// SPDX-License-Identifier: MIT
// What the loop does again and again allocates nothing: operator new is
// interposed and counts.
#include <cstdlib>
#include <new>

#include "tests/unit/io/loop_fixture.h"

namespace {
std::uint64_t allocations = 0;

void* allocate(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  std::abort();
}
}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace ipn::io {
namespace {

using LoopAllocations = LoopTest;
IPN_ALL_ENGINES(LoopAllocations);

struct Bell final : DoorbellHandler {
  std::size_t count = 0;
  void on_ring() override { ++count; }
  void on_closed(int) override { FAIL() << "nobody has closed"; }
};

struct Reader final : MessageHandler {
  std::size_t count = 0;
  void on_message(std::span<std::byte>) override { ++count; }
  void on_closed(int) override { FAIL() << "nobody has closed"; }
};

struct Frame final : RoundHandler {
  void on_round_begin(const Clock&) override {}
  void on_round_end() override {}
};

TEST(LoopAllocations, TheCounterCounts) {
  const std::uint64_t before = allocations;
  ::operator delete(::operator new(8));
  EXPECT_EQ(allocations - before, 1U);
}

TEST_P(LoopAllocations, ThereAreNonePerRingOrMessage) {
  const Wire rung = make_wire();
  const Wire read = make_wire();
  Bell bell;
  Reader reader;
  Frame frame;
  add_doorbell(rung.ours.get(), bell);
  add_messages(read.ours.get(), reader);
  const auto ring_and_read = [&](std::size_t total) {
    ASSERT_EQ(write(rung.theirs.get(), "!", 1), 1);
    ASSERT_EQ(write(read.theirs.get(), "x", 1), 1);
    const TimeNs deadline = now() + kPatience;
    while (bell.count < total || reader.count < total) {
      ASSERT_LT(now(), deadline);
      ASSERT_TRUE(loop_->run_round(frame, deadline).has_value());
    }
  };
  for (std::size_t i = 1; i <= 100; ++i) ring_and_read(i);
  const std::uint64_t before = allocations;
  for (std::size_t i = 101; i <= 10'100; ++i) ring_and_read(i);
  EXPECT_EQ(allocations - before, 0U);
}

}  // namespace
}  // namespace ipn::io
