// SPDX-License-Identifier: MIT
//
// Everybody sends to everybody in a lossless network, and in the end the lists
// of what each of them was given are laid side by side.
#include <algorithm>
#include <array>
#include <poll.h>
#include <random>
#include <thread>
#include <unistd.h>

#include "tests/device/process.h"
#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

constexpr std::uint32_t kMembers = 32;

struct Delivery {
  std::uint64_t seq;
  std::uint64_t checksum;
  std::uint32_t sender;
  std::uint32_t number;  ///< of the sender's messages
};

std::uint64_t checksum_of(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  return hash;
}

/// One node that sends `quota` messages and receives those of the others.
class Member {
 public:
  Member(std::unique_ptr<File> file, std::uint32_t index, std::uint32_t quota)
      : file_(std::move(file)), index_(index), quota_(quota), random_(index) {
    set_header_mode(*file_);
    file_->set_nonblocking(true);
    got_.reserve(std::size_t{quota} * (kMembers - 1));
  }

  const File& file() const { return *file_; }
  const std::vector<Delivery>& got() const { return got_; }
  std::uint32_t sent() const { return sent_; }
  bool is_done() const { return failed_ || (sent_ == quota_ && got_.size() == got_.capacity()); }
  Interest interest() const {
    return {file_.get(), unsigned{POLLIN} | (sent_ < quota_ ? unsigned{POLLOUT} : 0U)};
  }

  /// Sends and receives a little; false if neither was possible.
  bool step() {
    constexpr int kSends = 4;
    constexpr int kReads = 4 * static_cast<int>(kMembers);
    bool moved = false;
    for (int i = 0; i < kSends && sent_ < quota_ && send_one(); ++i) moved = true;
    for (int i = 0; i < kReads && !failed_ && receive_one(); ++i) moved = true;
    return moved;
  }

 private:
  bool send_one() {
    std::array<std::uint32_t, 2> head = {index_, sent_};
    std::string payload(reinterpret_cast<const char*>(head.data()), sizeof head);
    payload.resize(payload.size() + random_() % 200, static_cast<char>(random_()));
    const Answer answer = file_->write(with_header(payload));
    if (answer.error == 0) ++sent_;
    if (answer.error != 0 && answer.error != EAGAIN) fail("sends", answer);
    return answer.error == 0;
  }

  bool receive_one() {
    const Answer answer = file_->read(512);
    if (answer.error == EAGAIN) return false;
    std::array<std::uint32_t, 2> head{};
    const Received received = take_apart(answer);
    if (answer.error != 0 || received.payload.size() < sizeof head ||
        got_.size() == got_.capacity()) {
      fail("reads", answer);
      return false;
    }
    EXPECT_EQ(received.header.count, 0U) << "lost in a lossless network";
    std::memcpy(head.data(), received.payload.data(), sizeof head);
    got_.push_back({received.header.seq, checksum_of(received.payload), head[0], head[1]});
    return true;
  }

  void fail(const char* what, const Answer& answer) {
    failed_ = true;
    ADD_FAILURE() << "member " << index_ << " " << what << ": " << answer;
  }

  std::unique_ptr<File> file_;
  const std::uint32_t index_;
  const std::uint32_t quota_;
  std::minstd_rand random_;
  std::uint32_t sent_ = 0;
  std::vector<Delivery> got_;
  bool failed_ = false;
};

using Members = std::vector<std::unique_ptr<Member>>;

/// Runs some members to the end; calls `between` between their steps.
void run(World& world, std::span<const std::unique_ptr<Member>> members,
         const std::function<void()>& between) {
  const auto all_done = [&] {
    return std::all_of(members.begin(), members.end(), [](const auto& m) { return m->is_done(); });
  };
  while (!all_done()) {
    bool moved = false;
    for (const auto& member : members) moved = member->step() || moved;
    between();
    if (moved || all_done()) continue;
    std::vector<Interest> interests;
    for (const auto& member : members) interests.push_back(member->interest());
    ASSERT_TRUE(world.wait_ready(interests)) << "everybody waits for somebody";
  }
}

// Looking at the lists ----------------------------------------------------------

void expect_each_sender_in_order(const std::vector<Delivery>& list) {
  std::array<std::uint32_t, kMembers> next{};
  for (const Delivery& delivery : list) {
    ASSERT_LT(delivery.sender, kMembers);
    ASSERT_EQ(delivery.number, next[delivery.sender]++) << "of sender " << delivery.sender;
  }
}

/// On the shared log: numbers ascend without a gap but a node's own messages,
/// and a number is the same message for everybody.
void expect_one_log(const Members& members, std::uint64_t first_seq, std::size_t messages) {
  std::vector<Delivery> log(messages, Delivery{0, 0, kMembers, 0});
  for (const auto& member : members) {
    for (const Delivery& delivery : member->got()) {
      ASSERT_GE(delivery.seq, first_seq);
      ASSERT_LT(delivery.seq - first_seq, messages);
      Delivery& entry = log[delivery.seq - first_seq];
      if (entry.seq == 0) entry = delivery;
      ASSERT_EQ(entry.sender, delivery.sender) << "number " << delivery.seq;
      ASSERT_EQ(entry.checksum, delivery.checksum) << "number " << delivery.seq;
    }
  }
  expect_each_sender_in_order(log);
  for (std::uint32_t index = 0; index < members.size(); ++index) {
    auto at = members[index]->got().begin();
    for (const Delivery& entry : log) {
      if (entry.sender == index) continue;
      ASSERT_NE(at, members[index]->got().end()) << "member " << index;
      ASSERT_EQ(at->seq, entry.seq) << "member " << index;
      ++at;
    }
    ASSERT_EQ(at, members[index]->got().end()) << "member " << index;
  }
}

/// On private logs: no gap at all, and what two members were both given came to
/// them in the same order.
void expect_same_order(const Members& members, std::uint64_t first_seq) {
  for (const auto& member : members) {
    std::uint64_t seq = first_seq;
    for (const Delivery& delivery : member->got()) ASSERT_EQ(delivery.seq, seq++);
    expect_each_sender_in_order(member->got());
  }
  for (std::uint32_t one = 0; one < 2; ++one) {
    for (std::uint32_t other = one + 1; other < members.size(); ++other) {
      const auto& list = members[other]->got();
      auto at = list.begin();
      const auto skip = [&] {
        while (at != list.end() && at->sender == one) ++at;
      };
      for (const Delivery& delivery : members[one]->got()) {
        if (delivery.sender == other) continue;
        skip();
        ASSERT_NE(at, list.end()) << "members " << one << " and " << other;
        ASSERT_EQ(at->sender, delivery.sender) << "members " << one << " and " << other;
        ASSERT_EQ(at->checksum, delivery.checksum) << "members " << one << " and " << other;
        ++at;
      }
      skip();
      ASSERT_EQ(at, list.end()) << "members " << one << " and " << other;
    }
  }
}

// The tests ---------------------------------------------------------------------

/// A receiver whose end is a kill -9 where there are processes, else a close.
class Victim {
 public:
  Victim(World& world, std::unique_ptr<File> file, const std::string& net) {
    if (!world.makes_system_calls()) {
      file_ = std::move(file);
      EXPECT_EQ(connect(*file_, net), 0);
      file_->set_nonblocking(true);
      return;
    }
    process_ = std::make_unique<Process>([&net] {
      const int fd = raw_open();
      std::array<char, 512> buffer;
      if (fd < 0 || !raw_connect(fd, net)) return 1;
      while (::read(fd, buffer.data(), buffer.size()) > 0) {
      }
      return 2;
    });
  }

  void step() {
    while (file_ && file_->read(512).error == 0) {
    }
  }

 private:
  std::unique_ptr<File> file_;
  std::unique_ptr<Process> process_;
};

class Order : public EveryDoor {
 protected:
  void exchange(std::uint32_t nflags, std::uint64_t deliveries, bool with_victim) {
    const auto quota =
        static_cast<std::uint32_t>(deliveries / (std::uint64_t{kMembers} * (kMembers - 1)) + 1);
    const auto net =
        network({.nflags = IPN_NET_LOSSLESS | nflags, .ports = kMembers + 1, .pool = 256});
    Members members;
    std::uint64_t first_seq = 0;
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      auto file = open();
      ipn_join join = join_of(net->name());
      ASSERT_EQ(connect(*file, join), 0) << explain(*file);
      EXPECT_TRUE(i == 0 || join.next_seq == first_seq);
      first_seq = join.next_seq;
      members.push_back(std::make_unique<Member>(std::move(file), i, quota));
    }
    std::unique_ptr<Victim> victim;
    if (with_victim) {
      victim = std::make_unique<Victim>(world(), open(), net->name());
      EXPECT_TRUE(world().eventually([&] { return net->record().readers == kMembers + 1; }));
    }
    const auto between = [&] {
      if (!victim) return;
      victim->step();
      if (members[0]->sent() >= quota / 2) victim.reset();
    };
    run_all(members, between);
    if (HasFailure()) return;
    if ((nflags & IPN_NET_CONFIDENTIAL) != 0) {
      expect_same_order(members, first_seq);
    } else {
      expect_one_log(members, first_seq, std::size_t{kMembers} * quota);
    }
    const ipn_net_record record = net->record();
    EXPECT_EQ(record.msgs, std::uint64_t{kMembers} * quota);
    EXPECT_EQ(record.nodes, kMembers);
    EXPECT_EQ(record.blocked_senders, 0U);
  }

 private:
  /// By several threads where the door allows it.
  void run_all(const Members& members, const std::function<void()>& between) {
    if (!world().makes_system_calls()) return run(world(), members, between);
    constexpr std::size_t kThreads = 4;
    const std::span<const std::unique_ptr<Member>> all = members;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      const auto some = all.subspan(i * kMembers / kThreads, kMembers / kThreads);
      threads.emplace_back([this, some, &between, is_first = i == 0] {
        run(
            world(), some, is_first ? between : [] {});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(Order, IsTheSameForAllOnTheSharedLog) { exchange(0, settings().deliveries, false); }

TEST_F(Order, IsTheSameForAllOnPrivateLogs) {
  exchange(IPN_NET_CONFIDENTIAL, settings().deliveries, false);
}

TEST_F(Order, OnTheSharedLogSurvivesTheEndOfAReceiver) { exchange(0, settings().deliveries, true); }

TEST_F(Order, OnPrivateLogsSurvivesTheEndOfAReceiver) {
  exchange(IPN_NET_CONFIDENTIAL, settings().deliveries, true);
}

}  // namespace
}  // namespace ipn::scenarios
