// SPDX-License-Identifier: MIT
// What the loop does again and again allocates nothing: operator new is
// interposed and counts.
#include <cstdlib>
#include <new>
#include <sys/mman.h>

#include "libipn/ring/log_reader.h"
#include "libipn/ring/send_writer.h"
#include "switchcore/io/ring_port.h"
#include "switchcore/policy/broadcast.h"
#include "tests/unit/io/loop_fixture.h"

namespace {
std::uint64_t allocations = 0;

void* allocate(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  std::abort();
}
}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace ipn::io {
namespace {

using LoopAllocations = LoopTest;
IPN_ALL_ENGINES(LoopAllocations);

struct Bell final : DoorbellHandler {
  std::size_t count = 0;
  void on_ring() override { ++count; }
  void on_closed(int) override { FAIL() << "nobody has closed"; }
};

struct Reader final : MessageHandler {
  std::size_t count = 0;
  void on_message(std::span<std::byte>) override { ++count; }
  void on_closed(int) override { FAIL() << "nobody has closed"; }
};

struct Frame final : RoundHandler {
  void on_round_begin(const Clock&) override {}
  void on_round_end() override {}
};

TEST(LoopAllocations, TheCounterCounts) {
  const std::uint64_t before = allocations;
  ::operator delete(::operator new(8));
  EXPECT_EQ(allocations - before, 1U);
}

TEST_P(LoopAllocations, ThereAreNonePerRingOrMessage) {
  const Wire rung = make_wire();
  const Wire read = make_wire();
  Bell bell;
  Reader reader;
  Frame frame;
  add_doorbell(rung.ours.get(), bell);
  add_messages(read.ours.get(), reader);
  const auto ring_and_read = [&](std::size_t total) {
    ASSERT_EQ(write(rung.theirs.get(), "!", 1), 1);
    ASSERT_EQ(write(read.theirs.get(), "x", 1), 1);
    const TimeNs deadline = now() + kPatience;
    while (bell.count < total || reader.count < total) {
      ASSERT_LT(now(), deadline);
      ASSERT_TRUE(loop_->run_round(frame, deadline).has_value());
    }
  };
  for (std::size_t i = 1; i <= 100; ++i) ring_and_read(i);
  const std::uint64_t before = allocations;
  for (std::size_t i = 101; i <= 10'100; ++i) ring_and_read(i);
  EXPECT_EQ(allocations - before, 0U);
}

// Messages through memory --------------------------------------------------------

struct NoObserver final : SwitchObserver {
  void on_networks_changed() override {}
  void on_evicted(const Network&, const Node&, TimeNs) override {}
  void on_cut_off(const Network&, const Node&, std::string_view) override {}
};

struct NoHost final : RingPortHost {
  void wake_later(RingPort&) override {}
  void make_hot(RingPort&) override {}
};

struct NoSink final : NodeSink {
  void on_ready(Node&) override {}
};

/// A node with its port, and the program's side of both pages.
class Attached {
 public:
  explicit Attached(Switch& core) : core_(core) {
    auto node = core.open_node(Door::kFile, sink_);
    EXPECT_TRUE(core.connect(**node, {"net", IPN_ANY, 0, {}}, Credentials{}));
    node_ = *node;
    auto areas = RingPort::make_areas(kRing);
    EXPECT_TRUE(areas);
    void* client = ::mmap(nullptr, IPN_PAGE + kRing, PROT_READ | PROT_WRITE, MAP_SHARED,
                          areas->client.descriptor(), 0);
    EXPECT_NE(client, MAP_FAILED);
    client_ = {static_cast<std::byte*>(client), IPN_PAGE + kRing};
    control_ = reinterpret_cast<ipn_control*>(client);
    status_ = reinterpret_cast<const ipn_status*>(areas->status.bytes().data());
    port_ = std::make_unique<RingPort>(core, *node_, host_, std::move(*areas), UniqueFd());
    auto place = core.attach(*node_, *port_, RingPort::area_bytes(kRing));
    EXPECT_TRUE(place);
    port_->begin(1514);
    writer_ = ring::SendWriter(*control_, *status_, client_.subspan(IPN_PAGE));
    reader_ = ring::LogReader(*control_, *status_, place->storage->bytes(), node_->id().value,
                              place->overwrites, place->next_seq);
    at_.seq = place->next_seq;
    at_.pos = place->next_pos;
  }
  ~Attached() {
    core_.detach(*node_);
    port_.reset();
    core_.close_node(*node_);
    ::munmap(client_.data(), client_.size());
  }

  /// As many messages as there is room for, up to `count`.
  std::uint64_t send(std::uint64_t count) {
    std::uint64_t sent = 0;
    for (; sent < count && writer_.reserve(kLength).data() != nullptr; ++sent) {
      writer_.commit(kLength);
    }
    writer_.publish();
    return sent;
  }
  void take() { port_->take(SIZE_MAX); }
  std::uint64_t receive() {
    ipn_log_record record;
    std::uint64_t received = 0;
    for (; reader_.find(at_, record) == ring::LogReader::Found::kMessage; ++received) {
      ring::LogReader::pass(at_, record);
    }
    reader_.publish(at_);
    return received;
  }
  std::uint64_t lost() const { return at_.lost; }

 private:
  static constexpr std::uint64_t kRing = 128 << 10;
  static constexpr std::uint32_t kLength = 64;
  Switch& core_;
  NoSink sink_;
  NoHost host_;
  Node* node_ = nullptr;
  std::span<std::byte> client_;
  ipn_control* control_ = nullptr;
  const ipn_status* status_ = nullptr;
  std::unique_ptr<RingPort> port_;
  ring::SendWriter writer_;
  ring::LogReader reader_;
  ring::LogReader::Cursor at_{};
};

class RingAllocations : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Networks, RingAllocations, testing::Bool(), [](const auto& instance) {
  return instance.param ? "Lossless" : "Lossy";
});

TEST_P(RingAllocations, AreNoneInAMillionMessagesThroughMemory) {
  constexpr std::uint64_t kMessages = 1'000'000;
  NoObserver observer;
  Switch core(Limits{}, shared_storage(), observer);
  core.add_policy(broadcast_policy());
  NetworkConfig config;
  config.name = "net";
  config.policy = IPN_BROADCAST;
  config.flags = IPN_NET_PERSISTENT | (GetParam() ? IPN_NET_LOSSLESS : 0);
  config.pool = 256;
  ASSERT_TRUE(core.add_network(config, Credentials{}, false));
  Attached sender(core), first(core), second(core);
  const std::uint64_t before = allocations;
  std::uint64_t sent = 0, received = 0;
  for (unsigned round = 0; sent < kMessages; ++round) {
    sent += sender.send(std::min<std::uint64_t>(100, kMessages - sent));
    sender.take();
    core.dispatch();
    received += first.receive();
    if (round % 5 == 0) received += second.receive();  // it is too slow
    core.look_for_room();
    core.dispatch();
  }
  for (int i = 0; i < 1000; ++i) {
    sender.take();
    core.dispatch();
    received += first.receive() + second.receive();
    core.look_for_room();
    core.dispatch();
  }
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_EQ(received + first.lost() + second.lost(), 2 * sent);
  EXPECT_EQ(second.lost() > 0, !GetParam());
}

}  // namespace
}  // namespace ipn::io
