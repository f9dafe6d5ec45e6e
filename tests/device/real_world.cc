// SPDX-License-Identifier: MIT
//
// System calls on the path of a device. A call that may sleep is made by a thread
// of its own; a call of somebody else by a thread with his credentials, which
// belong to a thread as far as the kernel is concerned.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <gtest/gtest.h>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "switchcore/base/assert.h"
#include "tests/device/world.h"

#include <ipn/ioctl.h>

namespace ipn::scenarios {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::microseconds kPause{200};

Answer answer_of(long result) { return result < 0 ? failure(errno) : value(result); }

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

/// Makes calls as somebody else, one after the other.
class Actor {
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

/// Everybody who has made a call so far.
class Actors {
 public:
  Answer call_as(const Identity& who, const std::function<Answer()>& call) {
    if (is_this_process(who)) return call();
    for (auto& [identity, actor] : actors_) {
      if (identity == who) return actor->call(call);
    }
    actors_.emplace_back(who, std::make_unique<Actor>(who));
    return actors_.back().second->call(call);
  }

 private:
  std::vector<std::pair<Identity, std::unique_ptr<Actor>>> actors_;
};

/// The state of a thread in proc_pid_stat(5): 'S' sleeps and can be interrupted.
char state_of(pid_t tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t at = line.rfind(')');
  return at == std::string::npos || at + 2 >= line.size() ? '?' : line[at + 2];
}

/// A file whose only purpose is to be asked: when it answers, the daemon has seen
/// all requests before.
class Control {
 public:
  explicit Control(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) ADD_FAILURE() << path << ": " << std::strerror(errno);
  }
  ~Control() { close(fd_); }
  void wait() const { EXPECT_GE(::ioctl(fd_, IPN_IOC_CHECK), 0) << std::strerror(errno); }

 private:
  const int fd_;
};

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

class RealFile final : public File {
 public:
  RealFile(const Control& control, Actors& actors, int fd, Identity who)
      : control_(control), actors_(actors), fd_(fd), who_(std::move(who)) {}
  ~RealFile() override { close(fd_); }

  Answer read(std::size_t size) override {
    return actors_.call_as(who_, [&] { return do_read(size); });
  }
  Answer write(std::string_view bytes) override {
    return actors_.call_as(who_,
                           [&] { return answer_of(::write(fd_, bytes.data(), bytes.size())); });
  }
  Answer ioctl(unsigned long number, void* argument) override {
    return actors_.call_as(who_, [&] { return answer_of(::ioctl(fd_, number, argument)); });
  }
  unsigned poll(unsigned events) override {
    pollfd entry{fd_, static_cast<short>(events), 0};
    EXPECT_GE(::poll(&entry, 1, 0), 0);
    return static_cast<unsigned short>(entry.revents);
  }
  void set_nonblocking(bool on) override {
    const int flags = fcntl(fd_, F_GETFL);
    EXPECT_EQ(fcntl(fd_, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK), 0);
  }

  std::unique_ptr<Sleeper> start_read(std::size_t size) override {
    return start([this, size] { return do_read(size); });
  }
  std::unique_ptr<Sleeper> start_write(std::string_view bytes) override {
    return start([this, copy = std::string(bytes)] {
      return answer_of(::write(fd_, copy.data(), copy.size()));
    });
  }
  std::unique_ptr<Sleeper> start_ioctl(unsigned long number, std::string argument) override {
    return start([this, number, argument = std::move(argument)]() mutable {
      Answer answer = answer_of(::ioctl(fd_, number, argument.data()));
      if (answer.error == 0) answer.data = argument;
      return answer;
    });
  }
  std::unique_ptr<Sleeper> start_poll(unsigned events) override {
    return start([this, events] {
      pollfd entry{fd_, static_cast<short>(events), 0};
      const int ready = ::poll(&entry, 1, -1);
      return ready < 0 ? failure(errno) : value(static_cast<unsigned short>(entry.revents));
    });
  }
  int descriptor() const override { return fd_; }

 private:
  Answer do_read(std::size_t size) const {
    std::string bytes(size, '\0');
    const ssize_t got = ::read(fd_, bytes.data(), size);
    if (got < 0) return failure(errno);
    bytes.resize(static_cast<std::size_t>(got));
    return message(bytes);
  }
  std::unique_ptr<Sleeper> start(std::function<Answer()> call) const {
    return std::make_unique<ThreadSleeper>(control_, who_, std::move(call));
  }

  const Control& control_;
  Actors& actors_;
  const int fd_;
  const Identity who_;
};

class RealWorld final : public World {
 public:
  RealWorld(DoorKind kind, std::string path)
      : kind_(kind), path_(std::move(path)), control_(path_) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);  // without SA_RESTART
  }

  DoorKind kind() const override { return kind_; }
  Opened open(int flags, const Identity& who) override {
    const Answer opened =
        actors_.call_as(who, [&] { return answer_of(::open(path_.c_str(), flags | O_CLOEXEC)); });
    if (opened.error != 0) return {opened.error, nullptr};
    return {0, std::make_unique<RealFile>(control_, actors_, static_cast<int>(opened.value), who)};
  }
  bool eventually(const std::function<bool()>& holds) override {
    const auto until = SteadyClock::now() + kPatience;
    while (!holds()) {
      if (SteadyClock::now() > until) return false;
      std::this_thread::sleep_for(kPause);
    }
    return true;
  }
  bool wait_ready(std::span<const Interest> interests) override {
    std::vector<pollfd> entries;
    for (const Interest& interest : interests) {
      entries.push_back({interest.file->descriptor(), static_cast<short>(interest.events), 0});
    }
    constexpr int kMilliseconds = 60'000;
    return ::poll(entries.data(), entries.size(), kMilliseconds) > 0;
  }

 private:
  const DoorKind kind_;
  const std::string path_;
  const Control control_;
  Actors actors_;
};

}  // namespace

std::unique_ptr<World> make_real_world(DoorKind kind, const std::string& path) {
  return std::make_unique<RealWorld>(kind, path);
}

}  // namespace ipn::scenarios
