// SPDX-License-Identifier: MIT
#include "tests/device/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "tests/device/client.h"
#include "tests/device/scenario.h"

namespace ipn::scenarios {

Process::Process(const std::function<int()>& body) : pid_(fork()) {
  if (pid_ == 0) _exit(body());
  EXPECT_GT(pid_, 0);
}

Process::~Process() {
  if (pid_ > 0) kill_and_reap();
}

int Process::wait() {
  int status = 0;
  const pid_t pid = std::exchange(pid_, -1);
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Process::kill_and_reap() {
  EXPECT_EQ(kill(pid_, SIGKILL), 0);
  EXPECT_EQ(wait(), -1);
}

int raw_open() { return open(settings().device.c_str(), O_RDWR | O_CLOEXEC); }

bool raw_connect(int fd, const std::string& name, std::uint32_t roles) {
  ipn_join join = join_of(name, roles, IPN_ANY);
  return ioctl(fd, IPN_IOC_CONNECT, &join) == 0;
}

}  // namespace ipn::scenarios
