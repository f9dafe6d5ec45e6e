// SPDX-License-Identifier: MIT
#include "bench/round_trips.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "bench/exchange.h"
#include "bench/times.h"

namespace ipn_bench {
namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::byte>;

constexpr double kP50 = 50, kP99 = 99;

std::uint64_t stamp_of(const Bytes& message) {
  std::uint64_t stamp = 0;
  std::memcpy(&stamp, message.data(), kStampBytes);
  return stamp;
}

/// Sends each message on `out`, and expects it on `in`. Between the two others
/// may pass it on: that is `answer`.
struct Asker {
  Line& out;
  Line& in;
  std::function<Result<void>()> answer;
  Pattern pattern;
  Bytes message = Bytes(pattern.size());
  Bytes room = Bytes(pattern.size() + 1);
  std::uint64_t next = 0;
  Seen seen{};
  Times times{};

  Result<void> once() {
    pattern.write(message.data(), stamp(0, next));
    const auto before = Clock::now();
    if (auto sent = out.send(message.data(), message.size()); !sent) return sent;
    if (answer) {
      if (auto answered = answer(); !answered) return answered;
    }
    const auto length = in.receive(room.data(), room.size());
    const auto after = Clock::now();
    if (!length) return length.error();
    times.add(static_cast<std::uint64_t>(Nanoseconds(after - before).count()));
    if (*length != message.size() || std::memcmp(room.data(), message.data(), *length) != 0) {
      seen.damaged++;
    }
    next++;
    seen.deliveries++;
    return {};
  }

  Result<void> run(Desk& desk) {
    times.clear();
    while (desk.is_going()) {
      if (auto passed = once(); !passed) return passed;
    }
    desk.record().sent.store(next);
    desk.note(seen);
    desk.record().p50_ns.store(times.percentile(kP50));
    desk.record().p99_ns.store(times.percentile(kP99));
    return {};
  }
};

Member asking_member(std::size_t size, const LineOpener& open) {
  Member member;
  member.work = [size, open](std::vector<Desk>& desks) -> Result<void> {
    auto line = open();
    if (!line) return line.error();
    const auto asker = std::make_unique<Asker>(Asker{**line, **line, {}, Pattern(size)});
    desks[0].ready();
    while (const auto run = desks[0].next_run()) {
      if (auto done = asker->run(desks[0]); !done) return done;
      asker->pattern.write(asker->message.data(), end_stamp(0, *run, asker->next));
      if (auto sent = (*line)->send(asker->message.data(), size); !sent) return sent;
      desks[0].rest();
    }
    return {};
  };
  return member;
}

/// Answers until the end of the run comes.
Result<void> answer_run(Line& line, Bytes& room) {
  for (;;) {
    const auto length = line.receive(room.data(), room.size());
    if (!length) return length.error();
    if (is_end(stamp_of(room))) return {};
    if (auto sent = line.send(room.data(), *length); !sent) return sent;
  }
}

Member answering_member(std::size_t size, const LineOpener& open) {
  Member member;
  member.work = [size, open](std::vector<Desk>& desks) -> Result<void> {
    auto line = open();
    if (!line) return line.error();
    Bytes room(size + 1);
    desks[0].ready();
    while (desks[0].next_run()) {
      if (auto done = answer_run(**line, room); !done) return done;
      desks[0].rest();
    }
    return {};
  };
  return member;
}

class NodeLine : public Line {
 public:
  explicit NodeLine(Node node) : node_(std::move(node)) {}

  Result<void> send(const void* message, std::size_t size) override {
    const ssize_t sent = ipn_send(node_.get(), message, size, 0);
    if (sent < 0) return node_.failure("ipn_send", sent);
    return {};
  }
  Result<std::size_t> receive(void* room, std::size_t size) override {
    const ssize_t length = ipn_recv(node_.get(), room, size, 0);
    if (length < 0) return node_.failure("ipn_recv", length);
    return static_cast<std::size_t>(length);
  }

 private:
  Node node_;
};

LineOpener node_opener(const Membership& membership) {
  return [membership]() -> Result<std::unique_ptr<Line>> {
    auto node = Node::join(membership);
    if (!node) return node.error();
    return std::unique_ptr<Line>(std::make_unique<NodeLine>(std::move(*node)));
  };
}

Member one_thread_member(std::size_t size, const LineOpener& open) {
  Member member;
  member.work = [size, open](std::vector<Desk>& desks) -> Result<void> {
    auto line = open();
    if (!line) return line.error();
    auto other = open();
    if (!other) return other.error();
    Bytes room(size + 1);
    const auto answer = [&]() -> Result<void> {
      const auto length = (*other)->receive(room.data(), room.size());
      if (!length) return length.error();
      return (*other)->send(room.data(), *length);
    };
    const auto asker = std::make_unique<Asker>(Asker{**line, **line, answer, Pattern(size)});
    desks[0].ready();
    while (desks[0].next_run()) {
      if (auto done = asker->run(desks[0]); !done) return done;
      desks[0].rest();
    }
    return {};
  };
  return member;
}

// ---- the relay ----

class SocketLine : public Line {
 public:
  explicit SocketLine(int socket) : socket_(socket) {}

  Result<void> send(const void* message, std::size_t size) override {
    while (::send(socket_, message, size, 0) < 0) {
      if (errno != EINTR) return Failure{std::string("send: ") + std::strerror(errno)};
    }
    return {};
  }
  Result<std::size_t> receive(void* room, std::size_t size) override {
    for (;;) {
      const ssize_t length = recv(socket_, room, size, 0);
      if (length >= 0) return static_cast<std::size_t>(length);
      if (errno != EINTR) return Failure{std::string("recv: ") + std::strerror(errno)};
    }
  }

 private:
  int socket_;
};

/// From the asking side to the answering one and back, for ever.
Member relaying_member(std::size_t size, int asking, int answering) {
  Member member;
  member.serves = true;
  member.work = [=](std::vector<Desk>& desks) -> Result<void> {
    SocketLine from(asking), to(answering);
    Bytes room(size + 1);
    desks[0].ready();
    for (bool is_asking = true;;) {
      Line& source = is_asking ? from : to;
      Line& target = is_asking ? to : from;
      const auto length = source.receive(room.data(), room.size());
      if (!length) return length.error();
      if (auto sent = target.send(room.data(), *length); !sent) return sent;
      // Nobody answers the end of a run.
      if (!is_end(stamp_of(room))) is_asking = !is_asking;
    }
  };
  return member;
}

LineOpener socket_opener(int socket) {
  return [socket]() -> Result<std::unique_ptr<Line>> {
    return std::unique_ptr<Line>(std::make_unique<SocketLine>(socket));
  };
}

}  // namespace

RoundTripSystem::RoundTripSystem(std::string name, Team team, const std::vector<pid_t>& daemons)
    : name_(std::move(name)), team_(std::move(team)), processes_(team_.pids()) {
  processes_.insert(processes_.end(), daemons.begin(), daemons.end());
}

Result<Outcome> RoundTripSystem::run(Nanoseconds duration) {
  const auto run = team_.run(duration);
  if (!run) return run.error();
  seen_.damaged += run->seen.damaged;
  return Outcome{run->sent, run->seen.deliveries, run->wall, run->p50_ns, run->p99_ns};
}

std::string RoundTripSystem::fault() const {
  const Faults faults{0, 0, seen_.damaged};
  return faults.any() ? name_ + ": messages: " + describe(faults) : std::string();
}

namespace {

Result<std::unique_ptr<RoundTripSystem>> start_system(const std::string& name,
                                                      const std::vector<Member>& members,
                                                      const std::vector<pid_t>& daemons) {
  auto team = Team::start(name, members);
  if (!team) return team.error();
  return std::make_unique<RoundTripSystem>(name, std::move(*team), daemons);
}

}  // namespace

Result<std::unique_ptr<RoundTripSystem>> start_ipn_round_trips(const Membership& membership,
                                                               std::size_t size,
                                                               const std::vector<pid_t>& daemons) {
  const LineOpener open = node_opener(membership);
  return start_system("ipn", {answering_member(size, open), asking_member(size, open)}, daemons);
}

Result<std::unique_ptr<RoundTripSystem>> start_ipn_one_thread(const Membership& membership,
                                                              std::size_t size,
                                                              const std::vector<pid_t>& daemons) {
  return start_system("ipn", {one_thread_member(size, node_opener(membership))}, daemons);
}

Result<std::unique_ptr<RoundTripSystem>> start_relay(std::size_t size) {
  std::array<int, 2> asking{}, answering{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, asking.data()) != 0) {
    return Failure{std::string("socketpair: ") + std::strerror(errno)};
  }
  const OpenFile asker(asking[0]), from(asking[1]);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, answering.data()) != 0) {
    return Failure{std::string("socketpair: ") + std::strerror(errno)};
  }
  const OpenFile answerer(answering[0]), to(answering[1]);
  return start_system("seqpacket-relay",
                      {relaying_member(size, from.fd(), to.fd()),
                       answering_member(size, socket_opener(answerer.fd())),
                       asking_member(size, socket_opener(asker.fd()))},
                      {});
}

}  // namespace ipn_bench
