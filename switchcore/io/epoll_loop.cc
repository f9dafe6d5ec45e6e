// SPDX-License-Identifier: MIT
#include "switchcore/io/epoll_loop.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace ipn::io {

namespace {

// Masks are those of poll(2), which POLLHUP and its like keep in epoll.
static_assert(POLLIN == EPOLLIN && POLLPRI == EPOLLPRI && POLLOUT == EPOLLOUT);
static_assert(POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP);

/// A kernel before 5.11 does not have the call, and seccomp profiles of that
/// time do not know it.
bool can_wait_nanoseconds(int epoll) {
  epoll_event event{};
  const timespec at_once{};
  return epoll_pwait2(epoll, &event, 1, &at_once, nullptr) >= 0;
}

/// Rounded up, so that nobody is woken before the time and asks again.
int milliseconds(TimeNs wait_ns) {
  const TimeNs count = (wait_ns + kMillisecond - 1) / kMillisecond;
  return static_cast<int>(count);
}
static_assert(kLongestWait / kMillisecond < INT_MAX);

Error epoll_failed(const char* call, int code) {
  return Error{code, std::string("epoll: ") + call + ": " + std::strerror(code)};
}

}  // namespace

Result<std::unique_ptr<Loop>> EpollLoop::create(const std::string& why) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    return epoll_failed("epoll_create1", errno);
  }
  return std::unique_ptr<Loop>(new EpollLoop(epoll, can_wait_nanoseconds(epoll), why));
}

EpollLoop::EpollLoop(int epoll, bool has_nanoseconds, const std::string& why)
    : SourceLoop("epoll (" + why + ")"), epoll_(epoll), has_nanoseconds_(has_nanoseconds) {}

EpollLoop::~EpollLoop() {
  remove_all();
  close(epoll_);
}

bool EpollLoop::arm() {
  for (const SourceId source : to_arm()) {
    Slot* const slot = find(source);
    if (slot == nullptr) {
      continue;
    }
    slot->state = State::kArmed;
    if (const int error = watch(source, *slot); error != 0) {
      refused_.emplace_back(source, -error);
    }
  }
  to_arm().clear();
  return refused_.empty();
}

/// Returns 0 or an errno.
int EpollLoop::watch(SourceId source, const Slot& slot) {
  if (source.index >= watched_.size()) {
    watched_.resize(source.index + 1, -1);
  }
  epoll_event event{};
  event.events = slot.poll != nullptr ? slot.events : std::uint32_t{EPOLLIN};
  event.data.u64 = pack(source);
  count_system_call();
  int fd = slot.fd;
  int status = epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  if (status != 0 && errno == EEXIST) {
    fd = fcntl(slot.fd, F_DUPFD_CLOEXEC, 0);
    status = fd < 0 ? -1 : epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  if (status == 0) {
    watched_[source.index] = fd;
    return 0;
  }
  const int error = errno;
  if (fd != slot.fd && fd >= 0) {
    close(fd);
  }
  return error;
}

void EpollLoop::stop_watching(std::uint32_t index, const Slot& slot) {
  const int fd = index < watched_.size() ? std::exchange(watched_[index], -1) : -1;
  if (fd < 0) {
    return;
  }
  // Fails for a descriptor that was closed too early, which has taken its
  // registration with it.
  count_system_call();
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  if (fd != slot.fd) {
    close(fd);
  }
}

void EpollLoop::disarm(SourceId source, Slot& slot) {
  stop_watching(source.index, slot);
  if (slot.state == State::kArmed) {
    slot.state = State::kIdle;
  }
}

int EpollLoop::wait(TimeNs wait_ns) {
  count_system_call();
  const int events_max = static_cast<int>(events_.size());
  if (!has_nanoseconds_) {
    return epoll_wait(epoll_, events_.data(), events_max, milliseconds(wait_ns));
  }
  const timespec timeout{.tv_sec = wait_ns / kSecond, .tv_nsec = wait_ns % kSecond};
  return epoll_pwait2(epoll_, events_.data(), events_max, &timeout, nullptr);
}

Result<void> EpollLoop::ask(TimeNs wait_ns) {
  const int count = wait(wait_ns);
  if (count < 0 && errno != EINTR) {
    return epoll_failed("epoll_wait", errno);
  }
  ready_ = count < 0 ? 0 : static_cast<std::size_t>(count);
  return {};
}

void EpollLoop::walk() {
  for (const auto& [source, error] : refused_) {
    deliver(source, error);
  }
  refused_.clear();
  for (std::size_t i = 0; i < ready_; ++i) {
    deliver(unpack(events_[i].data.u64), static_cast<int>(events_[i].events));
  }
  ready_ = 0;
}

/// `news` is a mask or -errno. The source may be gone meanwhile.
void EpollLoop::deliver(SourceId source, int news) {
  Slot* const slot = find(source);
  if (slot == nullptr || slot->removed) {
    return;
  }
  const int result = news < 0 || slot->poll != nullptr ? news : fetch(*slot);
  if (take(source, *slot, result)) {
    slot->state = State::kArmed;
  } else if (find(source) != nullptr) {
    stop_watching(source.index, *slot);
  }
}

}  // namespace ipn::io
