// SPDX-License-Identifier: MIT
#include "bench/ring.h"

#include <gtest/gtest.h>

#include "bench/peers.h"

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

StreamPlan plan_of(std::size_t size, unsigned senders, unsigned receivers) {
  StreamPlan plan;
  plan.size = size;
  plan.senders = senders;
  plan.receivers = receivers;
  return plan;
}

/// Two short runs of processes of three kinds.
void run_ring(const StreamPlan& plan) {
  const Pattern pattern(plan.size);
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder) << folder.error().text;
  const auto started = start_ring(plan, pattern, *folder);
  ASSERT_TRUE(started) << started.error().text;
  ASSERT_TRUE(started->system) << started->note;
  for (int i = 0; i < 2; i++) {
    const auto outcome = started->system->run(milliseconds(20));
    ASSERT_TRUE(outcome) << outcome.error().text;
    EXPECT_GT(outcome->messages, 0u);
    EXPECT_EQ(outcome->deliveries, outcome->messages * plan.receivers);
  }
  EXPECT_EQ(started->system->seen().lost, 0u);
  EXPECT_EQ(started->system->fault(), "");
}

TEST(Ring, GivesEveryReceiverEveryMessageInOrder) {
  for (const unsigned size : {8u, 64u, 1500u, 65536u}) {
    for (const unsigned receivers : {1u, 4u}) run_ring(plan_of(size, 1, receivers));
  }
}

TEST(Ring, TakesMessagesOfSeveralSenders) { run_ring(plan_of(64, 3, 2)); }

TEST(Ring, CopiesAtTheReceiverIfAsked) {
  StreamPlan plan = plan_of(1500, 1, 2);
  plan.mode = Mode::kCopy;
  run_ring(plan);
}

TEST(Ring, IsAMeshOfNodesThatDoBoth) {
  StreamPlan plan = plan_of(64, 3, 2);
  plan.is_mesh = true;
  run_ring(plan);
}

TEST(Ring, HasRoomForSoManyNodes) {
  const auto folder = ScratchFolder::make();
  const StreamPlan plan = plan_of(64, kRingSendersMax + 1, 1);
  const Pattern pattern(plan.size);
  const auto started = start_ring(plan, pattern, *folder);
  ASSERT_TRUE(started);
  EXPECT_FALSE(started->system);
  EXPECT_NE(started->note, "");
}

}  // namespace
}  // namespace ipn_bench
