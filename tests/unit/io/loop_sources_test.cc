// SPDX-License-Identifier: MIT
#include <algorithm>
#include <deque>
#include <filesystem>

#include "tests/unit/io/loop_fixture.h"

namespace ipn::io {
namespace {

using LoopSources = LoopTest;
IPN_ALL_ENGINES(LoopSources);

TEST_P(LoopSources, DoesNotCallASourceThatWasRemoved) {
  const Wire wire = make_wire();
  Messages messages;
  Readiness readiness;
  const SourceId read = add_messages(wire.ours.get(), messages);
  const SourceId polled = add_poll(wire.ours.get(), POLLIN, readiness);
  settle();
  loop_->remove(read);
  loop_->remove(polled);
  ASSERT_TRUE(wire.send("too late"));
  settle();
  EXPECT_TRUE(messages.texts.empty());
  EXPECT_TRUE(messages.ends.empty());
  EXPECT_TRUE(readiness.events.empty());
}

TEST_P(LoopSources, NeverReadsForASourceThatWasRemovedBeforeItsFirstRound) {
  const Wire wire = make_wire();
  Messages messages;
  ASSERT_TRUE(wire.send("stays"));
  loop_->remove(add_messages(wire.ours.get(), messages));
  settle();
  EXPECT_TRUE(messages.texts.empty());
  EXPECT_EQ(wire.receive(), "stays");
}

TEST_P(LoopSources, AllowsAHandlerToRemoveItsOwnSource) {
  const Wire wire = make_wire();
  Messages messages;
  const SourceId source = add_messages(wire.ours.get(), messages);
  messages.then = [&] { loop_->remove(source); };
  ASSERT_TRUE(wire.send("first"));
  ASSERT_TRUE(wire.send("second"));
  run_until([&] { return !messages.texts.empty(); });
  settle();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"first"});
  EXPECT_EQ(wire.receive(), "second");
}

TEST_P(LoopSources, AllowsAPollHandlerToRemoveItsOwnSource) {
  const Wire wire = make_wire();
  Readiness readiness;
  const SourceId source = add_poll(wire.ours.get(), POLLIN, readiness);
  readiness.then = [&] { loop_->remove(source); };
  ASSERT_TRUE(wire.send("unread"));
  run_until([&] { return !readiness.events.empty(); });
  settle();
  EXPECT_EQ(readiness.events.size(), 1U);
}

TEST_P(LoopSources, AllowsASourceToBeRemovedWhenItIsTold) {
  Wire wire = make_wire();
  Messages messages;
  const SourceId source = add_messages(wire.ours.get(), messages);
  messages.then = [&] { loop_->remove(source); };
  wire.theirs.reset();
  run_until([&] { return !messages.ends.empty(); });
  settle();
  EXPECT_EQ(messages.ends, std::vector<int>{0});
}

TEST_P(LoopSources, DoesNotCallASourceRemovedWhileItsCompletionIsPending) {
  const Wire one = make_wire();
  const Wire other = make_wire();
  Messages first;
  Messages second;
  const SourceId first_id = add_messages(one.ours.get(), first);
  const SourceId second_id = add_messages(other.ours.get(), second);
  // Whichever comes first silences the other, which is complete by then.
  first.then = [&] { loop_->remove(second_id); };
  second.then = [&] { loop_->remove(first_id); };
  settle();
  ASSERT_TRUE(one.send("x"));
  ASSERT_TRUE(other.send("x"));
  run_until([&] { return first.texts.size() + second.texts.size() > 0; });
  settle();
  EXPECT_EQ(first.texts.size() + second.texts.size(), 1U);
}

TEST_P(LoopSources, AllowsAHandlerToAddManySources) {
  constexpr std::size_t kSources = 200;
  const Wire wire = make_wire();
  std::deque<Messages> added(kSources);
  std::vector<Wire> wires;
  Messages messages;
  messages.then = [&] {
    for (Messages& handler : added) {
      wires.push_back(make_wire());
      add_messages(wires.back().ours.get(), handler);
      EXPECT_TRUE(wires.back().send("hello"));
    }
  };
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("go"));
  run_until([&] {
    return std::ranges::all_of(added, [](const Messages& m) { return m.texts.size() == 1; });
  });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"go"});
}

TEST_P(LoopSources, KeepsTwoSourcesOfOneDescriptorApart) {
  const Wire wire = make_wire();
  Readiness readiness;
  Messages messages;
  const SourceId polled = add_poll(wire.ours.get(), POLLOUT, readiness);
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("one"));
  run_until([&] { return !messages.texts.empty() && !readiness.events.empty(); });
  loop_->remove(polled);
  readiness.events.clear();
  ASSERT_TRUE(wire.send("two"));
  run_until([&] { return messages.texts.size() == 2; });
  EXPECT_TRUE(readiness.events.empty());
}

TEST_P(LoopSources, GivesADescriptorThatIsUsedAgainToItsNewSource) {
  Wire old_wire = make_wire();
  Messages old_messages;
  const SourceId old_source = add_messages(old_wire.ours.get(), old_messages);
  settle();
  const int number = old_wire.ours.get();
  loop_->remove(old_source);
  old_wire.ours.reset();
  const Wire wire = make_wire();
  ASSERT_TRUE(wire.ours.get() == number || wire.theirs.get() == number);
  const Descriptor& reused = wire.ours.get() == number ? wire.ours : wire.theirs;
  const Descriptor& peer = wire.ours.get() == number ? wire.theirs : wire.ours;
  Messages messages;
  add_messages(reused.get(), messages);
  ASSERT_EQ(write(peer.get(), "new", 3), 3);
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"new"});
  EXPECT_TRUE(old_messages.texts.empty() && old_messages.ends.empty());
}

TEST_P(LoopSources, LetsGoOfAFileThatWasClosedAfterRemoval) {
  Wire wire = make_wire();
  Messages messages;
  const SourceId source = add_messages(wire.ours.get(), messages);
  settle();
  loop_->remove(source);
  wire.ours.reset();
  char byte = 0;
  run_until([&] {
    round(kAtOnce);
    return read(wire.theirs.get(), &byte, 1) == 0;
  });
}

TEST_P(LoopSources, ReusesTheSlotsOfRemovedSources) {
  const Wire wire = make_wire();
  Messages messages;
  SourceId last;
  for (int i = 0; i < 10'000; ++i) {
    const SourceId source = add_messages(wire.ours.get(), messages);
    EXPECT_FALSE(source.index == last.index && source.generation == last.generation);
    ASSERT_LT(source.index, 8U);
    last = source;
    if (i % 2 == 0) {
      round(kAtOnce);  // the read is in the kernel
    }
    loop_->remove(source);
    if (i % 4 < 2) {
      round(kAtOnce);
    }
  }
  settle();  // a read of a removed source takes nothing away any more
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("still works"));
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"still works"});
}

TEST_P(LoopSources, IgnoresStaleIds) {
  const Wire wire = make_wire();
  Messages old_messages;
  const SourceId old_source = add_messages(wire.ours.get(), old_messages);
  settle();
  loop_->remove(old_source);
  loop_->remove(old_source);
  settle();
  Messages messages;
  const SourceId source = add_messages(wire.ours.get(), messages);
  EXPECT_EQ(source.index, old_source.index);
  EXPECT_NE(source.generation, old_source.generation);
  loop_->remove(old_source);
  loop_->remove(SourceId{});
  loop_->remove(SourceId{.index = 12345, .generation = 1});
  ASSERT_TRUE(wire.send("new"));
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"new"});
  EXPECT_TRUE(old_messages.texts.empty());
}

TEST_P(LoopSources, NeedsNoWorkerThreadsOfTheKernel) {
  const Wire wire = make_wire();
  Messages messages;
  Readiness readiness;
  add_messages(wire.ours.get(), messages);
  add_poll(wire.theirs.get(), POLLIN, readiness);
  const Wire door = make_wire();
  Rings rings;
  add_doorbell(door.ours.get(), rings);
  for (std::size_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(wire.send("x"));
    ASSERT_TRUE(door.send("x"));
    run_until([&] { return messages.texts.size() == i && rings.count == i; });
  }
  std::vector<std::string> workers;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.starts_with("iou-wrk")) {
      workers.push_back(name);
    }
  }
  EXPECT_EQ(workers, std::vector<std::string>{});
}

TEST_P(LoopSources, LetsGoOfReadsThatAreInTheKernelWhenItEnds) {
  for (int turn = 0; turn < 20; ++turn) {
    Wire wire = make_wire();
    Messages messages;
    Readiness readiness;
    Rings rings;
    for (int i = 0; i < 20; ++i) {
      add_messages(wire.ours.get(), messages);
      add_poll(wire.ours.get(), POLLIN, readiness);
      add_doorbell(wire.ours.get(), rings);
    }
    settle();
    loop_ = make();
    EXPECT_TRUE(messages.ends.empty());
    EXPECT_TRUE(readiness.events.empty());
    EXPECT_TRUE(rings.ends.empty());
    wire.ours.reset();
    char byte = 0;
    EXPECT_EQ(read(wire.theirs.get(), &byte, 1), 0) << "somebody still holds the other end";
  }
}

}  // namespace
}  // namespace ipn::io
