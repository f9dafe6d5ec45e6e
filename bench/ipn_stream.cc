// SPDX-License-Identifier: MIT
// Our system in a stream. With the ring and log bytes of the bare ring, so that
// both keep as much in the caches.
#include <algorithm>
#include <array>
#include <span>

#include "bench/node.h"
#include "bench/peers.h"
#include "bench/ring.h"

namespace ipn_bench {
namespace {

constexpr unsigned kBatchMax = 32;
constexpr std::uint32_t kRecordHeader = 32;
constexpr std::uint32_t kMtuMax = 65536;
constexpr std::uint32_t kSpareNodes = 8;

/// The log has room for `pool` messages of `mtu` bytes but at most 2 MiB: the
/// mtu that makes it 2 MiB, if messages may be that long.
std::uint32_t mtu_for(const StreamPlan& plan) {
  const auto record = static_cast<std::uint32_t>(kRingLogBytes / plan.pool);
  const std::uint32_t wanted =
      std::min(std::max(record, kRecordHeader + 1) - kRecordHeader, kMtuMax);
  return std::max(static_cast<std::uint32_t>(plan.size), wanted);
}

class InPlaceSource : public Source {
 public:
  InPlaceSource(const Pattern& pattern, std::shared_ptr<Node> node)
      : pattern_(pattern), node_(std::move(node)) {
    for (ipn_buf& room : rooms_) room.size = pattern.size();
  }

  Result<void> send(std::uint64_t first, unsigned count) override {
    for (unsigned done = 0; done < count;) {
      const int reserved = ipn_reservemany(node_->get(), rooms_.data(), count - done, 0);
      if (reserved < 0) return node_->failure("ipn_reservemany", reserved);
      const auto rooms = static_cast<unsigned>(reserved);
      for (unsigned i = 0; i < rooms; i++) pattern_.write(rooms_[i].data, first + done + i);
      done += rooms;
      const int sent = ipn_commitmany(node_->get(), rooms, done < count ? IPN_MORE : 0);
      if (sent < 0) return node_->failure("ipn_commitmany", sent);
    }
    return {};
  }

 private:
  const Pattern& pattern_;
  std::shared_ptr<Node> node_;
  std::array<ipn_buf, kBatchMax> rooms_{};
};

class CopySource : public Source {
 public:
  CopySource(const Pattern& pattern, std::shared_ptr<Node> node, unsigned batch)
      : pattern_(pattern), node_(std::move(node)), room_(pattern.size() * batch) {
    for (unsigned i = 0; i < batch; i++) {
      buffers_[i] = {room_.data() + i * pattern.size(), pattern.size(), 0, nullptr};
    }
  }

  Result<void> send(std::uint64_t first, unsigned count) override {
    for (unsigned i = 0; i < count; i++) pattern_.write(buffers_[i].data, first + i);
    for (unsigned done = 0; done < count;) {
      const int sent = ipn_sendmany(node_->get(), buffers_.data() + done, count - done, 0);
      if (sent < 0) return node_->failure("ipn_sendmany", sent);
      done += static_cast<unsigned>(sent);
    }
    return {};
  }

 private:
  const Pattern& pattern_;
  std::shared_ptr<Node> node_;
  std::vector<std::byte> room_;
  std::array<ipn_buf, kBatchMax> buffers_{};
};

class InPlaceSink : public Sink {
 public:
  InPlaceSink(std::shared_ptr<Node> node, unsigned batch) : node_(std::move(node)), batch_(batch) {}

  Result<void> receive(Checker& checker) override {
    const int count = ipn_peekmany(node_->get(), views_.data(), batch_, 0);
    if (count < 0) return node_->failure("ipn_peekmany", count);
    for (const ipn_view& view : std::span(views_).first(static_cast<std::size_t>(count))) {
      checker.see(view.data, view.len);
    }
    const int released = ipn_release(node_->get(), static_cast<unsigned>(count));
    if (released < 0) return node_->failure("ipn_release", released);
    return {};
  }

 private:
  std::shared_ptr<Node> node_;
  unsigned batch_;
  std::array<ipn_view, kBatchMax> views_{};
};

class CopySink : public Sink {
 public:
  /// One byte more for each, so that a longer message shows.
  CopySink(std::shared_ptr<Node> node, std::size_t size, unsigned batch)
      : node_(std::move(node)), batch_(batch), room_(stride_of(size) * batch) {
    for (unsigned i = 0; i < batch; i++) {
      buffers_[i] = {room_.data() + i * stride_of(size), size + 1, 0, nullptr};
    }
  }

  Result<void> receive(Checker& checker) override {
    const int count = ipn_recvmany(node_->get(), buffers_.data(), batch_, 0);
    if (count < 0) return node_->failure("ipn_recvmany", count);
    for (const ipn_buf& buffer : std::span(buffers_).first(static_cast<std::size_t>(count))) {
      checker.see(buffer.data, buffer.len);
    }
    return {};
  }

 private:
  /// Whole cache lines.
  static std::size_t stride_of(std::size_t size) { return (size + 64) / 64 * 64; }

  std::shared_ptr<Node> node_;
  unsigned batch_;
  std::vector<std::byte> room_;
  std::array<ipn_buf, kBatchMax> buffers_{};
};

/// Opens one member's node and gives it the ends that its roles have.
Result<Ends> open_node(const StreamPlan& plan, const Pattern& pattern, Membership membership,
                       std::uint32_t roles) {
  membership.roles = roles;
  auto joined = Node::join(membership);
  if (!joined) return joined.error();
  const auto node = std::make_shared<Node>(std::move(*joined));
  const unsigned batch = batch_of(plan);
  const bool in_place = plan.mode == Mode::kInPlace;
  Ends ends;
  if ((roles & IPN_ROLE_SEND) != 0) {
    if (in_place) ends.source = std::make_unique<InPlaceSource>(pattern, node);
    if (!in_place) ends.source = std::make_unique<CopySource>(pattern, node, batch);
  }
  if ((roles & IPN_ROLE_RECV) != 0) {
    if (in_place) ends.sink = std::make_unique<InPlaceSink>(node, batch);
    if (!in_place) ends.sink = std::make_unique<CopySink>(node, plan.size, batch);
  }
  return ends;
}

}  // namespace

Spin spin_of(const Options& options) {
  return options.spins.empty() ? Spin::kAdaptive : options.spins.front();
}

Result<std::unique_ptr<StreamSystem>> start_ipn(const StreamPlan& plan, const Pattern& pattern,
                                                const Served& served, const Options& options,
                                                Door door) {
  Membership membership;
  membership.device = served.path;
  membership.door = door;
  membership.spin = spin_of(options);
  membership.ring_bytes = kRingBytes;
  membership.network.name = fresh_network_name();
  membership.network.mtu = mtu_for(plan);
  membership.network.pool = plan.pool;
  membership.network.nodes = plan.senders + plan.receivers + kSpareNodes;
  membership.network.lossless = plan.lossless;
  const auto opener = [&plan, &pattern, membership](std::uint32_t roles) {
    return [&plan, &pattern, membership, roles](unsigned) {
      return open_node(plan, pattern, membership, roles);
    };
  };
  const Openers openers{opener(IPN_ROLE_RECV), opener(IPN_ROLE_SEND),
                        opener(IPN_ROLE_RECV | IPN_ROLE_SEND)};
  auto team = Team::start("ipn", stream_members(plan, openers, false));
  if (!team) return team.error();
  return std::make_unique<StreamSystem>("ipn", std::move(*team), processes_of(served),
                                        plan.lossless);
}

}  // namespace ipn_bench
