// SPDX-License-Identifier: MIT
#include "bench/stream.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "bench/exchange.h"

namespace ipn_bench {
namespace {

constexpr unsigned kBatch = 32;
constexpr std::size_t kBatchBytes = 256 * 1024;
constexpr std::size_t kReadWholly = 4096;
constexpr std::chrono::milliseconds kSayAgain{20};

/// Sends run after run.
Result<void> keep_sending(Desk& desk, Source& source, unsigned number, unsigned batch,
                          bool may_lose_end) {
  std::uint64_t next = 0;
  desk.ready();
  while (const auto run = desk.next_run()) {
    while (desk.is_going()) {
      if (auto sent = source.send(stamp(number, next), batch); !sent) return sent;
      next += batch;
    }
    desk.record().sent.store(next);
    const std::uint64_t end = end_stamp(number, *run, next);
    if (auto sent = source.send(end, 1); !sent) return sent;
    desk.rest();
    while (may_lose_end && !desk.is_over()) {
      desk.wait_over(kSayAgain);
      if (desk.is_over()) break;
      if (auto sent = source.send(end, 1); !sent) return sent;
    }
  }
  return {};
}

Result<void> keep_receiving(Desk& desk, Sink& sink, Checker& checker) {
  desk.ready();
  while (const auto run = desk.next_run()) {
    checker.begin(*run);
    while (!checker.is_over()) {
      if (auto received = sink.receive(checker); !received) return received;
    }
    desk.note(checker.seen());
    desk.rest();
  }
  return {};
}

/// A stamp may follow another only within the same 64 places of the pattern, so
/// any number of consecutive ones will do.
Checker checker_of(const Pattern& pattern, const StreamPlan& plan, unsigned self) {
  return {pattern, reading_of(plan), plan.senders, self};
}

Member sending_member(const StreamPlan& plan, unsigned number, const Opener& open,
                      bool may_lose_end) {
  Member member;
  member.work = [plan, number, open, may_lose_end](std::vector<Desk>& desks) -> Result<void> {
    auto ends = open(number);
    if (!ends) return ends.error();
    return keep_sending(desks[0], *ends->source, number, batch_of(plan), may_lose_end);
  };
  return member;
}

Member receiving_member(const StreamPlan& plan, unsigned number, const Opener& open) {
  Member member;
  member.work = [plan, number, open](std::vector<Desk>& desks) -> Result<void> {
    const Pattern pattern(plan.size);
    Checker checker = checker_of(pattern, plan, kSendersMax);
    auto ends = open(number);
    if (!ends) return ends.error();
    return keep_receiving(desks[0], *ends->sink, checker);
  };
  return member;
}

Member mesh_member(const StreamPlan& plan, unsigned number, const Opener& open, bool may_lose_end) {
  Member member;
  member.places = 2;
  member.work = [plan, number, open, may_lose_end](std::vector<Desk>& desks) -> Result<void> {
    const Pattern pattern(plan.size);
    Checker checker = checker_of(pattern, plan, number);
    auto ends = open(number);
    if (!ends) return ends.error();
    std::thread receiver([&] {
      const auto received = keep_receiving(desks[1], *ends->sink, checker);
      if (!received) desks[1].fail(received.error().text);
    });
    const auto sent = keep_sending(desks[0], *ends->source, number, batch_of(plan), may_lose_end);
    if (!sent) desks[0].fail(sent.error().text);
    receiver.join();  // after a failure this process is killed
    return {};
  };
  return member;
}

}  // namespace

unsigned batch_of(const StreamPlan& plan) {
  const std::size_t fit = std::max<std::size_t>(kBatchBytes / plan.size, 1);
  return static_cast<unsigned>(std::min<std::size_t>(kBatch, fit));
}

Reading reading_of(const StreamPlan& plan) {
  const bool is_large = plan.size >= kReadWholly;
  return plan.mode == Mode::kCopy || is_large ? Reading::kAll : Reading::kStamp;
}

std::vector<Member> stream_members(const StreamPlan& plan, const Openers& openers,
                                   bool may_lose_end) {
  std::vector<Member> members;
  if (plan.is_mesh) {
    for (unsigned i = 0; i < plan.senders; i++) {
      members.push_back(mesh_member(plan, i, openers.node, may_lose_end));
    }
    return members;
  }
  for (unsigned i = 0; i < plan.receivers; i++) {
    members.push_back(receiving_member(plan, i, openers.receiver));
  }
  for (unsigned i = 0; i < plan.senders; i++) {
    members.push_back(sending_member(plan, i, openers.sender, may_lose_end));
  }
  return members;
}

StreamSystem::StreamSystem(std::string name, Team team, const std::vector<pid_t>& daemons,
                           bool promises)
    : name_(std::move(name)),
      team_(std::move(team)),
      processes_(team_.pids()),
      promises_(promises) {
  processes_.insert(processes_.end(), daemons.begin(), daemons.end());
}

Result<Outcome> StreamSystem::run(Nanoseconds duration) {
  const auto run = team_.run(duration);
  if (!run) return run.error();
  seen_.deliveries += run->seen.deliveries;
  seen_.lost += run->seen.lost;
  seen_.repeated += run->seen.repeated;
  seen_.damaged += run->seen.damaged;
  return Outcome{run->sent, run->seen.deliveries, run->wall};
}

std::string StreamSystem::fault() const {
  const Faults faults{promises_ ? seen_.lost : 0, seen_.repeated, seen_.damaged};
  return faults.any() ? name_ + ": messages: " + describe(faults) : std::string();
}

}  // namespace ipn_bench
