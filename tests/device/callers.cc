// SPDX-License-Identifier: MIT
#include "tests/device/callers.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <gtest/gtest.h>
#include <mutex>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "switchcore/base/assert.h"

#include <ipn/ioctl.h>

namespace ipn::scenarios {
namespace {

using SteadyClock = std::chrono::steady_clock;

bool is_this_process(const Identity& who) { return who.uid == geteuid(); }

/// Gives the calling thread, and no other, this identity.
void become(const Identity& who) {
  // The C library's functions would change all threads.
  const bool done = unshare(CLONE_FS) == 0 &&
                    syscall(SYS_setgroups, who.groups.size(), who.groups.data()) == 0 &&
                    syscall(SYS_setresgid, who.gid, who.gid, who.gid) == 0 &&
                    syscall(SYS_setresuid, who.uid, who.uid, who.uid) == 0;
  IPN_ASSERT(done);
  umask(who.umask);
}

/// The state of a thread in proc_pid_stat(5): 'S' sleeps and can be interrupted.
char state_of(pid_t tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t at = line.rfind(')');
  return at == std::string::npos || at + 2 >= line.size() ? '?' : line[at + 2];
}

class ThreadSleeper final : public Sleeper {
 public:
  ThreadSleeper(const Control& control, const Identity& who, std::function<Answer()> call)
      : thread_([this, who, call = std::move(call)] {
          if (!is_this_process(who)) become(who);
          tid_ = static_cast<pid_t>(syscall(SYS_gettid));
          answer_ = call();
          done_ = true;
        }) {
    wait_for([this] { return tid_ != 0 && state_of(tid_) == 'S'; });
    control.wait();
  }
  ~ThreadSleeper() override {
    const auto until = SteadyClock::now() + kPatience;
    while (!done_ && SteadyClock::now() < until) {
      interrupt();
      std::this_thread::sleep_for(kPause);
    }
    if (!done_) ADD_FAILURE() << "a call cannot be interrupted";
    thread_.join();
  }

  bool is_done() override { return done_; }
  Answer wait() override {
    wait_for([] { return false; });
    if (done_) return answer_;
    ADD_FAILURE() << "the call does not return";
    return failure(ETIMEDOUT);
  }
  void interrupt() override { pthread_kill(thread_.native_handle(), SIGUSR1); }

 private:
  /// Until the call is done or something else holds.
  template <typename F>
  void wait_for(F&& holds) const {
    const auto until = SteadyClock::now() + kPatience;
    while (!done_ && !holds() && SteadyClock::now() < until) {
      std::this_thread::sleep_for(kPause);
    }
  }

  std::atomic<pid_t> tid_ = 0;
  std::atomic<bool> done_ = false;
  Answer answer_;
  std::thread thread_;
};

}  // namespace

Answer answer_of(long result) { return result < 0 ? failure(errno) : value(result); }

/// Makes calls as somebody else, one after the other.
class Actors::Actor {
 public:
  explicit Actor(const Identity& who)
      : thread_([this, who] {
          become(who);
          run();
        }) {}
  ~Actor() {
    call({});
    thread_.join();
  }

  /// Without a function: ends.
  Answer call(const std::function<Answer()>& function) {
    std::unique_lock lock(mutex_);
    function_ = &function;
    changed_.notify_all();
    changed_.wait(lock, [this] { return function_ == nullptr; });
    return std::move(answer_);
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (bool ends = false; !ends;) {
      changed_.wait(lock, [this] { return function_ != nullptr; });
      ends = !*function_;
      if (!ends) answer_ = (*function_)();
      function_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<Answer()>* function_ = nullptr;
  Answer answer_;
  std::thread thread_;
};

Actors::Actors() = default;
Actors::~Actors() = default;

Answer Actors::call_as(const Identity& who, const std::function<Answer()>& call) {
  if (is_this_process(who)) return call();
  for (auto& [identity, actor] : actors_) {
    if (identity == who) return actor->call(call);
  }
  actors_.emplace_back(who, std::make_unique<Actor>(who));
  return actors_.back().second->call(call);
}

Control::Control(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
  if (fd_ < 0) ADD_FAILURE() << path << ": " << std::strerror(errno);
}

Control::~Control() { close(fd_); }

void Control::wait() const { EXPECT_GE(::ioctl(fd_, IPN_IOC_CHECK), 0) << std::strerror(errno); }

std::unique_ptr<Sleeper> start_call(const Control& control, const Identity& who,
                                    std::function<Answer()> call) {
  return std::make_unique<ThreadSleeper>(control, who, std::move(call));
}

}  // namespace ipn::scenarios
