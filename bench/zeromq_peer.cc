// SPDX-License-Identifier: MIT
// ZeroMQ through a proxy process, none of whose queues drops: PUSH and PULL to one
// receiver, XPUB and XSUB that wait to several.
#include <algorithm>
#include <cerrno>
#include <set>

#include "bench/peers.h"

#ifdef IPN_BENCH_ZEROMQ
#include <zmq.h>
#endif

namespace ipn_bench {

#ifdef IPN_BENCH_ZEROMQ

namespace {

constexpr const char* kName = "zeromq";
constexpr std::size_t kQueueMax = 4096;  // messages
constexpr std::size_t kQueueBytes = 8 << 20;
constexpr int kBuffer = 4 << 20;

Failure failure(const std::string& step) {
  return {std::string(kName) + ": " + step + ": " + zmq_strerror(zmq_errno())};
}

/// A socket in a context of its own, whose queues hold so many messages.
class ZeroSocket {
 public:
  ZeroSocket(int type, int queue) : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
    const int forever = -1;
    zmq_setsockopt(socket_, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(socket_, ZMQ_SNDBUF, &kBuffer, sizeof kBuffer);
    zmq_setsockopt(socket_, ZMQ_RCVBUF, &kBuffer, sizeof kBuffer);
    zmq_setsockopt(socket_, ZMQ_SNDTIMEO, &forever, sizeof forever);
    if (type != ZMQ_XPUB) return;
    const int yes = 1;
    zmq_setsockopt(socket_, ZMQ_XPUB_NODROP, &yes, sizeof yes);
  }
  ZeroSocket(const ZeroSocket&) = delete;
  ZeroSocket& operator=(const ZeroSocket&) = delete;
  ~ZeroSocket() {
    const int at_once = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &at_once, sizeof at_once);
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  void* get() const { return socket_; }

 private:
  void* context_;
  void* socket_;
};

class ZeroSource : public Source {
 public:
  ZeroSource(std::unique_ptr<ZeroSocket> socket, const Pattern& pattern)
      : socket_(std::move(socket)), pattern_(pattern), room_(pattern.size()) {}

  Result<void> send(std::uint64_t first, unsigned count) override {
    for (unsigned i = 0; i < count; i++) {
      pattern_.write(room_.data(), first + i);
      while (zmq_send(socket_->get(), room_.data(), room_.size(), 0) < 0) {
        if (zmq_errno() != EINTR && zmq_errno() != EAGAIN) return failure("zmq_send");
      }
    }
    return {};
  }

 private:
  std::unique_ptr<ZeroSocket> socket_;
  const Pattern& pattern_;
  std::vector<std::byte> room_;
};

class ZeroSink : public Sink {
 public:
  ZeroSink(std::unique_ptr<ZeroSocket> socket, std::size_t size)
      : socket_(std::move(socket)), room_(size + 1) {}

  Result<void> receive(Checker& checker) override {
    const int length = zmq_recv(socket_->get(), room_.data(), room_.size(), 0);
    if (length < 0 && zmq_errno() == EINTR) return {};
    if (length < 0) return failure("zmq_recv");
    checker.see(room_.data(), static_cast<std::size_t>(length));
    return {};
  }

 private:
  std::unique_ptr<ZeroSocket> socket_;
  std::vector<std::byte> room_;
};

/// Where a proxy listens, and with which sockets the others come.
struct Proxy {
  std::string in, out;
  bool publishes;
  int queue;

  int to_it() const { return publishes ? ZMQ_XPUB : ZMQ_PUSH; }
  int from_it() const { return publishes ? ZMQ_SUB : ZMQ_PULL; }
};

Result<void> serve(const Proxy& proxy, Desk& desk) {
  ZeroSocket in(proxy.publishes ? ZMQ_XSUB : ZMQ_PULL, proxy.queue);
  ZeroSocket out(proxy.publishes ? ZMQ_XPUB : ZMQ_PUSH, proxy.queue);
  if (zmq_bind(in.get(), proxy.in.c_str()) != 0) return failure(proxy.in);
  if (zmq_bind(out.get(), proxy.out.c_str()) != 0) return failure(proxy.out);
  desk.ready();
  for (;;) zmq_proxy(in.get(), out.get(), nullptr);
}

Result<Ends> open_receiver(const Proxy& proxy, std::size_t size, unsigned number) {
  auto socket = std::make_unique<ZeroSocket>(proxy.from_it(), proxy.queue);
  if (proxy.publishes) {
    // No message begins with the second; it tells the sender that we are here.
    const std::string here = "receiver " + std::to_string(number) + " of ipn-bench";
    zmq_setsockopt(socket->get(), ZMQ_SUBSCRIBE, "", 0);
    zmq_setsockopt(socket->get(), ZMQ_SUBSCRIBE, here.data(), here.size());
  }
  if (zmq_connect(socket->get(), proxy.out.c_str()) != 0) return failure(proxy.out);
  return Ends{nullptr, std::make_unique<ZeroSink>(std::move(socket), size)};
}

/// Waits until all receivers' subscriptions, and the common one, have come.
Result<void> await_receivers(ZeroSocket& socket, unsigned receivers) {
  std::set<std::string> subscriptions;
  std::array<char, 64> text{};
  while (subscriptions.size() < receivers + 1) {
    const int length = zmq_recv(socket.get(), text.data(), text.size(), 0);
    if (length < 0 && zmq_errno() != EINTR) return failure("waiting for receivers");
    if (length > 0) subscriptions.emplace(text.data(), static_cast<std::size_t>(length));
  }
  return {};
}

Result<Ends> open_sender(const Proxy& proxy, const Pattern& pattern, unsigned receivers) {
  auto socket = std::make_unique<ZeroSocket>(proxy.to_it(), proxy.queue);
  if (zmq_connect(socket->get(), proxy.in.c_str()) != 0) return failure(proxy.in);
  if (proxy.publishes) {
    if (auto there = await_receivers(*socket, receivers); !there) return there.error();
  }
  return Ends{std::make_unique<ZeroSource>(std::move(socket), pattern), nullptr};
}

}  // namespace

Result<Candidate> start_zeromq(const StreamPlan& plan, const Pattern& pattern,
                               const ScratchFolder& folder) {
  const std::string base = "ipc://" + folder.path_of("zeromq");
  const auto queue =
      static_cast<int>(std::clamp(kQueueBytes / plan.size, std::size_t{1}, kQueueMax));
  const Proxy proxy{base + ".in", base + ".out", plan.receivers > 1, queue};
  Member server;
  server.serves = true;
  server.work = [proxy](std::vector<Desk>& desks) { return serve(proxy, desks[0]); };
  Openers openers;
  openers.receiver = [=, &plan](unsigned i) { return open_receiver(proxy, plan.size, i); };
  openers.sender = [=, &plan, &pattern](unsigned) {
    return open_sender(proxy, pattern, plan.receivers);
  };
  std::vector<Member> members = stream_members(plan, openers, false);
  members.insert(members.begin(), std::move(server));
  auto team = Team::start(kName, members);
  if (!team) return team.error();
  Candidate candidate;
  candidate.system =
      std::make_unique<StreamSystem>(kName, std::move(*team), std::vector<pid_t>(), true);
  return candidate;
}

#else

Result<Candidate> start_zeromq(const StreamPlan&, const Pattern&, const ScratchFolder&) {
  return Candidate{nullptr, "zeromq: left out, libzmq was not there when ipn-bench was built"};
}

#endif

}  // namespace ipn_bench
