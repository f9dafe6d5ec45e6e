// SPDX-License-Identifier: MIT
//
// System calls on the path of a device.
#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "tests/device/callers.h"
#include "tests/device/fast_file.h"
#include "tests/device/world.h"

namespace ipn::scenarios {
namespace {

using SteadyClock = std::chrono::steady_clock;

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
    return start_call(control_, who_, std::move(call));
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
    const bool by_library = kind_ == DoorKind::kFast && (flags & O_ACCMODE) == O_RDWR;
    if (by_library) return open_fast_file(control_, actors_, path_, flags, who);
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
