// SPDX-License-Identifier: MIT
#include "ipnd/signals.h"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

sigset_t our_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = our_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // One that was ignored by whoever started us, as nohup does, would never come.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) std::signal(signal, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
}

Result<std::unique_ptr<Signals>> Signals::attach(io::Loop& loop,
                                                 std::function<void(int)> on_signal) {
  const sigset_t set = our_signals();
  UniqueFd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return system_error(errno, "signalfd");
  std::unique_ptr<Signals> signals(new Signals(loop, std::move(fd), std::move(on_signal)));
  const auto source = loop.add_poll(signals->fd_.get(), POLLIN, *signals);
  if (!source) return source.error();
  signals->source_ = *source;
  return signals;
}

Signals::~Signals() {
  if (source_) loop_.remove(*source_);
}

void Signals::on_ready(std::uint32_t) {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    on_signal_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace ipn
