// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "switchcore/io/loop.h"
#include "switchcore/io/uring_loop.h"

namespace ipn::io {

constexpr std::size_t kBufferBytes = 4096;
constexpr TimeNs kAtOnce = 0;
constexpr TimeNs kPatience = 30 * kSecond;

inline TimeNs now() {
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

inline Wire make_wire() {
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

struct Rings final : DoorbellHandler {
  std::size_t count = 0;
  std::vector<int> ends;
  std::function<void()> then = [] {};

  void on_ring() override {
    ++count;
    then();
  }
  void on_closed(int error) override {
    ends.push_back(error);
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

/// Waits until the thread sleeps in the loop; false if it never does.
inline bool wait_until_asleep(pid_t thread) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
  const TimeNs deadline = now() + kPatience;
  while (now() < deadline) {
    std::ifstream file(path);
    int call = -1;
    file >> call;  // fails for "running"; else the number, and arguments
    if (call == __NR_io_uring_enter || call == __NR_epoll_pwait2) {
      return true;
    }
    std::this_thread::yield();
  }
  return false;
}

/// Raises the limit of open descriptors as far as it goes; false if that is not
/// enough for `count` more.
inline bool allow_descriptors(std::size_t count) {
  rlimit limit{};
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  return limit.rlim_max >= count + 64;
}

/// What the tests run on.
enum class Engine { kUring, kPlainUring, kEpoll };

inline std::string name_of(Engine engine) {
  switch (engine) {
    case Engine::kUring:
      return "IoUring";
    case Engine::kPlainUring:
      return "PlainIoUring";
    case Engine::kEpoll:
      return "Epoll";
  }
  return "";
}

inline Result<std::unique_ptr<Loop>> make_loop_on(Engine engine) {
  switch (engine) {
    case Engine::kUring:
      return make_loop(Backend::kUring);
    case Engine::kPlainUring:
      return UringLoop::create(UringLoop::Setup::kPlain);
    case Engine::kEpoll:
      return make_loop(Backend::kEpoll);
  }
  return Error{EINVAL, "no such engine"};
}

class LoopTest : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override { loop_ = make(); }

  static std::unique_ptr<Loop> make() {
    Result<std::unique_ptr<Loop>> made = make_loop_on(GetParam());
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
  SourceId add_doorbell(int fd, DoorbellHandler& handler) {
    Result<SourceId> added = loop_->add_doorbell(fd, handler);
    EXPECT_TRUE(added.has_value()) << added.error().text;
    return *added;
  }

  void round(std::optional<TimeNs> wake_at) {
    const Result<void> ran = loop_->run_round(rounds_, wake_at);
    ASSERT_TRUE(ran.has_value()) << ran.error().text;
  }
  /// Enough rounds for all that is ready or cancelled now to have come through.
  /// They wait a moment, because every engine asks the kernel then.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      round(now() + kMillisecond);
    }
  }
  /// A signal ends a wait, and the kernel sends the like of one when it tears
  /// down the ring of a test before: hence more than one round, but few.
  void wait_until(TimeNs wake_at) {
    for (int i = 0; i < 5 && (i == 0 || rounds_.begun.back().monotonic < wake_at); ++i) {
      round(wake_at);
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

inline std::string name_of_run(const testing::TestParamInfo<Engine>& run) {
  return name_of(run.param);
}

#define IPN_ALL_ENGINES(Suite)                                                                   \
  INSTANTIATE_TEST_SUITE_P(On, Suite,                                                            \
                           testing::Values(Engine::kUring, Engine::kPlainUring, Engine::kEpoll), \
                           name_of_run)

}  // namespace ipn::io
