// SPDX-License-Identifier: MIT
// Rounds that do not wait, as a daemon runs them that is busy with shared memory.
#include <cstdio>

#include "tests/unit/io/loop_fixture.h"
#include "tests/unit/io/system_call_filter.h"

namespace ipn::io {
namespace {

class LoopBusy : public LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    add_messages(read_.ours.get(), messages_);
    add_poll(polled_.ours.get(), POLLIN, readiness_);
    add_doorbell(rung_.ours.get(), rings_);
    // Sources that were busy before, not only fresh ones.
    readiness_.then = [&] { polled_.receive(); };
    send_to_all();
    run_until([&] { return messages_.texts.size() == 1 && rings_.count == 1; });
    run_until([&] { return readiness_.events.size() == 1; });
    settle();
  }
  void TearDown() override { loop_.reset(); }

  void send_to_all() const {
    EXPECT_TRUE(read_.send("x"));
    EXPECT_TRUE(polled_.send("x"));
    EXPECT_TRUE(rung_.send("x"));
  }

  Wire read_ = make_wire();
  Wire polled_ = make_wire();
  Wire rung_ = make_wire();
  Messages messages_;
  Readiness readiness_;
  Rings rings_;
};
IPN_ALL_ENGINES(LoopBusy);

constexpr int kRounds = 100'000;

struct CountingRounds final : RoundHandler {
  std::uint64_t begun = 0;
  std::uint64_t ended = 0;
  TimeNs latest = 0;
  bool backwards = false;

  void on_round_begin(const Clock& clock) override {
    ++begun;
    backwards |= clock.monotonic < latest;
    latest = clock.monotonic;
  }
  void on_round_end() override { ++ended; }
};

TEST_P(LoopBusy, AsksTheKernelSeldomOrNever) {
  CountingRounds rounds;
  const LoopStats before = loop_->stats();
  const TimeNs began = now();
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_TRUE(loop_->run_round(rounds, kAtOnce).has_value());
  }
  const TimeNs took = now() - began;
  const LoopStats after = loop_->stats();
  EXPECT_EQ(after.rounds - before.rounds, std::uint64_t{kRounds});
  const auto looks = static_cast<std::uint64_t>(took / 100'000) + 1;
  const std::uint64_t calls = after.system_calls - before.system_calls;
  EXPECT_LE(calls, GetParam() == Engine::kUring ? 0 : looks);
}

TEST_P(LoopBusy, StillHasAFreshClockAndBothBordersInEachRound) {
  CountingRounds rounds;
  for (int i = 0; i < 1000; ++i) {
    const TimeNs before = now();
    ASSERT_TRUE(loop_->run_round(rounds, kAtOnce).has_value());
    ASSERT_GE(rounds.latest, before);
  }
  EXPECT_FALSE(rounds.backwards);
  EXPECT_EQ(rounds.begun, 1000U);
  EXPECT_EQ(rounds.ended, 1000U);
}

TEST_P(LoopBusy, StillHearsOfEverySource) {
  for (std::size_t i = 2; i <= 50; ++i) {
    const std::jthread sender([this] { send_to_all(); });
    const TimeNs deadline = now() + kPatience;
    while (messages_.texts.size() < i || readiness_.events.size() < i || rings_.count < i) {
      ASSERT_LT(now(), deadline) << "a busy loop is deaf";
      round(kAtOnce);
    }
  }
  EXPECT_EQ(messages_.texts.size(), 50U);
  EXPECT_EQ(rings_.count, 50U);
}

TEST_P(LoopBusy, WatchesWhatIsAddedMeanwhile) {
  const Wire wire = make_wire();
  ASSERT_TRUE(wire.send("early"));
  Messages messages;
  const SourceId source = add_messages(wire.ours.get(), messages);
  const TimeNs deadline = now() + kPatience;
  while (messages.texts.empty()) {
    ASSERT_LT(now(), deadline);
    round(kAtOnce);
  }
  loop_->remove(source);
  EXPECT_EQ(messages.texts, std::vector<std::string>{"early"});
}

/// What a process comes to in which, from some time on, the kernel refuses
/// every call that a loop makes. It ends without ending its loop, which would
/// need such calls.
std::string run_busy_rounds_without_calls() {
  Result<std::unique_ptr<Loop>> made = make_loop(Backend::kUring);
  if (!made) {
    return made.error().text;
  }
  Loop* const loop = made->release();
  const Wire wire = make_wire();
  Messages messages;
  Rings rings;
  CountingRounds rounds;
  if (!loop->add_messages(wire.ours.get(), kBufferBytes, messages) ||
      !loop->add_doorbell(wire.theirs.get(), rings) ||
      !loop->run_round(rounds, now() + kMillisecond)) {
    return "no sources";
  }
  for (const long call : {__NR_read, __NR_recvfrom, __NR_io_uring_enter}) {
    if (!forbid_system_call(call, EPERM)) {
      return "no filter";
    }
  }
  for (int i = 0; i < kRounds; ++i) {
    if (const Result<void> ran = loop->run_round(rounds, kAtOnce); !ran) {
      return ran.error().text;
    }
  }
  const Result<void> waited = loop->run_round(rounds, now() + kMillisecond);
  return waited ? "the filter does not work" : "only the wait has failed";
}

/// The counter of the loop might forget a call; the kernel does not.
TEST(LoopBusyDeathTest, RunsOnIoUringWhereTheKernelRefusesEveryCallOfTheLoop) {
  EXPECT_EXIT(
      {
        std::fprintf(stderr, "%s\n", run_busy_rounds_without_calls().c_str());
        _exit(0);
      },
      testing::ExitedWithCode(0), "^only the wait has failed");
}

}  // namespace
}  // namespace ipn::io
