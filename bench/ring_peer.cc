// SPDX-License-Identifier: MIT
#include "bench/peers.h"
#include "bench/ring.h"

namespace ipn_bench {
namespace {

constexpr const char* kName = "ring";

class RingSource : public Source {
 public:
  RingSource(const Pattern& pattern, RingSpace& space, unsigned sender)
      : pattern_(pattern), writer_(space, sender) {}

  Result<void> send(std::uint64_t first, unsigned count) override {
    const auto length = static_cast<std::uint32_t>(pattern_.size());
    for (unsigned i = 0; i < count; i++) {
      pattern_.write(writer_.reserve(length), first + i);
      writer_.commit(length);
    }
    writer_.publish();
    return {};
  }

 private:
  const Pattern& pattern_;
  RingWriter writer_;
};

class RingSink : public Sink {
 public:
  RingSink(RingSpace& space, unsigned reader, const StreamPlan& plan)
      : reader_(space, reader),
        batch_(batch_of(plan)),
        copy_(plan.mode == Mode::kCopy ? plan.size : 0) {}

  Result<void> receive(Checker& checker) override {
    if (copy_.empty()) {
      reader_.read(batch_,
                   [&](const std::byte* data, std::uint32_t length) { checker.see(data, length); });
      return {};
    }
    reader_.read(batch_, [&](const std::byte* data, std::uint32_t length) {
      std::memcpy(copy_.data(), data, length);
      checker.see(copy_.data(), length);
    });
    return {};
  }

 private:
  RingReader reader_;
  unsigned batch_;
  std::vector<std::byte> copy_;  ///< empty: in place
};

}  // namespace

Result<Candidate> start_ring(const StreamPlan& plan, const Pattern& pattern, const ScratchFolder&) {
  const unsigned readers = plan.is_mesh ? plan.senders : plan.receivers;
  if (readers > kRingReadersMax || plan.senders > kRingSendersMax) {
    return Candidate{nullptr, "ring: has no room for so many nodes (256 receivers, 64 senders)"};
  }
  auto space = RingSpace::make();
  if (!space) return space.error();
  RingSpace& shared = **space;
  Member daemon;
  daemon.serves = true;
  daemon.work = [&shared, senders = plan.senders,
                 readers](std::vector<Desk>& desks) -> Result<void> {
    desks[0].ready();
    RingDaemon(shared, senders, readers).serve();
  };
  const auto source = [&pattern, &shared](unsigned i) {
    return std::make_unique<RingSource>(pattern, shared, i);
  };
  const auto sink = [&plan, &shared](unsigned i) {
    return std::make_unique<RingSink>(shared, i, plan);
  };
  Openers openers;
  openers.receiver = [=](unsigned i) -> Result<Ends> { return Ends{nullptr, sink(i)}; };
  openers.sender = [=](unsigned i) -> Result<Ends> { return Ends{source(i), nullptr}; };
  openers.node = [=](unsigned i) -> Result<Ends> { return Ends{source(i), sink(i)}; };
  std::vector<Member> members = stream_members(plan, openers, false);
  members.insert(members.begin(), std::move(daemon));
  auto team = Team::start(kName, members);
  if (!team) return team.error();
  Candidate candidate;
  candidate.system =
      std::make_unique<StreamSystem>(kName, std::move(*team), std::vector<pid_t>(), true);
  candidate.system->keep(*space);
  return candidate;
}

}  // namespace ipn_bench
