// SPDX-License-Identifier: MIT
// ipnctl: the administration tool of IPN. It speaks to the daemon only by
// ioctl on the device, as any program may.
#include <array>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "ipnctl/command_line.h"
#include "ipnctl/errors.h"
#include "ipnctl/terminal.h"

namespace {

/// Says what failed and gives the exit status.
int fail(const ipnctl::Failure& failure, bool json) {
  if (ipnctl::is_closed_output(failure)) return 0;
  if (json) {
    const std::string line = ipnctl::error_json(failure) + '\n';
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
  } else {
    ipnctl::write_note(ipnctl::sentence(failure));
  }
  return failure.is_usage ? 2 : 1;
}

/// A standard stream that is closed would be the next file that we open: the
/// device. Each gets a file on which the wrong use fails, as it would have.
void fill_standard_streams() {
  constexpr std::array<int, 3> kModes{O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // The lowest number that is free is this one.
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", kModes.at(static_cast<std::size_t>(fd)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
  // A closed standard output is an error of write(2), not the end of us.
  std::signal(SIGPIPE, SIG_IGN);
  ipnctl::CommandLine line;
  const auto outcome = line.parse(argc, argv);
  const bool json = line.globals().json;
  if (outcome.failure.is_usage) return fail(outcome.failure, json);
  const auto done =
      outcome.action ? outcome.action(line.globals()) : ipnctl::write_out(outcome.text);
  return done ? 0 : fail(done.error(), json);
}
