// SPDX-License-Identifier: MIT
#include <atomic>
#include <csignal>
#include <pthread.h>

#include "tests/unit/io/loop_fixture.h"

namespace ipn::io {
namespace {

using LoopTime = LoopTest;
IPN_ALL_ENGINES(LoopTime);

TEST_P(LoopTime, DoesNotWaitForATimeInThePast) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  round(kAtOnce);
  round(now());
  round(-kSecond);
  EXPECT_EQ(rounds_.ended, 3U);
  EXPECT_TRUE(messages.texts.empty());
}

TEST_P(LoopTime, HandlesWhatIsReadyEvenIfTheTimeIsPast) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("ready"));
  settle();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"ready"});
}

TEST_P(LoopTime, WaitsUntilATimeInTheFuture) {
  for (int i = 0; i < 5; ++i) {
    const TimeNs wake_at = now() + 5 * kMillisecond;
    wait_until(wake_at);
    EXPECT_GE(rounds_.begun.back().monotonic, wake_at);
    EXPECT_GE(now(), wake_at);
  }
}

TEST_P(LoopTime, WaitsUntilATimeInTheFutureAlsoWithSourcesThatAreNew) {
  const Wire wire = make_wire();
  Messages messages;
  Readiness readiness;
  add_messages(wire.ours.get(), messages);
  add_poll(wire.theirs.get(), POLLIN, readiness);
  const TimeNs wake_at = now() + 20 * kMillisecond;
  wait_until(wake_at);
  EXPECT_GE(rounds_.begun.back().monotonic, wake_at);
}

TEST_P(LoopTime, WakesForAMessageLongBeforeItsTime) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  std::thread sender([&] { EXPECT_TRUE(wire.send("wake")); });
  const TimeNs wake_at = now() + 3600 * kSecond;
  while (messages.texts.empty()) {
    round(wake_at);
  }
  sender.join();
  EXPECT_LT(now(), wake_at);
}

TEST_P(LoopTime, GivesBothClocksOncePerRound) {
  timespec before{};
  ASSERT_EQ(clock_gettime(CLOCK_REALTIME, &before), 0);
  round(kAtOnce);
  round(kAtOnce);
  ASSERT_EQ(rounds_.begun.size(), 2U);
  EXPECT_GE(rounds_.begun[0].realtime, before.tv_sec * kSecond + before.tv_nsec);
  EXPECT_LE(rounds_.begun[0].monotonic, rounds_.begun[1].monotonic);
  EXPECT_LE(rounds_.begun[1].monotonic, now());
}

TEST_P(LoopTime, WaitsWithoutATimeUntilSomethingComes) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  const pid_t sleeper = gettid();
  std::thread sender([&wire, sleeper] {
    EXPECT_TRUE(wait_until_asleep(sleeper));
    EXPECT_TRUE(wire.send("wake"));
  });
  // More than one round, because the end of an earlier test's ring ends a wait.
  while (messages.texts.empty()) {
    round(std::nullopt);
  }
  sender.join();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"wake"});
}

std::atomic<bool> has_signal_come = false;

TEST_P(LoopTime, EndsTheWaitWhenASignalComes) {
  struct sigaction action = {};
  action.sa_handler = [](int) { has_signal_come = true; };
  struct sigaction old = {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
  const Wire wire = make_wire();
  Messages messages;
  for (const bool with_new_source : {false, true}) {
    if (with_new_source) {
      add_messages(wire.ours.get(), messages);
    }
    has_signal_come = false;
    std::atomic<bool> done = false;
    std::thread interrupter([&done, sleeper = pthread_self(), id = gettid()] {
      EXPECT_TRUE(wait_until_asleep(id));
      EXPECT_EQ(pthread_kill(sleeper, SIGUSR1), 0);
      const TimeNs deadline = now() + kPatience;
      while (!done && now() < deadline) {
        std::this_thread::yield();
      }
      EXPECT_TRUE(done) << "one signal did not end the wait";
      while (!done) {
        pthread_kill(sleeper, SIGUSR1);
        std::this_thread::yield();
      }
    });
    while (!has_signal_come) {
      round(std::nullopt);
    }
    done = true;
    interrupter.join();
  }
  ASSERT_EQ(sigaction(SIGUSR1, &old, nullptr), 0);
}

}  // namespace
}  // namespace ipn::io
