// SPDX-License-Identifier: MIT
#include "bench/idle_works.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "bench/crowd.h"
#include "bench/measure.h"
#include "bench/resources.h"
#include "bench/served.h"
#include "bench/signals.h"

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr const char* kIdle = "idle";
constexpr const char* kScale = "scale";
constexpr unsigned kIdleNodes = 100;
constexpr unsigned kScaleNodes = 1000;
constexpr std::uint32_t kMtu = 1514;
constexpr std::uint32_t kPool = 1024;
constexpr std::uint32_t kSpareNodes = 8;
constexpr std::chrono::seconds kIdleTime{10};
constexpr milliseconds kCalm{500};
constexpr std::chrono::seconds kCalmDeadline{20};

Membership membership_of(const Served& served, Door door, unsigned nodes) {
  Membership membership;
  membership.device = served.path;
  membership.door = door;
  membership.network = {fresh_network_name(), kMtu, kPool, nodes + kSpareNodes, true};
  return membership;
}

Row row_of(const char* work, Door door, unsigned nodes) {
  Row row;
  row.workload = work;
  row.system = "ipn";
  row.size = kMtu;
  row.receivers = nodes;
  row.cpus = free_placement().cpus;
  row.door = door_name(door);
  row.idle_nodes = nodes;
  return row;
}

Result<void> sleep_for(Nanoseconds time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
    if (is_interrupted()) return interrupted();
    const auto left = end - Clock::now();
    if (left.count() > 0)
      std::this_thread::sleep_for(std::min<Nanoseconds>(left, milliseconds(50)));
  }
  return {};
}

/// A process with one node that waits for a message that nobody sends.
Member waiting_member(const Membership& membership) {
  Member member;
  member.serves = true;
  member.work = [membership](std::vector<Desk>& desks) -> Result<void> {
    auto node = Node::join(membership);
    if (!node) return node.error();
    desks[0].ready();
    std::vector<std::byte> room(kMtu);
    const ssize_t received = ipn_recv(node->get(), room.data(), room.size(), 0);
    if (received < 0) return node->failure("ipn_recv", received);
    return Failure{"a message came, and nobody sent one"};
  };
  return member;
}

/// Context switches of the daemon and of the clients.
struct Wakeups {
  std::uint64_t daemon = 0, clients = 0;
  bool operator==(const Wakeups&) const = default;
};

Result<Wakeups> count_wakeups(const std::vector<pid_t>& daemons,
                              const std::vector<pid_t>& clients) {
  const auto daemon = switches_of(daemons);
  const auto client = switches_of(clients);
  if (!daemon || !client) return Failure{"idle: a process ended while nothing was to happen"};
  return Wakeups{*daemon, *client};
}

/// Waits until nobody has woken up for a while, so that short sleeps before long
/// ones are over; not for ever, because then there is something to measure.
Result<void> await_calm(const std::vector<pid_t>& daemons, const std::vector<pid_t>& clients) {
  auto before = count_wakeups(daemons, clients);
  for (const auto end = Clock::now() + kCalmDeadline; before && Clock::now() < end;) {
    if (auto slept = sleep_for(kCalm); !slept) return slept;
    auto now = count_wakeups(daemons, clients);
    if (now && *now == *before) return {};
    before = std::move(now);
  }
  if (!before) return before.error();
  return {};
}

Result<void> run_idle_door(const Served& served, Door door, const Options& options, const Say& say,
                           WorkResult& result) {
  const unsigned nodes = options.nodes.value_or(kIdleNodes);
  const Membership membership = membership_of(served, door, nodes);
  say("idle: " + std::to_string(nodes) + " nodes, " + door_name(door));
  const auto team = Team::start("idle", std::vector<Member>(nodes, waiting_member(membership)));
  if (!team) return team.error();
  const std::vector<pid_t> daemons = processes_of(served);
  const std::vector<pid_t>& clients = team->pids();
  if (auto calm = await_calm(daemons, clients); !calm) return calm;
  const Nanoseconds time = options.has_run_time ? options.method.run : Nanoseconds(kIdleTime);
  const auto before = count_wakeups(daemons, clients);
  if (!before) return before.error();
  const auto begin = Clock::now();
  if (auto slept = sleep_for(time); !slept) return slept;
  const auto after = count_wakeups(daemons, clients);
  if (!after) return after.error();
  Row row = row_of(kIdle, door, nodes);
  row.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  row.process = "clients";
  row.wakeups = after->clients - before->clients;
  Row daemon = row;
  daemon.process = "daemon";
  daemon.wakeups = after->daemon - before->daemon;
  result.rows.push_back(std::move(daemon));
  result.rows.push_back(std::move(row));
  return {};
}

Result<void> run_scale_door(const Served& served, Door door, const Options& options, const Say& say,
                            WorkResult& result) {
  const unsigned nodes = options.nodes.value_or(kScaleNodes);
  say("scale: " + std::to_string(nodes) + " nodes, " + door_name(door));
  auto crowd = Crowd::start({membership_of(served, door, nodes), nodes, false});
  if (!crowd) return crowd.error();
  std::vector<pid_t> all = processes_of(served);
  all.insert(all.end(), crowd->helpers().begin(), crowd->helpers().end());
  const auto before = memory_of(all);
  if (auto filled = crowd->fill(); !filled) return filled;
  const auto after = memory_of(all);
  if (!before || !after) return Failure{"scale: /proc/PID/smaps_rollup does not tell the memory"};
  Row row = row_of(kScale, door, nodes);
  row.bytes_per_node = (static_cast<double>(*after) - static_cast<double>(*before)) / nodes;
  result.rows.push_back(std::move(row));
  return {};
}

using DoorWork = Result<void> (*)(const Served&, Door, const Options&, const Say&, WorkResult&);

/// A fresh daemon for each door.
Result<WorkResult> run_doors(const std::vector<Door>& doors, DoorWork work, const Options& options,
                             const Say& say) {
  WorkResult result;
  for (const Door door : doors) {
    const auto folder = ScratchFolder::make();
    if (!folder) return folder.error();
    const auto served = serve_ipn(options, *folder, "ipn", Spin::kAdaptive);
    if (!served) return served.error();
    const auto done = work(*served, door, options, say, result);
    if (!done) return Failure{done.error().text + words_of(*served), done.error().status};
  }
  return result;
}

}  // namespace

Result<WorkResult> run_idle_work(const Options& options, const Say& say) {
  return run_doors(options.doors, run_idle_door, options, say);
}

Result<WorkResult> run_scale_work(const Options& options, const Say& say) {
  return run_doors(options.has_doors ? options.doors : std::vector{Door::kFast, Door::kDevice},
                   run_scale_door, options, say);
}

}  // namespace ipn_bench
