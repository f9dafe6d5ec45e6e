// SPDX-License-Identifier: MIT
#include <algorithm>
#include <deque>

#include "tests/unit/io/loop_fixture.h"

namespace ipn::io {
namespace {

using LoopPolls = LoopTest;
IPN_ALL_ENGINES(LoopPolls);

TEST_P(LoopPolls, ReportsReadinessInEveryRoundAsLongAsItLasts) {
  const Wire wire = make_wire();
  Readiness readiness;
  add_poll(wire.ours.get(), POLLIN, readiness);
  ASSERT_TRUE(wire.send("unread"));
  run_until([&] { return !readiness.events.empty(); });
  for (std::size_t count = 2; count <= 5; ++count) {
    round(now() + kPatience);
    EXPECT_EQ(readiness.events, std::vector<std::uint32_t>(count, POLLIN));
  }
  EXPECT_EQ(wire.receive(), "unread");
  const std::size_t before = readiness.events.size();
  settle();  // the first of these may still tell of the past
  EXPECT_LE(readiness.events.size(), before + 1);
}

TEST_P(LoopPolls, ReportsReadinessAgainAfterAPause) {
  const Wire wire = make_wire();
  Readiness readiness;
  std::vector<std::string> texts;
  readiness.then = [&] { texts.push_back(wire.receive()); };
  add_poll(wire.ours.get(), POLLIN, readiness);
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(std::to_string(i));
    ASSERT_TRUE(wire.send(sent.back()));
    run_until([&] { return texts.size() == sent.size(); });
  }
  EXPECT_EQ(texts, sent);
}

TEST_P(LoopPolls, ReportsOnlyTheEventsAskedFor) {
  const Wire wire = make_wire();
  Readiness readable;
  Readiness writable;
  add_poll(wire.ours.get(), POLLIN, readable);
  add_poll(wire.ours.get(), POLLOUT, writable);
  run_until([&] { return !writable.events.empty(); });
  settle();
  EXPECT_TRUE(readable.events.empty());
  EXPECT_TRUE(std::ranges::all_of(writable.events, [](auto events) { return events == POLLOUT; }));
}

TEST_P(LoopPolls, ReportsHangUpUnasked) {
  Wire wire = make_wire();
  Readiness readiness;
  const SourceId source = add_poll(wire.ours.get(), 0, readiness);
  settle();
  EXPECT_TRUE(readiness.events.empty());
  wire.theirs.reset();
  run_until([&] { return !readiness.events.empty(); });
  EXPECT_NE(readiness.events.front() & POLLHUP, 0U);
  loop_->remove(source);
}

TEST_P(LoopPolls, ReportsADescriptorThatWasClosedTooEarlyOnce) {
  Wire wire = make_wire();
  Readiness readiness;
  add_poll(wire.ours.get(), POLLIN, readiness);
  wire.ours.reset();
  run_until([&] { return !readiness.events.empty(); });
  settle();
  EXPECT_EQ(readiness.events, std::vector<std::uint32_t>{POLLNVAL});
}

TEST_P(LoopPolls, ReportARegularFileAsTheEngineSeesIt) {
  const Descriptor file(open("/proc/self/exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(file.get(), 0);
  Readiness readiness;
  add_poll(file.get(), POLLIN, readiness);
  run_until([&] { return !readiness.events.empty(); });
  settle();
  if (GetParam() == Engine::kEpoll) {
    EXPECT_EQ(readiness.events, std::vector<std::uint32_t>{POLLERR});
  } else {
    EXPECT_EQ(readiness.events, std::vector<std::uint32_t>(readiness.events.size(), POLLIN));
  }
}

TEST_P(LoopPolls, ReportsMorePollsThanTheRingHoldsRequestsOrCompletions) {
  constexpr std::size_t kPolls = 5000;
  if (!allow_descriptors(kPolls)) {
    GTEST_SKIP() << "epoll needs a descriptor per poll: raise ulimit -Hn to 6000";
  }
  const Wire wire = make_wire();
  std::deque<Readiness> polls(kPolls);
  std::vector<SourceId> sources;
  sources.reserve(kPolls);
  for (Readiness& poll : polls) {
    sources.push_back(add_poll(wire.ours.get(), POLLIN, poll));
  }
  for (std::size_t queued = 0; queued < kPolls; queued += 250) {
    round(kAtOnce);
  }
  ASSERT_TRUE(wire.send("for all"));
  run_until([&] {
    return std::ranges::all_of(polls, [](const Readiness& poll) { return !poll.events.empty(); });
  });
  for (const SourceId source : sources) {
    loop_->remove(source);
  }
  for (Readiness& poll : polls) {
    poll.events.clear();
  }
  for (std::size_t queued = 0; queued < kPolls; queued += 250) {
    round(kAtOnce);
  }
  EXPECT_TRUE(std::ranges::all_of(polls, [](const Readiness& p) { return p.events.empty(); }));
}

}  // namespace
}  // namespace ipn::io
