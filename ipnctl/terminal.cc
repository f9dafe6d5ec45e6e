// SPDX-License-Identifier: MIT
#include "ipnctl/terminal.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <poll.h>
#include <string>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "ipnctl/errors.h"

namespace ipnctl {
namespace {

constexpr std::string_view kOutput = "standard output";

Failure output_failure(int code) { return errno_failure(code, kOutput); }

/// Writes some of `text`. The number of bytes, or 0 if it would wait.
Result<std::size_t> write_some(std::string_view text) {
  while (true) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) return std::size_t{0};
    if (errno != EINTR) return output_failure(errno);
  }
}

}  // namespace

Result<void> write_out(std::string_view text) {
  while (!text.empty()) {
    const auto written = write_some(text);
    if (!written) return written.error();
    text.remove_prefix(*written);
    if (*written > 0) continue;
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    ::poll(&output, 1, -1);
  }
  return {};
}

void write_note(std::string_view text) {
  const std::string line = "ipnctl: " + std::string(text) + '\n';
  // There is nobody to tell if standard error cannot be written.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

bool is_closed_output(const Failure& failure) {
  return failure.code == EPIPE && failure.object == kOutput;
}

Result<Waiter> Waiter::make() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return errno_failure(errno, "SIGINT");
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return errno_failure(errno, "SIGINT");
  struct stat status {};
  const bool is_file = ::fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
  return Waiter(signals, is_file);
}

Waiter::Waiter(Waiter&& other) noexcept
    : signals_(std::exchange(other.signals_, -1)), is_file_(other.is_file_) {}

Waiter::~Waiter() {
  if (signals_ >= 0) ::close(signals_);
}

Waiter::Wake Waiter::wait(int fd, short events, int timeout_ms) const {
  // No event of standard output is asked for: only that its reader is gone.
  pollfd places[] = {{signals_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}, {fd, events, 0}};
  const int ready = ::poll(places, 3, timeout_ms);
  if (ready == 0) return Wake::kTimeout;
  if (places[0].revents != 0) return Wake::kInterrupted;
  if (places[2].revents != 0) return Wake::kReady;
  if ((places[1].revents & POLLERR) != 0) return Wake::kClosed;
  return Wake::kReady;
}

Result<Waiter::Wake> Waiter::write_out(std::string_view text) const {
  while (!text.empty()) {
    if (wait(STDOUT_FILENO, POLLOUT, -1) == Wake::kInterrupted) return Wake::kInterrupted;
    // A pipe that polls writable takes PIPE_BUF bytes without waiting.
    const std::size_t some = is_file_ ? text.size() : std::min<std::size_t>(text.size(), PIPE_BUF);
    const auto written = write_some(text.substr(0, some));
    if (!written) return written.error();
    text.remove_prefix(*written);
  }
  return Wake::kReady;
}

}  // namespace ipnctl
