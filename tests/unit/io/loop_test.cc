// SPDX-License-Identifier: MIT
#include "switchcore/io/loop.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "switchcore/io/uring_loop.h"

namespace ipn::io {
namespace {

constexpr std::size_t kBufferBytes = 4096;
constexpr TimeNs kAtOnce = 0;
constexpr TimeNs kPatience = 30 * kSecond;

TimeNs now() {
  timespec time{};
  EXPECT_EQ(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  return time.tv_sec * kSecond + time.tv_nsec;
}

/// A descriptor that is closed at the end, or before by reset().
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) {
      close(std::exchange(fd_, -1));
    }
  }

 private:
  int fd_;
};

/// Two ends of a socket that keeps the borders of messages, as /dev/cuse does.
struct Wire {
  Descriptor ours;
  Descriptor theirs;

  bool send(const std::string& text) const {
    return write(theirs.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  std::string receive() const {
    std::array<char, kBufferBytes> bytes{};
    const ssize_t count = read(ours.get(), bytes.data(), bytes.size());
    return count < 0 ? std::string() : std::string(bytes.data(), static_cast<std::size_t>(count));
  }
};

Wire make_wire() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  return Wire{Descriptor(ends[0]), Descriptor(ends[1])};
}

struct Messages final : MessageHandler {
  std::vector<std::string> texts;
  std::vector<int> ends;
  std::function<void()> then = [] {};

  void on_message(std::span<std::byte> message) override {
    then();  // first, so that a buffer that goes too early is noticed below
    texts.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
  }
  void on_closed(int error) override {
    ends.push_back(error);
    then();
  }
};

struct Readiness final : PollHandler {
  std::vector<std::uint32_t> events;
  std::function<void()> then = [] {};

  void on_ready(std::uint32_t ready) override {
    events.push_back(ready);
    then();
  }
};

struct Rounds final : RoundHandler {
  std::vector<Clock> begun;
  std::size_t ended = 0;

  void on_round_begin(const Clock& clock) override {
    EXPECT_EQ(begun.size(), ended);
    begun.push_back(clock);
  }
  void on_round_end() override {
    ++ended;
    EXPECT_EQ(begun.size(), ended);
  }
};

/// Waits until the thread sleeps in io_uring_enter; false if it never does.
bool wait_until_asleep(pid_t thread) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
  const std::string sleeping = std::to_string(__NR_io_uring_enter) + " ";
  const TimeNs deadline = now() + kPatience;
  while (now() < deadline) {
    std::string line;
    std::getline(std::ifstream(path), line);  // "running", or number and arguments
    if (line.starts_with(sleeping)) {
      return true;
    }
    std::this_thread::yield();
  }
  return false;
}

class LoopTest : public testing::Test {
 protected:
  void SetUp() override { loop_ = make(); }

  static std::unique_ptr<Loop> make() {
    Result<std::unique_ptr<Loop>> made = make_loop();
    EXPECT_TRUE(made.has_value()) << made.error().text;
    return std::move(made.value());
  }

  SourceId add_messages(int fd, MessageHandler& handler) {
    Result<SourceId> added = loop_->add_messages(fd, kBufferBytes, handler);
    EXPECT_TRUE(added.has_value()) << added.error().text;
    return *added;
  }
  SourceId add_poll(int fd, std::uint32_t events, PollHandler& handler) {
    Result<SourceId> added = loop_->add_poll(fd, events, handler);
    EXPECT_TRUE(added.has_value()) << added.error().text;
    return *added;
  }

  void round(std::optional<TimeNs> wake_at) {
    const Result<void> ran = loop_->run_round(rounds_, wake_at);
    ASSERT_TRUE(ran.has_value()) << ran.error().text;
  }
  /// Enough rounds for all that is ready or cancelled now to have come through.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      round(kAtOnce);
    }
  }
  void run_until(const std::function<bool()>& condition) {
    const TimeNs deadline = now() + kPatience;
    while (!condition()) {
      ASSERT_LT(now(), deadline) << "waited in vain";
      round(deadline);
    }
  }

  // After the handlers and wires of a test have gone, the loop still lets go
  // of what the kernel holds.
  Rounds rounds_;
  std::unique_ptr<Loop> loop_;
};

TEST_F(LoopTest, SaysWhichEngineItIs) { EXPECT_EQ(loop_->description().substr(0, 8), "io_uring"); }

// Messages.

TEST_F(LoopTest, HandsOverEachMessageOnceAndInOrder) {
  constexpr std::size_t kMessages = 2000;
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  std::vector<std::string> sent;
  while (sent.size() < kMessages) {
    for (int burst = 0; burst < 50; ++burst) {
      sent.push_back("message " + std::to_string(sent.size()));
      ASSERT_TRUE(wire.send(sent.back()));
    }
    run_until([&] { return messages.texts.size() == sent.size(); });
  }
  EXPECT_EQ(messages.texts, sent);
}

TEST_F(LoopTest, HandsOverAMessageThatCameBeforeTheSource) {
  const Wire wire = make_wire();
  ASSERT_TRUE(wire.send("early"));
  Messages messages;
  add_messages(wire.ours.get(), messages);
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"early"});
}

TEST_F(LoopTest, HandsOverAMessageAsLongAsTheBuffer) {
  const Wire wire = make_wire();
  const std::string text(kBufferBytes, 'x');
  ASSERT_TRUE(wire.send(text));
  Messages messages;
  add_messages(wire.ours.get(), messages);
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{text});
}

TEST_F(LoopTest, KeepsTheMessagesOfManySourcesApart) {
  constexpr std::size_t kSources = 50;
  std::vector<Wire> wires;
  std::deque<Messages> messages(kSources);
  for (std::size_t i = 0; i < kSources; ++i) {
    wires.push_back(make_wire());
    add_messages(wires[i].ours.get(), messages[i]);
  }
  for (int turn = 0; turn < 20; ++turn) {
    for (std::size_t i = 0; i < kSources; ++i) {
      ASSERT_TRUE(wires[i].send(std::to_string(i)));
    }
  }
  for (std::size_t i = 0; i < kSources; ++i) {
    run_until([&] { return messages[i].texts.size() == 20; });
    EXPECT_EQ(messages[i].texts, std::vector<std::string>(20, std::to_string(i)));
  }
}

TEST_F(LoopTest, LetsOtherSourcesHaveTheirTurnBesideABusyOne) {
  const Wire busy = make_wire();
  const Wire quiet = make_wire();
  Messages flood;
  flood.then = [&] { EXPECT_TRUE(busy.send("again")); };
  Messages single;
  add_messages(busy.ours.get(), flood);
  add_messages(quiet.ours.get(), single);
  ASSERT_TRUE(busy.send("again"));
  ASSERT_TRUE(quiet.send("once"));
  run_until([&] { return !single.texts.empty(); });
  EXPECT_EQ(single.texts, std::vector<std::string>{"once"});
  EXPECT_LE(flood.texts.size(), 100 * rounds_.ended);
}

TEST_F(LoopTest, EndsARoundOfLargeMessagesAfterItsBudget) {
  constexpr std::size_t kLarge = 60'000;
  const Wire wire = make_wire();
  Messages messages;
  messages.then = [&] { EXPECT_TRUE(wire.send(std::string(kLarge, 'x'))); };
  ASSERT_TRUE(loop_->add_messages(wire.ours.get(), kLarge, messages).has_value());
  ASSERT_TRUE(wire.send(std::string(kLarge, 'x')));
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts.size(), 5U);  // the fifth passes 256 KiB
}

TEST_F(LoopTest, ReportsEndOfFileOnce) {
  Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("last"));
  wire.theirs.reset();
  run_until([&] { return !messages.ends.empty(); });
  settle();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"last"});
  EXPECT_EQ(messages.ends, std::vector<int>{0});
}

TEST_F(LoopTest, ReportsAFailedReadWithItsErrno) {
  Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  settle();
  // A peer that closes with something unread resets the connection.
  ASSERT_EQ(write(wire.ours.get(), "x", 1), 1);
  wire.theirs.reset();
  run_until([&] { return !messages.ends.empty(); });
  settle();
  EXPECT_EQ(messages.ends, std::vector<int>{ECONNRESET});
}

TEST_F(LoopTest, RefusesMessagesFromADescriptorThatBlocks) {
  const Wire wire = make_wire();
  ASSERT_EQ(fcntl(wire.ours.get(), F_SETFL, 0), 0);
  Messages messages;
  const Result<SourceId> added = loop_->add_messages(wire.ours.get(), kBufferBytes, messages);
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code, EINVAL);
  EXPECT_NE(added.error().text.find("O_NONBLOCK"), std::string::npos);
}

TEST_F(LoopTest, RefusesADescriptorThatIsNotOpen) {
  Messages messages;
  Readiness readiness;
  const Result<SourceId> read = loop_->add_messages(-1, kBufferBytes, messages);
  const Result<SourceId> polled = loop_->add_poll(-1, POLLIN, readiness);
  ASSERT_FALSE(read.has_value());
  ASSERT_FALSE(polled.has_value());
  EXPECT_EQ(read.error().code, EBADF);
  EXPECT_EQ(polled.error().code, EBADF);
}

// Polls.

TEST_F(LoopTest, ReportsReadinessInEveryRoundAsLongAsItLasts) {
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

TEST_F(LoopTest, ReportsReadinessAgainAfterAPause) {
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

TEST_F(LoopTest, ReportsOnlyTheEventsAskedFor) {
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

TEST_F(LoopTest, ReportsHangUpUnasked) {
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

TEST_F(LoopTest, ReportsADescriptorThatWasClosedTooEarlyOnce) {
  Wire wire = make_wire();
  Readiness readiness;
  add_poll(wire.ours.get(), POLLIN, readiness);
  wire.ours.reset();
  run_until([&] { return !readiness.events.empty(); });
  settle();
  EXPECT_EQ(readiness.events, std::vector<std::uint32_t>{POLLNVAL});
}

TEST_F(LoopTest, ReportsMorePollsThanTheRingHoldsRequestsOrCompletions) {
  constexpr std::size_t kPolls = 5000;
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

// Time and signals.

TEST_F(LoopTest, DoesNotWaitForATimeInThePast) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  round(kAtOnce);
  round(now());
  round(-kSecond);
  EXPECT_EQ(rounds_.ended, 3U);
  EXPECT_TRUE(messages.texts.empty());
}

TEST_F(LoopTest, HandlesWhatIsReadyEvenIfTheTimeIsPast) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("ready"));
  settle();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"ready"});
}

TEST_F(LoopTest, WaitsUntilATimeInTheFuture) {
  for (int i = 0; i < 5; ++i) {
    const TimeNs wake_at = now() + 5 * kMillisecond;
    round(wake_at);
    EXPECT_GE(rounds_.begun.back().monotonic, wake_at);
    EXPECT_GE(now(), wake_at);
  }
}

TEST_F(LoopTest, WaitsUntilATimeInTheFutureAlsoWithSourcesThatAreNew) {
  const Wire wire = make_wire();
  Messages messages;
  Readiness readiness;
  add_messages(wire.ours.get(), messages);
  add_poll(wire.theirs.get(), POLLIN, readiness);
  const TimeNs wake_at = now() + 20 * kMillisecond;
  round(wake_at);
  EXPECT_GE(rounds_.begun.back().monotonic, wake_at);
}

TEST_F(LoopTest, WakesForAMessageLongBeforeItsTime) {
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

TEST_F(LoopTest, GivesBothClocksOncePerRound) {
  timespec before{};
  ASSERT_EQ(clock_gettime(CLOCK_REALTIME, &before), 0);
  round(kAtOnce);
  round(kAtOnce);
  ASSERT_EQ(rounds_.begun.size(), 2U);
  EXPECT_GE(rounds_.begun[0].realtime, before.tv_sec * kSecond + before.tv_nsec);
  EXPECT_LE(rounds_.begun[0].monotonic, rounds_.begun[1].monotonic);
  EXPECT_LE(rounds_.begun[1].monotonic, now());
}

TEST_F(LoopTest, WaitsWithoutATimeUntilSomethingComes) {
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  const pid_t sleeper = gettid();
  std::thread sender([&wire, sleeper] {
    EXPECT_TRUE(wait_until_asleep(sleeper));
    EXPECT_TRUE(wire.send("wake"));
  });
  round(std::nullopt);
  sender.join();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"wake"});
}

TEST_F(LoopTest, EndsTheWaitWhenASignalComes) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  struct sigaction old = {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
  const Wire wire = make_wire();
  Messages messages;
  for (const bool with_new_source : {false, true}) {
    if (with_new_source) {
      add_messages(wire.ours.get(), messages);
    }
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
    round(std::nullopt);
    done = true;
    interrupter.join();
  }
  EXPECT_EQ(rounds_.ended, 2U);
  ASSERT_EQ(sigaction(SIGUSR1, &old, nullptr), 0);
}

// Adding and removing.

TEST_F(LoopTest, DoesNotCallASourceThatWasRemoved) {
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

TEST_F(LoopTest, NeverReadsForASourceThatWasRemovedBeforeItsFirstRound) {
  const Wire wire = make_wire();
  Messages messages;
  ASSERT_TRUE(wire.send("stays"));
  loop_->remove(add_messages(wire.ours.get(), messages));
  settle();
  EXPECT_TRUE(messages.texts.empty());
  EXPECT_EQ(wire.receive(), "stays");
}

TEST_F(LoopTest, AllowsAHandlerToRemoveItsOwnSource) {
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

TEST_F(LoopTest, AllowsAPollHandlerToRemoveItsOwnSource) {
  const Wire wire = make_wire();
  Readiness readiness;
  const SourceId source = add_poll(wire.ours.get(), POLLIN, readiness);
  readiness.then = [&] { loop_->remove(source); };
  ASSERT_TRUE(wire.send("unread"));
  run_until([&] { return !readiness.events.empty(); });
  settle();
  EXPECT_EQ(readiness.events.size(), 1U);
}

TEST_F(LoopTest, AllowsASourceToBeRemovedWhenItIsTold) {
  Wire wire = make_wire();
  Messages messages;
  const SourceId source = add_messages(wire.ours.get(), messages);
  messages.then = [&] { loop_->remove(source); };
  wire.theirs.reset();
  run_until([&] { return !messages.ends.empty(); });
  settle();
  EXPECT_EQ(messages.ends, std::vector<int>{0});
}

TEST_F(LoopTest, DoesNotCallASourceRemovedWhileItsCompletionIsPending) {
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

TEST_F(LoopTest, AllowsAHandlerToAddManySources) {
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

TEST_F(LoopTest, LetsGoOfAFileThatWasClosedAfterRemoval) {
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

TEST_F(LoopTest, ReusesTheSlotsOfRemovedSources) {
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
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("still works"));
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"still works"});
}

TEST_F(LoopTest, IgnoresStaleIds) {
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

TEST_F(LoopTest, NeedsNoWorkerThreadsOfTheKernel) {
  const Wire wire = make_wire();
  Messages messages;
  Readiness readiness;
  add_messages(wire.ours.get(), messages);
  add_poll(wire.theirs.get(), POLLIN, readiness);
  for (std::size_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(wire.send("x"));
    run_until([&] { return messages.texts.size() == i; });
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

// The end of a loop.

TEST_F(LoopTest, LetsGoOfReadsThatAreInTheKernelWhenItEnds) {
  for (int turn = 0; turn < 20; ++turn) {
    Wire wire = make_wire();
    Messages messages;
    Readiness readiness;
    for (int i = 0; i < 20; ++i) {
      add_messages(wire.ours.get(), messages);
      add_poll(wire.ours.get(), POLLIN, readiness);
    }
    settle();
    loop_ = make();
    EXPECT_TRUE(messages.ends.empty());
    EXPECT_TRUE(readiness.events.empty());
    wire.ours.reset();
    char byte = 0;
    EXPECT_EQ(read(wire.theirs.get(), &byte, 1), 0) << "somebody still holds the other end";
  }
}

// A kernel that refuses.

/// Calls make_loop() where io_uring_setup fails with `code`; the filter ends
/// with its thread.
Error refusal(int code) {
  Error error;
  std::thread thread([&error, code] {
    const auto refuse = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code);
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // seccomp_data::nr
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, refuse),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
    const Result<std::unique_ptr<Loop>> made = make_loop();
    ASSERT_FALSE(made.has_value());
    error = made.error();
  });
  thread.join();
  return error;
}

TEST(LoopRefusal, NamesTheCallAndTheRemedy) {
  struct Case {
    int code;
    std::string remedy;
  };
  for (const Case& expected : {Case{EPERM, "seccomp"}, Case{ENOSYS, "CONFIG_IO_URING"},
                               Case{ENOMEM, "LimitMEMLOCK"}, Case{EINVAL, "6.1"}}) {
    const Error error = refusal(expected.code);
    EXPECT_EQ(error.code, expected.code);
    EXPECT_EQ(error.text.find("io_uring: io_uring_setup: "), 0U) << error.text;
    EXPECT_NE(error.text.find(expected.remedy), std::string::npos) << error.text;
  }
}

TEST(LoopRefusal, BlamesTheSysctlWhereItIsSet) {
  const std::string set = uring_refused("io_uring_setup", EPERM, 2).text;
  const std::string clear = uring_refused("io_uring_setup", EPERM, 0).text;
  EXPECT_NE(set.find("sysctl -w kernel.io_uring_disabled=0"), std::string::npos) << set;
  EXPECT_EQ(clear.find("sysctl"), std::string::npos) << clear;
}

}  // namespace
}  // namespace ipn::io
