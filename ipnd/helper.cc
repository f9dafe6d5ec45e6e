// SPDX-License-Identifier: MIT
#include "ipnd/helper.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

/// Longer than anything that the helper does at the start.
constexpr int kCallLimitMs = 15'000;
constexpr int kFinishLimitMs = 1'000;

bool wait_readable(int fd, int limit_ms) {
  pollfd wait{fd, POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&wait, 1, limit_ms);
  } while (n < 0 && errno == EINTR);
  return n > 0;
}

}  // namespace

Result<std::unique_ptr<Helper>> Helper::start(const HelperTask& task, InstanceLock& lock) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return system_error(errno, "helper");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(errno, "helper");
  if (pid == 0) {
    ours.reset();
    run_helper(std::move(theirs), task, lock);
  }
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return system_error(errno, "helper");
  return std::unique_ptr<Helper>(new Helper(std::move(ours), pid));
}

Helper::~Helper() {
  socket_.reset();
  reap();
  if (pid_ < 0) return;
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (handle) wait_readable(handle.get(), kFinishLimitMs);
  reap();
}

Error Helper::gone() {
  return {EPIPE, "helper: is gone, what needs it cannot be done (restart ipnd)"};
}

Result<UniqueFd> Helper::call(HelperCall call, std::uint32_t door) {
  IPN_ASSERT(loop_ == nullptr);
  const HelperRequest request{call, door};
  if (auto ok = send_packet(socket_.get(), &request, sizeof request, -1); !ok) return gone();
  if (!wait_readable(socket_.get(), kCallLimitMs)) {
    return Error{ETIMEDOUT, "helper: gave no answer in 15 s (is a device or a mount stuck?)"};
  }
  HelperAnswer answer;
  auto packet = receive_packet(socket_.get(), &answer, sizeof answer);
  if (!packet || packet->end) return gone();
  if (answer.error != 0) return error_of(answer);
  return std::move(packet->fd);
}

Result<void> Helper::attach(io::Loop& loop, std::function<void()> on_lost) {
  const auto source = loop.add_poll(socket_.get(), POLLIN, *this);
  if (!source) return source.error();
  loop_ = &loop;
  source_ = *source;
  on_lost_ = std::move(on_lost);
  return {};
}

void Helper::request(HelperCall call, std::uint32_t door, UniqueFd fd, Done done) {
  if (dead_) return done(gone());
  pending_.push_back({{call, door}, std::move(fd), std::move(done)});
  if (pending_.size() == 1) send_next();
}

void Helper::send_next() {
  // One packet at a time always has room. If nobody is there, the socket tells.
  Pending& next = pending_.front();
  (void)send_packet(socket_.get(), &next.request, sizeof next.request, next.fd.get());
  next.fd.reset();
}

void Helper::on_ready(std::uint32_t) {
  HelperAnswer answer;
  auto packet = receive_packet(socket_.get(), &answer, sizeof answer);
  if (!packet && packet.error().code == EAGAIN) return;
  if (!packet || packet->end || pending_.empty()) return lost();
  const Done done = std::move(pending_.front().done);
  pending_.pop_front();
  if (!pending_.empty()) send_next();
  if (answer.error != 0) return done(error_of(answer));
  done(std::move(packet->fd));
}

void Helper::lost() {
  dead_ = true;
  loop_->remove(*source_);
  source_.reset();
  reap();
  on_lost_();
  for (const Pending& pending : std::exchange(pending_, {})) pending.done(gone());
}

void Helper::detach() {
  if (source_) loop_->remove(*source_);
  source_.reset();
  loop_ = nullptr;
  pending_.clear();
}

void Helper::reap() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
}

}  // namespace ipn
