// SPDX-License-Identifier: MIT
//
// System calls as a kernel makes them of requests: read, write and ioctl are one
// request each; poll asks again whenever it is woken.
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <utility>

#include "tests/device/engine.h"

namespace ipn::scenarios {
namespace {

/// What a call that can never return is answered with, so that the test goes on.
Answer never() {
  ADD_FAILURE() << "the call sleeps for ever";
  return failure(ETIMEDOUT);
}

class CallSleeper final : public Sleeper {
 public:
  CallSleeper(Engine& engine, Engine::CallId call) : engine_(engine), call_(call) { is_done(); }
  ~CallSleeper() override {
    if (is_done()) return;
    interrupt();
    EXPECT_TRUE(is_done()) << "interrupted and not answered";
  }

  bool is_done() override {
    if (!answer_) answer_ = engine_.take_answer(call_);
    return answer_.has_value();
  }
  Answer wait() override {
    while (!is_done()) {
      if (!engine_.pass_time()) return never();
    }
    return *answer_;
  }
  void interrupt() override { engine_.interrupt(call_); }

 private:
  Engine& engine_;
  const Engine::CallId call_;
  std::optional<Answer> answer_;
};

class PollSleeper final : public Sleeper {
 public:
  PollSleeper(Engine& engine, std::uint64_t file, unsigned events)
      : engine_(engine), file_(file), events_(events | POLLHUP | POLLERR) {
    ask();
  }

  bool is_done() override {
    if (!answer_ && engine_.wake_ups(file_) != woken_) ask();
    return answer_.has_value();
  }
  Answer wait() override {
    while (!is_done()) {
      if (!engine_.pass_time()) return never();
    }
    return *answer_;
  }
  void interrupt() override {
    if (!answer_) answer_ = failure(EINTR);
  }

 private:
  void ask() {
    woken_ = engine_.wake_ups(file_);
    const Answer now = CallSleeper(engine_, engine_.poll(file_, events_, true)).wait();
    if (now.error != 0 || (now.value & long{events_}) != 0) {
      answer_ = now.error != 0 ? now : value(now.value & long{events_});
    }
  }

  Engine& engine_;
  const std::uint64_t file_;
  const unsigned events_;
  std::uint64_t woken_ = 0;
  std::optional<Answer> answer_;
};

class InProcessFile final : public File {
 public:
  InProcessFile(Engine& engine, std::uint64_t handle, int flags, device::Caller caller)
      : engine_(engine), handle_(handle), flags_(flags), caller_(caller) {}
  ~InProcessFile() override {
    EXPECT_EQ(CallSleeper(engine_, engine_.release(handle_)).wait(), value(0));
  }

  Answer read(std::size_t size) override { return start_read(size)->wait(); }
  Answer write(std::string_view bytes) override { return start_write(bytes)->wait(); }
  Answer ioctl(unsigned long number, void* argument) override {
    const std::size_t size = _IOC_DIR(number) == _IOC_NONE ? 0 : _IOC_SIZE(number);
    Answer answer =
        start_ioctl(number, std::string(static_cast<const char*>(argument), size))->wait();
    EXPECT_LE(answer.data.size(), (_IOC_DIR(number) & _IOC_READ) != 0 ? size : 0);
    if (!answer.data.empty()) std::memcpy(argument, answer.data.data(), answer.data.size());
    answer.data.clear();
    return answer;
  }
  unsigned poll(unsigned events) override {
    events |= POLLHUP | POLLERR;
    const Answer now = CallSleeper(engine_, engine_.poll(handle_, events, false)).wait();
    EXPECT_EQ(now.error, 0);
    return static_cast<unsigned>(now.value) & events;
  }
  void set_nonblocking(bool on) override {
    flags_ = on ? flags_ | O_NONBLOCK : flags_ & ~O_NONBLOCK;
  }

  std::unique_ptr<Sleeper> start_read(std::size_t size) override {
    if ((flags_ & O_ACCMODE) == O_WRONLY) return done(failure(EBADF));
    return sleeper(engine_.read(handle_, size, 0, flags_));
  }
  std::unique_ptr<Sleeper> start_write(std::string_view bytes) override {
    if ((flags_ & O_ACCMODE) == O_RDONLY) return done(failure(EBADF));
    return sleeper(engine_.write(handle_, bytes, 0, flags_));
  }
  std::unique_ptr<Sleeper> start_ioctl(unsigned long number, std::string argument) override {
    const bool in = (_IOC_DIR(number) & _IOC_WRITE) != 0;
    return sleeper(engine_.ioctl(handle_, static_cast<std::uint32_t>(number),
                                 in ? std::string_view(argument) : "", caller_));
  }
  std::unique_ptr<Sleeper> start_poll(unsigned events) override {
    return std::make_unique<PollSleeper>(engine_, handle_, events);
  }

 private:
  class Done final : public Sleeper {
   public:
    explicit Done(Answer answer) : answer_(std::move(answer)) {}
    bool is_done() override { return true; }
    Answer wait() override { return answer_; }
    void interrupt() override {}

   private:
    const Answer answer_;
  };

  std::unique_ptr<Sleeper> done(Answer answer) { return std::make_unique<Done>(answer); }
  std::unique_ptr<Sleeper> sleeper(Engine::CallId call) {
    return std::make_unique<CallSleeper>(engine_, call);
  }

  Engine& engine_;
  const std::uint64_t handle_;
  int flags_;
  const device::Caller caller_;
};

class InProcessWorld final : public World {
 public:
  explicit InProcessWorld(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  DoorKind kind() const override { return engine_->kind(); }
  Opened open(int flags, const Identity& who) override {
    const device::Caller caller = engine_->enrol(who);
    const Answer answer = CallSleeper(*engine_, engine_->open(flags, caller)).wait();
    if (answer.error != 0) return {answer.error, nullptr};
    return {0, std::make_unique<InProcessFile>(*engine_, static_cast<std::uint64_t>(answer.value),
                                               flags, caller)};
  }
  bool eventually(const std::function<bool()>& holds) override {
    while (!holds()) {
      if (!engine_->pass_time()) return false;
    }
    return true;
  }
  bool wait_ready(std::span<const Interest>) override {
    // Nobody else runs: what is not ready now becomes so by time or never.
    return engine_->pass_time();
  }

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace

std::unique_ptr<World> make_in_process_world(std::unique_ptr<Engine> engine) {
  return std::make_unique<InProcessWorld>(std::move(engine));
}

}  // namespace ipn::scenarios
