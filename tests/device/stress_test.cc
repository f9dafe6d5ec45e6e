// SPDX-License-Identifier: MIT
//
// Processes that do anything at all and are killed in the middle of it.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <random>
#include <signal.h>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "tests/device/process.h"
#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

constexpr unsigned kFiles = 6;

/// Calls at random, until it is killed. Some threads share the files, so that
/// descriptors are closed in the middle of calls.
class Troublemaker {
 public:
  explicit Troublemaker(unsigned seed) : seed_(seed) {
    for (auto& file : files_) file = -1;
  }

  [[noreturn]] void run() {
    for (unsigned i = 0; i < 3; ++i) {
      std::thread([this, i] { make_trouble(seed_ + i); }).detach();
    }
    for (;;) pause();
  }

 private:
  [[noreturn]] void make_trouble(unsigned seed) {
    std::minstd_rand random(seed);
    for (;;) act(random);
  }

  void act(std::minstd_rand& random) {
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    const unsigned index = below(kFiles);
    const int fd = files_[index];
    if (fd < 0 || below(20) == 0) {
      if (fd >= 0) close(fd);
      files_[index] = raw_open();
      return;
    }
    std::array<char, 2048> buffer{};
    pollfd entry{fd, static_cast<short>(below(2) == 0 ? POLLIN : POLLOUT), 0};
    switch (below(8)) {
      case 0:
        return join(fd, IPN_IOC_BIND, below(3));
      case 1:
        return join(fd, IPN_IOC_CONNECT, below(3));
      case 2:
      case 3:
        return (void)!::write(fd, buffer.data(), 1 + below(1000));
      case 4:
        return (void)!::read(fd, buffer.data(), 1 + below(1000));
      case 5:
        return (void)::poll(&entry, 1, 1);
      case 6: {
        auto down = sized<ipn_shutdown>();
        down.how = below(3);
        return (void)(below(10) == 0 ? ioctl(fd, IPN_IOC_SHUTDOWN, &down) : 0);
      }
      default: {
        auto request = wait_peers_of(1 + below(9), 1);
        return (void)ioctl(fd, IPN_IOC_WAIT_PEERS, &request);
      }
    }
  }

  static void join(int fd, unsigned long command, unsigned net) {
    ipn_join request = join_of("Stress" + std::to_string(net));
    struct {
      ipn_opt option = sized<ipn_opt>();
      std::uint32_t value = 0;
    } option;
    option.option.size = sizeof option.option + 4;
    option.option.len = 4;
    option.option.name = IPN_OPT_FLAGS;
    option.value = net == 0   ? 0
                   : net == 1 ? IPN_NET_LOSSLESS
                              : IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL;
    if (command == IPN_IOC_BIND) ioctl(fd, IPN_IOC_SETOPT(4), &option);
    ioctl(fd, command, &request);
  }

  const unsigned seed_;
  std::array<std::atomic<int>, kFiles> files_;
};

TEST_F(SystemCalls, WhateverProcessesDoAndHoweverTheyEndNothingIsLeft) {
  std::random_device device;
  const unsigned seed = device();
  std::printf("seed %u\n", seed);
  std::minstd_rand random(seed);
  const auto watcher = open();
  const unsigned rounds = world().kind() == DoorKind::kCuse ? 2 : 5;
  for (unsigned round = 0; round < rounds; ++round) {
    std::vector<std::unique_ptr<Process>> processes;
    for (unsigned i = 0; i < 4; ++i) {
      const auto their_seed = static_cast<unsigned>(random());
      processes.push_back(
          std::make_unique<Process>([their_seed]() -> int { Troublemaker(their_seed).run(); }));
    }
    while (!processes.empty()) {
      const std::uint64_t until = stats(*watcher).requests + 1000 + random() % 2000;
      EXPECT_TRUE(world().eventually([&] { return stats(*watcher).requests > until; }));
      processes.pop_back();
    }
    EXPECT_TRUE(world().eventually([&] { return list_networks(*watcher).empty(); }));
  }
}

}  // namespace
}  // namespace ipn::scenarios
