// SPDX-License-Identifier: MIT
// The attach socket with a real loop: tickets, and what becomes of a node whose
// program writes nonsense into its ring.
#include "switchcore/io/ring_ports.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libipn/ring/send_writer.h"
#include "switchcore/policy/broadcast.h"
#include "tests/unit/io/loop_fixture.h"

namespace ipn::io {
namespace {

struct Quiet final : SwitchObserver {
  void on_networks_changed() override {}
  void on_evicted(const Network&, const Node&, TimeNs) override {}
  void on_cut_off(const Network&, const Node&, std::string_view reason) override {
    cut_off.emplace_back(reason);
  }
  std::vector<std::string> cut_off;
};

struct Sink final : NodeSink {
  void on_ready(Node&) override { ++told; }
  int told = 0;
};

/// What a program has of an attached node.
struct Program {
  std::span<std::byte> client, status;
  ipn_grant grant{};
  ipn_control& control() const { return *reinterpret_cast<ipn_control*>(client.data()); }
  const ipn_status& page() const { return *reinterpret_cast<const ipn_status*>(status.data()); }
  std::span<std::byte> ring() const { return client.subspan(IPN_PAGE); }
  ipn_send_record& first_record() const {
    return *reinterpret_cast<ipn_send_record*>(ring().data());
  }
};

class RingPortsTest : public testing::Test, private RoundHandler {
 protected:
  RingPortsTest() {
    options_.boot_id[3] = 7;
    options_.spin = Spin::kNever;
    core_.add_policy(broadcast_policy());
    auto loop = make_loop(Backend::kEpoll);
    EXPECT_TRUE(loop);
    loop_ = std::move(*loop);
    ports_ = std::make_unique<RingPorts>(core_, *loop_, options_);
    listen();
    NetworkConfig config;
    config.name = "net";
    config.policy = IPN_BROADCAST;
    config.flags = IPN_NET_PERSISTENT | IPN_NET_LOSSLESS;
    config.pool = 64;
    EXPECT_TRUE(core_.add_network(config, who_, false));
    sender_ = join();
    reader_ = join();
  }
  ~RingPortsTest() override {
    leave();
    ports_.reset();
  }

  void listen() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un empty{};  // the kernel chooses an abstract name
    empty.sun_family = AF_UNIX;
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&empty), sizeof(sa_family_t)), 0);
    length_ = sizeof address_;
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address_), &length_), 0);
    EXPECT_EQ(::listen(socket.get(), 2000), 0);
    EXPECT_TRUE(ports_->listen(std::move(socket), "@"));
  }

  Node* join(std::uint32_t roles = 0) {
    auto node = core_.open_node(Door::kFile, sink_);
    EXPECT_TRUE(core_.connect(**node, {"net", IPN_ANY, roles, {}}, who_));
    core_.dispatch();
    return *node;
  }

  // Rounds of the daemon.
  void on_round_begin(const Clock& clock) override {
    clock_ = clock;
    clock_.monotonic += skipped_;
    core_.begin_round(clock_);
    ports_->begin_round(clock_);
  }
  void on_round_end() override { ports_->run(); }
  void round() { ASSERT_TRUE(loop_->run_round(*this, kAtOnce)); }
  void run_until(const std::function<bool()>& holds) {
    const TimeNs deadline = now() + kPatience;
    while (!holds()) {
      ASSERT_LT(now(), deadline);
      round();
    }
  }

  // The program.
  Descriptor connect() {
    Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address_), length_), 0);
    return socket;
  }
  /// Throws away what has come.
  bool has_hung_up(const Descriptor& socket) {
    char byte = 0;
    ssize_t got = 1;
    while (got > 0) got = ::recv(socket.get(), &byte, 1, MSG_DONTWAIT);
    return got == 0;
  }
  ipn_attach ticket_of(const Descriptor& socket) {
    ipn_grant grant{};
    run_until([&] { return ::recv(socket.get(), &grant, sizeof grant, 0) > 0; });
    EXPECT_EQ(grant.kind, IPN_GRANT_TICKET);
    ipn_attach request{};
    std::memcpy(request.ticket, grant.ticket, sizeof request.ticket);
    std::memcpy(request.boot_id, grant.boot_id, sizeof request.boot_id);
    return request;
  }
  static TicketHolder me() { return {static_cast<std::uint32_t>(getpid()), getuid()}; }
  int attach(const ipn_attach& request, const TicketHolder& who) {
    auto port = ports_->attach(*sender_, request, who, 128 << 10);
    if (!port) return port.error().code;
    port_ = std::move(*port);
    return 0;
  }
  void leave() {
    if (!port_) return;
    core_.detach(*sender_);
    ports_->forget(*port_);
    port_.reset();
  }

  /// Attaches the sender and maps what it is given.
  Program attach_and_map(const Descriptor& socket) {
    EXPECT_EQ(attach(ticket_of(socket), me()), 0);
    Program program;
    std::array<int, 3> fds{-1, -1, -1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
    iovec data{&program.grant, sizeof program.grant};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    EXPECT_GT(::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC), 0);
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    EXPECT_NE(header, nullptr);
    std::memcpy(fds.data(), CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    const auto map = [](int fd, std::size_t bytes, int protection) {
      void* address = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
      EXPECT_NE(address, MAP_FAILED);
      return std::span(static_cast<std::byte*>(address), bytes);
    };
    program.client = map(fds[0], program.grant.client_bytes, PROT_READ | PROT_WRITE);
    program.status = map(fds[1], program.grant.status_bytes, PROT_READ);
    for (const int fd : fds) {
      if (fd >= 0) ::close(fd);
    }
    return program;
  }
  static void unmap(const Program& program) {
    ::munmap(program.client.data(), program.client.size());
    ::munmap(program.status.data(), program.status.size());
  }

  Quiet observer_;
  Sink sink_;
  Credentials who_;
  Switch core_{Limits{}, shared_storage(), observer_};
  RingPorts::Options options_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<RingPorts> ports_;
  std::unique_ptr<RingPort> port_;
  sockaddr_un address_{};
  socklen_t length_ = 0;
  Clock clock_;
  TimeNs skipped_ = 0;
  Node* sender_ = nullptr;
  Node* reader_ = nullptr;
};

// Tickets ---------------------------------------------------------------------------

TEST_F(RingPortsTest, ATicketIsGoodOnce) {
  const Descriptor socket = connect();
  const ipn_attach request = ticket_of(socket);
  EXPECT_EQ(attach(request, me()), 0);
  EXPECT_TRUE(sender_->is_attached());
  leave();
  EXPECT_EQ(attach(request, me()), EPERM);
}

TEST_F(RingPortsTest, AnotherTicketIsRefused) {
  const Descriptor socket = connect();
  const ipn_attach good = ticket_of(socket);
  ipn_attach bad = good;
  bad.ticket[15] ^= 1;
  EXPECT_EQ(attach(bad, me()), EPERM);
  bad = good;
  bad.boot_id[0] ^= 1;
  EXPECT_EQ(attach(bad, me()), EPERM);
  EXPECT_EQ(attach(ipn_attach{}, me()), EPERM);
  EXPECT_EQ(attach(good, me()), 0) << "guessing costs the others nothing";
}

TEST_F(RingPortsTest, ARelayedTicketIsWorthlessAndSpent) {
  for (const TicketHolder& other :
       {TicketHolder{me().pid + 1, me().uid}, TicketHolder{me().pid, me().uid + 1},
        TicketHolder{0, me().uid}}) {
    const Descriptor socket = connect();
    const ipn_attach request = ticket_of(socket);
    EXPECT_EQ(attach(request, other), EPERM);
    EXPECT_EQ(attach(request, me()), EPERM);
    EXPECT_TRUE(has_hung_up(socket));
  }
  EXPECT_FALSE(sender_->is_attached());
}

TEST_F(RingPortsTest, ATicketThatAnotherProcessFetchedIsWorthless) {
  std::array<int, 2> pair{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
    ipn_grant grant{};
    const bool done = ::connect(fd, reinterpret_cast<sockaddr*>(&address_), length_) == 0 &&
                      ::recv(fd, &grant, sizeof grant, 0) > 0 &&
                      ::send(pair[1], &grant, sizeof grant, 0) > 0;
    char byte = 0;
    ::recv(fd, &byte, 1, 0);  // until the daemon hangs up
    _exit(done ? 0 : 1);
  }
  ipn_grant grant{};
  run_until([&] { return ::recv(pair[0], &grant, sizeof grant, 0) > 0; });
  ipn_attach request{};
  std::memcpy(request.ticket, grant.ticket, sizeof request.ticket);
  std::memcpy(request.boot_id, grant.boot_id, sizeof request.boot_id);
  EXPECT_EQ(attach(request, me()), EPERM);
  round();
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const int fd : pair) ::close(fd);
}

TEST_F(RingPortsTest, ATicketExpires) {
  const Descriptor socket = connect();
  const ipn_attach request = ticket_of(socket);
  EXPECT_TRUE(ports_->next_timer());
  skipped_ = 2 * kSecond;
  round();
  EXPECT_EQ(attach(request, me()), EPERM);
  EXPECT_TRUE(has_hung_up(socket));
  EXPECT_FALSE(ports_->next_timer());
}

TEST_F(RingPortsTest, HalfOpenConnectionsAreBounded) {
  std::vector<Descriptor> sockets;
  for (int i = 0; i < 1100; ++i) sockets.push_back(connect());
  run_until([&] { return has_hung_up(sockets.back()); });
  EXPECT_TRUE(has_hung_up(sockets.back())) << "there was no room for it";
  EXPECT_FALSE(has_hung_up(sockets.front()));
  skipped_ = 2 * kSecond;
  round();
  EXPECT_TRUE(has_hung_up(sockets.front()));
  const Descriptor late = connect();
  EXPECT_EQ(attach(ticket_of(late), me()), 0);
}

// What a program writes ----------------------------------------------------------------

class RingFaults : public RingPortsTest {
 protected:
  void SetUp() override { program_ = attach_and_map(socket_); }
  void TearDown() override { unmap(program_); }

  /// The head is stored, and the daemon is asked to look.
  void commit(std::uint64_t head) {
    ring::store_word(program_.control().send_head, __u64{head}, std::memory_order_release);
    port_->take_all();
    core_.dispatch();
  }
  void expect_cut_off(std::string_view why) {
    ASSERT_EQ(observer_.cut_off.size(), 1U);
    EXPECT_NE(observer_.cut_off[0].find(why), std::string::npos) << observer_.cut_off[0];
    EXPECT_EQ(sender_->state(), Node::State::kEnded);
    EXPECT_EQ(program_.page().send_state, std::uint32_t{IPN_RING_ENDED});
    EXPECT_EQ(program_.page().recv_state, std::uint32_t{IPN_RING_ENDED});
    EXPECT_EQ(program_.page().moved_at, 0U);
    EXPECT_EQ(reader_->state(), Node::State::kConnected);
    EXPECT_EQ(core_.totals().cut_off, 1U);
  }
  ipn_send_record& record() { return program_.first_record(); }
  ipn_send_record good() const {
    ipn_send_record record{};
    record.len = 10;
    record.type = IPN_RECORD_DATA;
    return record;
  }

  Descriptor socket_ = connect();
  Program program_;
};

TEST_F(RingFaults, AGoodMessageIsDelivered) {
  record() = good();
  commit(64);
  EXPECT_TRUE(observer_.cut_off.empty());
  EXPECT_EQ(core_.peek(*reader_).message.payload.size(), 10U);
  EXPECT_EQ(program_.page().send_tail, 64U);
}

TEST_F(RingFaults, AHeadBeyondTheRingIsFatal) {
  commit(program_.ring().size() + 32);
  expect_cut_off("head");
}

TEST_F(RingFaults, AHeadThatIsNotAlignedIsFatal) {
  commit(33);
  expect_cut_off("head");
}

TEST_F(RingFaults, AHeadThatGoesBackIsFatal) {
  record() = good();
  commit(64);
  commit(32);
  expect_cut_off("head");
}

TEST_F(RingFaults, ALengthBeyondWhatWasCommittedIsFatal) {
  record() = good();
  record().len = 64;
  commit(64);
  expect_cut_off("length");
}

TEST_F(RingFaults, TheLargestLengthIsFatal) {
  record() = good();
  record().len = 0xffffffff;
  commit(64);
  expect_cut_off("length");
}

TEST_F(RingFaults, PaddingThatDoesNotReachTheEndIsFatal) {
  record() = good();
  record().type = IPN_RECORD_PAD;
  commit(64);
  expect_cut_off("length");
}

TEST_F(RingFaults, AnUnknownTypeIsFatal) {
  record() = good();
  record().type = IPN_RECORD_LOST;
  commit(64);
  expect_cut_off("type");
}

TEST_F(RingFaults, AnUnknownFlagIsFatal) {
  record() = good();
  record().flags = IPN_MSG_LOOPBACK;
  commit(64);
  expect_cut_off("flags");
}

TEST_F(RingFaults, MoreCompletionsThanThereIsRoomForAreFatal) {
  for (std::uint64_t i = 0; i <= IPN_COMPLETION_ENTRIES; ++i) {
    auto& at = *reinterpret_cast<ipn_send_record*>(program_.ring().data() + i * 64);
    at = good();
    at.flags = IPN_MSG_REPORT;
    at.cookie = i;
  }
  core_.close_node(*std::exchange(reader_, nullptr));
  for (std::uint64_t i = 1; i <= IPN_COMPLETION_ENTRIES; ++i) commit(i * 64);
  EXPECT_TRUE(observer_.cut_off.empty());
  EXPECT_EQ(program_.page().completion_head, std::uint64_t{IPN_COMPLETION_ENTRIES});
  reader_ = join();
  commit((IPN_COMPLETION_ENTRIES + 1) * 64);
  expect_cut_off("completions");
}

TEST_F(RingFaults, WhatIsRefusedAndNotReportedIsCounted) {
  record() = good();
  record().dst = 5;
  commit(64);
  EXPECT_TRUE(observer_.cut_off.empty());
  EXPECT_EQ(sender_->counters().drops[DropReason::kPolicy], 1U);
  auto& second = *reinterpret_cast<ipn_send_record*>(program_.ring().data() + 64);
  second = good();
  second.dst = 5;
  second.flags = IPN_MSG_REPORT;
  commit(128);
  EXPECT_EQ(sender_->counters().drops[DropReason::kPolicy], 1U) << "it is told";
  EXPECT_EQ(program_.page().completion_head, 1U);
}

TEST_F(RingFaults, AClaimAheadOfTheLogIsFatal) {
  ring::store_word(program_.control().read_seq, __u64{1'000}, std::memory_order_release);
  core_.readiness(*sender_);
  core_.dispatch();
  expect_cut_off("cursor");
}

// Rounds ----------------------------------------------------------------------------

/// Several programs that only send; nobody receives, so that there is always room.
class RingRounds : public RingPortsTest {
 protected:
  static constexpr std::uint64_t kRecord = 64;

  struct Sender {
    Node* node;
    std::unique_ptr<RingPort> port;
    Descriptor socket;
    Program program;
    std::uint64_t head = 0;

    std::uint64_t tail() const { return program.page().send_tail; }
    bool is_hot() const { return program.page().ring_me == 0; }
  };

  void SetUp() override {
    core_.close_node(*std::exchange(reader_, nullptr));
    core_.close_node(*std::exchange(sender_, nullptr));
  }
  void TearDown() override {
    for (Sender& sender : senders_) {
      core_.detach(*sender.node);
      ports_->forget(*sender.port);
      unmap(sender.program);
    }
    sender_ = nullptr;
  }
  void add_sender() {
    sender_ = join(IPN_ROLE_SEND);
    Descriptor socket = connect();
    Program program = attach_and_map(socket);
    senders_.push_back({sender_, std::move(port_), std::move(socket), program});
  }
  /// One round, with a clock of the test's own and without asking the kernel.
  void daemon_round() {
    core_.begin_round(clock_);
    ports_->begin_round(clock_);
    ports_->run();
  }
  /// Commits so many messages, but not more than there is room for, and rings if it is asked to.
  void send(Sender& sender, std::uint64_t messages) {
    write(sender, messages);
    if (!sender.is_hot()) ports_->look_at(*sender.port);
  }
  void write(Sender& sender, std::uint64_t messages) {
    const std::uint64_t size = sender.program.ring().size();
    for (; messages > 0 && sender.head - sender.tail() < size; --messages) {
      auto& record =
          *reinterpret_cast<ipn_send_record*>(sender.program.ring().data() + sender.head % size);
      record = {};
      record.len = 10;
      record.type = IPN_RECORD_DATA;
      sender.head += kRecord;
    }
    ring::store_word(sender.program.control().send_head, __u64{sender.head},
                     std::memory_order_release);
  }
  std::vector<Sender> senders_;
};

TEST_F(RingRounds, EveryPortHasItsTurnInEveryRound) {
  for (int i = 0; i < 4; ++i) add_sender();
  for (int rounds = 0; rounds < 3; ++rounds) {
    std::vector<std::uint64_t> before;
    for (Sender& sender : senders_) {
      send(sender, UINT64_MAX);
      before.push_back(sender.tail());
    }
    daemon_round();
    for (std::size_t i = 0; i < senders_.size(); ++i) {
      EXPECT_GT(senders_[i].tail(), before[i]) << "nothing of port " << i;
      EXPECT_LT(senders_[i].tail(), senders_[i].head) << "all of port " << i;
    }
  }
}

TEST_F(RingRounds, MovesMuchOfOnePortThatSendsAlone) {
  for (int i = 0; i < 3; ++i) add_sender();
  send(senders_[1], UINT64_MAX);
  daemon_round();
  EXPECT_EQ(senders_[1].tail(), senders_[1].head) << "2048 messages are less than a round's budget";
}

TEST_F(RingRounds, WhoWaitsForAnEmptyRingIsToldThoughThePortIsIdle) {
  for (int i = 0; i < 2; ++i) add_sender();
  for (int i = 0; i < 3; ++i) daemon_round();
  EXPECT_FALSE(senders_[0].is_hot());
  const int before = sink_.told;
  senders_[0].port->tell_when_empty();
  for (int i = 0; i < 3; ++i) {
    clock_.monotonic += kMillisecond;
    daemon_round();
  }
  EXPECT_EQ(sink_.told, before + 1);
  EXPECT_FALSE(senders_[0].is_hot()) << "and idle again";
}

TEST_F(RingRounds, WhoDoesNotSendBecomesIdleThoughOthersSend) {
  for (int i = 0; i < 3; ++i) add_sender();
  for (Sender& sender : senders_) send(sender, 1);
  daemon_round();
  for (const Sender& sender : senders_) EXPECT_TRUE(sender.is_hot());
  for (int i = 0; i < 4; ++i) {
    clock_.monotonic += 30 * kMicrosecond;
    send(senders_[0], 1);
    daemon_round();
  }
  EXPECT_TRUE(senders_[0].is_hot());
  EXPECT_FALSE(senders_[1].is_hot());
  EXPECT_FALSE(senders_[2].is_hot());
  // What it writes without ringing waits until it rings.
  write(senders_[1], 1);
  send(senders_[0], 1);
  daemon_round();
  EXPECT_LT(senders_[1].tail(), senders_[1].head);
  send(senders_[1], 0);
  send(senders_[0], 1);
  daemon_round();
  EXPECT_EQ(senders_[1].tail(), senders_[1].head);
  EXPECT_TRUE(senders_[1].is_hot());
}

}  // namespace
}  // namespace ipn::io
