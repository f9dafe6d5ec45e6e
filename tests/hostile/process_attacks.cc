// SPDX-License-Identifier: MIT
// Programs that are stopped and killed, and that use both doors at once.
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "tests/hostile/attacks.h"
#include "tests/hostile/crowd.h"
#include "tests/hostile/raw_node.h"

namespace ipn::hostile {
namespace {

constexpr unsigned kKills = 240;
constexpr unsigned kStepped = 40;
constexpr std::uint64_t kMostSteps = 1200;  // some messages
constexpr std::chrono::milliseconds kBothDoors{1000};

/// Any moment is as good as another one.
void some_time(Random& random, std::uint64_t most_us) {
  std::this_thread::sleep_for(std::chrono::microseconds(below(random, most_us)));
}

void kill_programs(Random& random) {
  for (unsigned i = 0; i < kKills; ++i) {
    std::array<int, 2> started{};
    require(pipe2(started.data(), O_CLOEXEC) == 0, "a pipe");
    const char* network = any_network(random);
    const bool sends = below(random, 2) == 0;
    const pid_t child = fork();
    if (child == 0) be_victim(network, sends, started[1]);
    close(started[1]);
    char byte = 0;
    // One in four is killed while it joins.
    if (i % 4 != 0) require(read(started[0], &byte, 1) == 1, "an honest program joins");
    close(started[0]);
    some_time(random, 4000);
    if (below(random, 2) == 0) {
      kill(child, SIGSTOP);
      some_time(random, 3000);
      if (below(random, 2) == 0) kill(child, SIGCONT);
      some_time(random, 1000);
    }
    require(waitpid(child, nullptr, WNOHANG) == 0, "an honest program works until it is killed");
    kill(child, SIGKILL);
    require(waitpid(child, nullptr, 0) == child, "a killed program ends");
  }
}

/// An honest life from the first call to the last, for a tracer that ends it before.
[[noreturn]] void live_under_trace(const char* network) {
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  raise(SIGSTOP);
  be_honest_once(network);
}

/// Kills a program when it stops the `stops`-th time. False: it has ended before.
bool kill_at_stop(const char* network, bool steps, std::uint64_t stops) {
  const pid_t child = fork();
  if (child == 0) live_under_trace(network);
  int status = 0;
  bool alive = waitpid(child, &status, 0) == child && WIFSTOPPED(status);
  require(alive, "a program can be traced");
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);
  for (std::uint64_t i = 0; alive && i < stops; ++i) {
    ptrace(steps ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, child, nullptr, nullptr);
    require(waitpid(child, &status, 0) == child, "a traced program stops");
    alive = WIFSTOPPED(status);
  }
  if (!alive) {
    require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "an honest life has no errors");
    return false;
  }
  kill(child, SIGKILL);
  require(waitpid(child, &status, 0) == child, "a killed program ends");
  return true;
}

/// Lets a program work, then goes on step by step, then kills it.
void kill_at_work(const char* network, std::uint64_t steps) {
  std::array<int, 2> started{};
  require(pipe2(started.data(), O_CLOEXEC) == 0, "a pipe");
  const pid_t child = fork();
  if (child == 0) be_victim(network, true, started[1]);
  close(started[1]);
  char byte = 0;
  require(read(started[0], &byte, 1) == 1, "an honest program joins");
  close(started[0]);
  int status = 0;
  require(ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0 &&
              ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr) == 0 &&
              waitpid(child, &status, 0) == child && WIFSTOPPED(status),
          "a program can be traced");
  for (std::uint64_t i = 0; i < steps; ++i) {
    ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
    require(waitpid(child, &status, 0) == child && WIFSTOPPED(status), "a traced program stops");
  }
  kill(child, SIGKILL);
  require(waitpid(child, &status, 0) == child, "a killed program ends");
}

/// At the begin and at the end of each of its system calls.
void kill_at_every_call(Random& random) {
  std::uint64_t stops = 0;
  while (kill_at_stop(any_network(random), false, stops)) ++stops;
  require(stops > 20, "the program makes system calls");
}

/// In the middle of sending and receiving, after any instruction.
void kill_at_instructions(Random& random) {
  for (unsigned i = 0; i < kStepped; ++i) {
    kill_at_work(any_network(random), below(random, kMostSteps));
  }
}

void call_the_device(const RawNode& node, Random& random, const std::atomic<bool>& stop) {
  std::array<char, 2000> bytes{};
  while (!stop) {
    const int fd = node.device.get();
    switch (below(random, 12)) {
      case 0:
        (void)!read(fd, bytes.data(), bytes.size());
        break;
      case 1: {
        pollfd entry{fd, POLLIN | POLLOUT, 0};
        poll(&entry, 1, static_cast<int>(below(random, 3)));
        break;
      }
      case 2: {
        ipn_nodecfg config{};
        config.size = sizeof config;
        config.flags = IPN_NODECFG_OVERFLOW;
        config.overflow = below(random, 2) == 0 ? IPN_OVERFLOW_LATEST : IPN_OVERFLOW_DROP_NEWEST;
        ioctl(fd, IPN_IOC_NODE_SET, &config);
        break;
      }
      case 3:
        ioctl(fd, IPN_IOC_SEND(0), bytes.data());
        break;
      default:
        (void)!write(fd, bytes.data(), 1 + below(random, 1500));
    }
  }
}

/// In a network of its own a program may do everything: settings, kicks, the end.
void rule_a_network(Random& random) {
  for (unsigned round = 0; round < 30; ++round) {
    const Descriptor ruler(open(std::getenv("IPN_DEVICE"), O_RDWR | O_CLOEXEC));
    ipn_netcfg config{};
    config.size = sizeof config;
    config.flags = IPN_NETCFG_POLICY | IPN_NETCFG_NFLAGS;
    config.policy = IPN_BROADCAST;
    config.nflags = below(random, 2) == 0 ? IPN_NET_LOSSLESS : 0;
    std::snprintf(config.name, sizeof config.name, "ruled");
    require(eventually([&] { return ioctl(ruler.get(), IPN_IOC_NET_ADD, &config) == 0; }),
            "a network can be made");
    RawNode first("ruled"), second("ruled"), silent("ruled");
    for (RawNode* node : {&first, &second, &silent}) {
      require(node->attach() == 0, "a correct program attaches");
    }
    for (unsigned i = 0; i < 60; ++i) {
      for (unsigned n = 0; n < 30; ++n) first.send(static_cast<std::uint32_t>(below(random, 1500)));
      first.ring();
      if (below(random, 4) != 0) second.read_all();
      ipn_netcfg wanted{};
      wanted.size = sizeof wanted;
      wanted.net = config.net;
      wanted.flags = IPN_NETCFG_MTU | IPN_NETCFG_POOL;
      wanted.mtu = static_cast<__u32>(1 + below(random, below(random, 8) == 0 ? 65536 : 1500));
      wanted.pool = static_cast<__u32>(1 + below(random, 2000));
      ioctl(ruler.get(), IPN_IOC_NET_SET, &wanted);
      if (below(random, 30) == 0) {
        ipn_shutdown how{};
        how.size = sizeof how;
        how.how = static_cast<__u32>(below(random, 3));
        ioctl((below(random, 2) == 0 ? first : second).device.get(), IPN_IOC_SHUTDOWN, &how);
      }
      if (below(random, 20) == 0) silent.detach();
    }
    if (below(random, 2) == 0) silent.device.reset();
    config.flags = 0;
    require(ioctl(ruler.get(), IPN_IOC_NET_END, &config) == 0, "a network can be ended");
    first.send(8);
    first.ring();
  }
}

/// Writes, reads and polls on the device file while the ring is in use, and attaches again.
void use_both_doors(Random& random) {
  const auto until = std::chrono::steady_clock::now() + kBothDoors;
  while (std::chrono::steady_clock::now() < until) {
    RawNode node(any_network(random));
    require(node.attach() == 0, "a correct program attaches");
    fcntl(node.device.get(), F_SETFL, O_NONBLOCK);
    std::atomic<bool> stop = false;
    const std::array<std::uint64_t, 2> seeds{random(), random()};
    std::array<std::thread, 2> threads;
    for (unsigned i = 0; i < threads.size(); ++i) {
      threads[i] = std::thread([&, i] {
        Random own(seeds[i]);
        call_the_device(node, own, stop);
      });
    }
    for (unsigned i = 0; i < 20000; ++i) {
      node.send(static_cast<std::uint32_t>(below(random, 1500)));
      if (i % 64 == 0) node.ring();
      if (node.log != nullptr) node.read_all();
      if (i % 4000 == 3999 && node.detach() == 0) node.attach();
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace

std::vector<Attack> process_attacks() {
  return {{"stopping and killing programs", kill_programs},
          {"killing at every system call", kill_at_every_call},
          {"killing in the middle of sending", kill_at_instructions},
          {"ruling a network", rule_a_network},
          {"both doors at once", use_both_doors}};
}

}  // namespace ipn::hostile
