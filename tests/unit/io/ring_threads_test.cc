// SPDX-License-Identifier: MIT
// The whole way of messages with the daemon and its clients as threads of one process: switch,
// ports and rings as they are, and clients that sleep and are woken as programs do. All see the
// memory at the same place, so that the thread sanitizer sees it, too.
#include <atomic>
#include <climits>
#include <cstring>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "libipn/ring/log_reader.h"
#include "libipn/ring/send_writer.h"
#include "switchcore/io/ring_port.h"
#include "switchcore/io/shared_memory.h"
#include "switchcore/policy/broadcast.h"

namespace ipn::io {
namespace {

constexpr std::uint64_t kRingBytes = 8192;
constexpr std::uint32_t kMtu = 600;
constexpr std::uint64_t kEach = 20'000;  // messages of each sender
constexpr unsigned kSenders = 2;

struct CutOffs final : SwitchObserver {
  void on_networks_changed() override {}
  void on_evicted(const Network&, const Node&, TimeNs) override {}
  void on_cut_off(const Network&, const Node&, std::string_view reason) override {
    ADD_FAILURE() << reason;
  }
};

struct QuietSink final : NodeSink {
  void on_ready(Node&) override {}
};

std::uint64_t length_of(std::uint64_t number) { return 8 + number * 37 % (kMtu - 8); }

/// A node, its port in the daemon, and what its program has mapped.
struct Client {
  Node* node = nullptr;
  std::unique_ptr<RingPort> port;
  ipn_control* control = nullptr;
  const ipn_status* status = nullptr;
  ring::SendWriter writer;
  ring::LogReader reader;
  ring::LogReader::Cursor at{};
};

/// A futex on the node's own page; returns at once if the word has changed already.
void sleep_on(const __u32& word, __u32 seen) {
  const timespec limit{1, 0};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

class RingThreads : public testing::TestWithParam<std::uint32_t>, private RingPortHost {
 protected:
  RingThreads() {
    core_.add_policy(broadcast_policy());
    NetworkConfig config;
    config.name = "net";
    config.policy = IPN_BROADCAST;
    config.flags = IPN_NET_PERSISTENT | GetParam();
    config.mtu = kMtu;
    config.pool = 64;
    EXPECT_TRUE(core_.add_network(config, Credentials{}, false));
    for (unsigned i = 0; i < kSenders; ++i) senders_.push_back(attach(IPN_ROLE_SEND));
    for (int i = 0; i < 2; ++i) readers_.push_back(attach(IPN_ROLE_RECV));
  }
  ~RingThreads() override {
    for (auto* clients : {&senders_, &readers_}) {
      for (Client& client : *clients) core_.detach(*client.node);
    }
  }

  bool is_lossless() const { return (GetParam() & IPN_NET_LOSSLESS) != 0; }

  // The daemon.
  void serve() {
    while (readers_left_ > 0) {
      bool moved = false;
      core_.begin_round(Clock{.monotonic = ++rounds_, .realtime = rounds_});
      core_.look_for_room();
      core_.dispatch();
      for (Client& client : senders_) moved = client.port->take(4096) > 0 || moved;
      core_.dispatch();
      std::atomic_thread_fence(std::memory_order_seq_cst);
      for (Client& client : senders_) {
        if (client.port->has_room_news) client.port->wake_sender();
      }
      for (RingPort* port : std::exchange(to_wake_, {})) {
        port->in_wake_queue = false;
        port->wake();
      }
      if (!moved) std::this_thread::yield();
    }
  }

  // The clients.
  void send(Client& client, std::uint64_t sender) {
    for (std::uint64_t i = 0; i < kEach; ++i) {
      const auto length = static_cast<std::uint32_t>(length_of(i));
      std::span<std::byte> room;
      while ((room = client.writer.reserve(length)).data() == nullptr)
        wait_for_room(client, length);
      std::memset(room.data(), static_cast<int>(i % 251), room.size());
      const std::uint64_t stamp = sender << 32 | i;
      std::memcpy(room.data(), &stamp, sizeof stamp);
      client.writer.commit(length);
      if (i % 3 == 0) client.writer.publish();
    }
    client.writer.publish();
  }
  static void wait_for_room(Client& client, std::uint32_t length) {
    client.writer.publish();
    const __u32 word = ring::load_word(client.status->room_word, std::memory_order_acquire);
    const std::uint64_t wanted = client.writer.position_to_wait_for(length);
    ring::store_word(client.control->room_at, __u64{wanted}, std::memory_order_relaxed);
    ring::full_fence();
    if (client.writer.tail() < client.writer.position_of_room(length)) {
      sleep_on(client.status->room_word, word);
    }
    ring::store_word(client.control->room_at, __u64{0}, std::memory_order_relaxed);
  }

  void receive(Client& client) {
    std::vector<std::uint64_t> next(kSenders);
    std::vector<std::byte> bytes;
    std::uint64_t lost = 0;
    while (lost + client.at.msgs < kSenders * kEach) {
      ipn_log_record record;
      if (client.reader.find(client.at, record) != ring::LogReader::Found::kMessage) {
        wait_for_message(client);
        lost = client.at.lost;
        continue;
      }
      bytes.resize(record.len);
      if (!client.reader.copy(client.at, bytes.data(), bytes.size())) continue;
      std::uint64_t stamp = 0;
      ASSERT_GE(bytes.size(), sizeof stamp);
      std::memcpy(&stamp, bytes.data(), sizeof stamp);
      const std::uint64_t sender = stamp >> 32, number = stamp & UINT32_MAX;
      ASSERT_LT(sender, kSenders);
      ASSERT_GE(number, next[sender]);
      if (is_lossless()) {
        ASSERT_EQ(number, next[sender]);
      }
      ASSERT_EQ(bytes.size(), length_of(number));
      for (std::size_t i = sizeof stamp; i < bytes.size(); ++i) {
        ASSERT_EQ(static_cast<std::uint64_t>(bytes[i]), number % 251);
      }
      next[sender] = number + 1;
      ring::LogReader::pass(client.at, record);
      lost = client.at.lost;
      if (client.at.msgs % 7 == 0) client.reader.publish(client.at);
    }
    client.reader.publish(client.at);
    --readers_left_;
  }
  static void wait_for_message(Client& client) {
    client.reader.publish(client.at);
    const __u32 word = ring::load_word(client.status->data_word, std::memory_order_acquire);
    ring::store_word(client.control->sleep_at, __u64{client.reader.wish(client.at)},
                     std::memory_order_relaxed);
    ring::full_fence();
    if (!client.reader.has_news()) sleep_on(client.status->data_word, word);
    ring::store_word(client.control->sleep_at, __u64{0}, std::memory_order_relaxed);
  }

  CutOffs observer_;
  QuietSink sink_;
  Switch core_{Limits{}, shared_storage(), observer_};
  std::vector<Client> senders_, readers_;
  std::atomic<unsigned> readers_left_{2};

 private:
  Client attach(std::uint32_t roles) {
    Client client;
    auto node = core_.open_node(Door::kFile, sink_);
    EXPECT_TRUE(core_.connect(**node, {"net", IPN_ANY, roles, {}}, Credentials{}));
    client.node = *node;
    auto areas = RingPort::make_areas(kRingBytes);
    EXPECT_TRUE(areas);
    // The daemon only reads this; here it is the program's mapping at the same time.
    const std::span<std::byte> area = areas->client.bytes();
    EXPECT_EQ(::mprotect(area.data(), area.size(), PROT_READ | PROT_WRITE), 0);
    client.control = reinterpret_cast<ipn_control*>(area.data());
    client.status = reinterpret_cast<const ipn_status*>(areas->status.bytes().data());
    client.port = std::make_unique<RingPort>(core_, *client.node, static_cast<RingPortHost&>(*this),
                                             std::move(*areas), UniqueFd());
    auto place = core_.attach(*client.node, *client.port, RingPort::area_bytes(kRingBytes));
    EXPECT_TRUE(place);
    client.port->begin(kMtu);
    client.writer = ring::SendWriter(*client.control, *client.status, area.subspan(IPN_PAGE));
    if (place->storage != nullptr) {
      client.reader = ring::LogReader(*client.control, *client.status, place->storage->bytes(),
                                      client.node->id().value, place->overwrites, place->next_seq);
      client.at.seq = place->next_seq;
      client.at.pos = place->next_pos;
      client.control->read_seq = place->next_seq;
    }
    return client;
  }

  void wake_later(RingPort& port) override {
    if (!std::exchange(port.in_wake_queue, true)) to_wake_.push_back(&port);
  }
  void make_hot(RingPort&) override {}

  std::vector<RingPort*> to_wake_;
  TimeNs rounds_ = 0;
};

TEST_P(RingThreads, PassEveryMessageInOrder) {
  std::thread daemon([this] { serve(); });
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < kSenders; ++i) {
    clients.emplace_back([this, i] { send(senders_[i], i); });
  }
  for (Client& reader : readers_) clients.emplace_back([this, &reader] { receive(reader); });
  for (std::thread& client : clients) client.join();
  daemon.join();
  for (const Client& client : senders_) {
    EXPECT_EQ(client.node->counters().msgs_in, kEach);
  }
  for (const Client& client : readers_) {
    EXPECT_EQ(client.at.msgs + client.at.lost, kSenders * kEach);
    if (is_lossless()) {
      EXPECT_EQ(client.at.lost, 0U);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Networks, RingThreads,
                         testing::Values(0U, unsigned{IPN_NET_LOSSLESS},
                                         unsigned{IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL}),
                         [](const auto& instance) {
                           if ((instance.param & IPN_NET_CONFIDENTIAL) != 0) return "OwnLogs";
                           return instance.param == 0 ? "Lossy" : "Lossless";
                         });

}  // namespace
}  // namespace ipn::io
