// SPDX-License-Identifier: MIT
#include "tests/hostile/crowd.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tests/hostile/raw_node.h"

#include <ipn/ipn.h>

namespace ipn::hostile {

struct Crowd::Shared {
  struct Network {
    std::atomic<std::uint64_t> sender = 0;  ///< its id
    std::array<std::atomic<std::uint64_t>, 2> received{};
  };
  std::array<Network, kNetworks.size()> networks;
  std::atomic<unsigned> ready = 0;
  std::atomic<bool> failed = false;
  std::array<char, 256> failure{};
};

namespace {

constexpr std::chrono::microseconds kPace{200};
constexpr unsigned kBurst = 16;
constexpr std::size_t kLongest = 400;

std::size_t length_of(std::uint64_t number) { return 8 + number * 7 % (kLongest - 8); }

void fill(std::byte* message, std::uint64_t number) {
  std::memcpy(message, &number, sizeof number);
  std::memset(message + sizeof number, static_cast<int>(number & 0xff), length_of(number) - 8);
}

class Member {
 public:
  Member(Crowd::Shared& shared, unsigned network) : shared_(shared), network_(network) {}
  ~Member() { ipn_close(node_); }

  void join(unsigned roles) {
    int error = ipn_open(nullptr, 0, &node_);
    if (error == 0 && network_ == 0) error = ipn_setopt(node_, IPN_OPT_FLAGS, IPN_NET_LOSSLESS);
    if (error == 0) error = ipn_bind(node_, kNetworks[network_], IPN_BROADCAST);
    if (error == 0) error = ipn_connect(node_, nullptr, IPN_BROADCAST, roles);
    if (error != 0) fail("does not join", error);
    info_.size = sizeof info_;
    ipn_info(node_, &info_);
    if (info_.door != IPN_DOOR_FAST) fail("is not attached", 0);
    ++shared_.ready;
  }

  void send_all() {
    join(IPN_ROLE_SEND);
    shared_.networks[network_].sender = info_.node;
    eventually([&] { return shared_.ready == Crowd::kNodes; });
    std::array<std::byte, kLongest> message;
    for (std::uint64_t number = 1;; ++number) {
      fill(message.data(), number);
      const ssize_t sent = ipn_send(node_, message.data(), length_of(number), 0);
      if (sent < 0) fail("cannot send", sent);
      if (number % kBurst == 0) std::this_thread::sleep_for(kPace);
    }
  }

  void receive_all(unsigned index) {
    join(IPN_ROLE_RECV);
    std::uint64_t last = 0;
    std::vector<std::byte> message(IPN_MSG_MAX), wanted(kLongest);
    for (std::uint64_t lost = 0;;) {
      ipn_msg header{};
      const ssize_t got = ipn_recvmsg(node_, &header, message.data(), message.size(), 0);
      if (got < 0) fail("cannot receive", got);
      lost += header.count;
      if (header.peer != shared_.networks[network_].sender) continue;
      std::uint64_t number = 0;
      if (got >= 8) std::memcpy(&number, message.data(), sizeof number);
      if (number <= last || number - last - 1 > lost) fail_at(last, number, lost);
      if (static_cast<std::size_t>(got) != length_of(number)) fail("received another length", got);
      fill(wanted.data(), number);
      if (std::memcmp(message.data(), wanted.data(), length_of(number)) != 0) {
        fail("received other bytes", 0);
      }
      if (network_ == 0 && lost != 0) fail_at(last, number, lost);
      last = number;
      lost = 0;
      shared_.networks[network_].received[index].fetch_add(1, std::memory_order_relaxed);
    }
  }

 private:
  [[noreturn]] void fail(const char* what, long result) {
    char text[160] = "";
    if (result < 0 && node_ != nullptr) ipn_explain(node_, text, sizeof text);
    if (!shared_.failed) {
      std::snprintf(shared_.failure.data(), shared_.failure.size(), "%s: %s (%ld) %s",
                    kNetworks[network_], what, result, text);
    }
    shared_.failed = true;
    for (;;) pause();
  }
  [[noreturn]] void fail_at(std::uint64_t last, std::uint64_t number, std::uint64_t lost) {
    char text[120];
    std::snprintf(text, sizeof text, "%llu follows %llu, %llu told as lost",
                  static_cast<unsigned long long>(number), static_cast<unsigned long long>(last),
                  static_cast<unsigned long long>(lost));
    fail(text, 0);
  }

  Crowd::Shared& shared_;
  unsigned network_;
  ipn_node* node_ = nullptr;
  struct ipn_info info_ {};
};

[[noreturn]] void run_crowd(Crowd::Shared& shared) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<std::thread> threads;
  for (unsigned network = 0; network < kNetworks.size(); ++network) {
    threads.emplace_back([&, network] { Member(shared, network).send_all(); });
    for (unsigned i = 0; i < 2; ++i) {
      threads.emplace_back([&, network, i] { Member(shared, network).receive_all(i); });
    }
  }
  for (auto& thread : threads) thread.join();
  _exit(0);
}

}  // namespace

Crowd::Crowd() {
  void* page =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) give_up("no shared page");
  shared_ = new (page) Shared;
  pid_ = fork();
  if (pid_ == 0) run_crowd(*shared_);
  if (!eventually([&] { return shared_->ready == kNodes || shared_->failed; })) {
    give_up("the honest programs do not join");
  }
}

Crowd::~Crowd() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string Crowd::check_progress(std::uint64_t messages) const {
  if (waitpid(pid_, nullptr, WNOHANG) != 0) return "the honest programs died";
  for (unsigned network = 0; network < kNetworks.size(); ++network) {
    for (auto& received : shared_->networks[network].received) {
      const std::uint64_t goal = received + messages;
      const bool goes_on = eventually([&] { return received >= goal || shared_->failed; });
      if (shared_->failed) return shared_->failure.data();
      if (!goes_on) return std::string(kNetworks[network]) + ": honest messages do not come";
    }
  }
  return "";
}

void be_victim(const char* network, bool sends, int started) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ipn_node* node = nullptr;
  int error = ipn_open(nullptr, 0, &node);
  if (error == 0)
    error = ipn_connect(node, network, IPN_ANY, sends ? IPN_ROLE_SEND : IPN_ROLE_RECV);
  if (error != 0) _exit(2);
  std::vector<std::byte> message(IPN_MSG_MAX);
  (void)!write(started, "", 1);
  for (std::uint32_t n = 0;; ++n) {
    const ssize_t done = sends ? ipn_send(node, message.data(), n * 31 % 1500, 0)
                               : ipn_recv(node, message.data(), message.size(), 0);
    if (done < 0) _exit(3);
  }
}

void be_honest_once(const char* network) {
  ipn_node* node = nullptr;
  std::array<std::byte, 2000> message{};
  bool good = ipn_open(nullptr, 0, &node) == 0 && ipn_connect(node, network, IPN_ANY, 0) == 0;
  for (unsigned i = 0; good && i < 3; ++i) {
    good = ipn_send(node, message.data(), 100, 0) == 100 &&
           ipn_recv(node, message.data(), message.size(), 0) >= 0;
  }
  good = good && ipn_setdoor(node, IPN_DOOR_DEVICE) == 0 &&
         ipn_send(node, message.data(), 100, 0) == 100 && ipn_setdoor(node, IPN_DOOR_FAST) == 0 &&
         ipn_close(node) == 0;
  _exit(good ? 0 : 1);
}

}  // namespace ipn::hostile
