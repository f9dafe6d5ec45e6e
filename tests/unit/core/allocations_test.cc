// SPDX-License-Identifier: MIT
// The way of a message allocates nothing: operator new is interposed and counts.
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>

#include "tests/unit/core/core_fixture.h"

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

namespace ipn::test {
namespace {

class Allocations : public BothKinds {
 protected:
  static constexpr int kMessages = 1'000'000;
  void make(NetworkConfig config, std::uint32_t pool) {
    config.pool = pool;
    world.add(config);
    sender = &world.join("net", user(1));
    for (Member*& reader : readers) reader = &world.join("net", user(2));
  }
  void send(bool wait) {
    const Outgoing message{pieces_of(text), 0, 0};
    const SendOutcome outcome = world.core.send(**sender, message);
    if (outcome.kind == SendOutcome::Kind::kSent) {
      ++sent;
    } else if (wait && outcome.kind == SendOutcome::Kind::kWouldBlock && !waits) {
      waiting.message = message;
      ASSERT_EQ(world.core.park(waiting), 0);
      waits = true;
    }
  }
  void read(Member& reader) {
    while (world.core.peek(*reader).kind == RecvOutcome::Kind::kMessage) {
      world.core.consume(*reader);
      ++received;
    }
    world.core.want(*reader, kWantReadable);
    world.core.want(**sender, kWantWritable);
  }
  const std::string text = std::string(200, 'm');
  Member* sender = nullptr;
  Member* readers[2] = {};
  Parked::Send waiting;
  bool waits = false;
  std::uint64_t sent = 0, received = 0;
};
IPN_BOTH_KINDS(Allocations);

TEST_P(Allocations, TheCounterCounts) {
  const std::uint64_t before = allocations;
  ::operator delete(::operator new(8));
  EXPECT_EQ(allocations - before, 1u);
}

TEST_P(Allocations, AreNoneInAMillionLossyMessages) {
  make(lossy("net"), 64);
  const std::uint64_t before = allocations;
  for (int i = 0; i < kMessages; ++i) {
    send(false);
    if (i % 50 == 0) read(*readers[0]);
    if (i % 300 == 0) read(*readers[1]);  // it is too slow
    if (i % 10 == 0) world.core.dispatch();
  }
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_EQ(sent, static_cast<std::uint64_t>(kMessages));
  EXPECT_GT(received, 1'000'000u);
}

TEST_P(Allocations, AreNoneInAMillionLosslessMessagesThatWaitNowAndThen) {
  make(lossless("net"), 64);
  waiting.member = sender;
  sender->done.reserve(2 * static_cast<std::size_t>(kMessages) / 64);
  const std::uint64_t before = allocations;
  std::uint64_t parked = 0;
  for (std::uint64_t round = 0; sent < kMessages; ++round) {
    const bool wait = round % 4 == 0;
    for (int i = 0; i < 70; ++i) send(wait);
    if (waits) ++parked;
    for (Member* reader : readers) read(*reader);
    world.core.dispatch();
    for (Member* reader : readers) read(*reader);
    if (waits) {
      ASSERT_EQ(sender->done.size(), 1u);
      ++sent;
      sender->done.clear();
      waits = false;
    }
  }
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_GT(parked, 1000u);
  EXPECT_EQ(received, 2 * sent);
}

}  // namespace
}  // namespace ipn::test
