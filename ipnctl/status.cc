// SPDX-License-Identifier: MIT
// The daemon: ipnctl alone, stats, version.
#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ipnctl/errors.h"
#include "ipnctl/forms.h"
#include "ipnctl/rates.h"
#include "ipnctl/records.h"
#include "ipnctl/table.h"
#include "ipnctl/terminal.h"
#include "ipnctl/units.h"
#include "ipnctl/verbs.h"

namespace ipnctl {
namespace {

using Networks = std::vector<ipn_net_record>;

std::string network_table(const Networks& networks, const Units& units) {
  using enum Table::Align;
  Table table({{"NAME", kLeft},
               {"POLICY", kLeft},
               {"NODES", kRight},
               {"READERS", kRight},
               {"WRITERS", kRight},
               {"MSGS", kRight},
               {"BYTES", kRight},
               {"DROPS", kRight}});
  for (const auto& network : networks) {
    table.add_row({text_of(network.name), policy_text(network), std::to_string(network.nodes),
                   std::to_string(network.readers), std::to_string(network.writers),
                   units.count(network.msgs), units.bytes(network.bytes),
                   units.count(drop_sum(network.drops))});
  }
  return table.text();
}

Json network_list(const Networks& networks) {
  Names names;
  Json list = Json::array();
  for (const auto& network : networks) list.push_back(network_json(network, names));
  return list;
}

// ---- ipnctl

struct State {
  ipn_version version;
  ipn_stats stats;
  Networks networks;
};

Result<State> state_of(Device& device) {
  const auto version = device.version();
  if (!version) return version.error();
  const auto stats = device.stats();
  if (!stats) return stats.error();
  auto networks = device.networks();
  if (!networks) return networks.error();
  return State{*version, *stats, std::move(*networks)};
}

Result<void> glance(const Globals& globals) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto state = state_of(*device);
  if (!state) return state.error();
  if (globals.json) {
    return write_out(
        json_text({{"version", version_json(state->version, state->stats, device->path())},
                   {"stats", stats_json(state->stats)},
                   {"networks", network_list(state->networks)}}));
  }
  std::string text = device->path() + ": " + printable(text_of(state->version.text)) + ", up " +
                     duration(state->stats.uptime_ns) + ", " +
                     counted(state->stats.networks, "network") + ", " +
                     counted(state->stats.nodes, "connected node") + '\n';
  if (state->networks.empty()) {
    text += "no network for you here (make one: ipnctl net add NAME)\n";
  } else {
    text += '\n' + network_table(state->networks, Units{globals.human});
  }
  return write_out(text);
}

constexpr const char* kGlanceMore = R"(Examples:
  ipnctl                          the daemon and its networks at a glance
  ipnctl net add chat             make a network
  ipnctl recv chat                print what is said in it
  echo hello | ipnctl send chat   say something
  ipnctl net add --help           each verb has its own help

Without --device the device is $IPN_DEVICE, else /dev/ipn if that exists, else
$XDG_RUNTIME_DIR/ipn. Exit status: 0; 1 it failed; 2 the command line is wrong.)";

Action prepare_glance(Options&) { return glance; }

// ---- stats

std::string of_limit(const std::string& now, const std::string& max, const ipn_stats& stats) {
  return stats.exempt != 0 ? now + " (no limit)" : now + " of " + max;
}

Sheet stats_sheet(const ipn_stats& stats, const Units& units) {
  Names names;
  Sheet sheet;
  sheet.add("device", printable(text_of(stats.device)));
  sheet.add("loop", printable(text_of(stats.loop)));
  sheet.add("up", duration(stats.uptime_ns));
  sheet.add("networks", std::to_string(stats.networks));
  sheet.add("connected nodes", std::to_string(stats.nodes));
  sheet.add("open files",
            std::to_string(stats.open_files) + " of " + std::to_string(stats.open_files_max));
  sheet.add("messages", units.count(stats.msgs));
  sheet.add("bytes", units.bytes(stats.bytes));
  sheet.add("requests",
            units.count(stats.requests) + ", malformed " + units.count(stats.bad_requests));
  sheet.add("drops", drops_text(stats.drops));
  sheet.add("disconnected by deadline", units.count(stats.evictions));
  sheet.add("attached nodes",
            std::to_string(stats.attached) + ", " + std::to_string(stats.attached_hot) + " hot");
  sheet.add("doorbells", units.count(stats.doorbells));
  sheet.add("wake-ups", units.count(stats.wakes));
  sheet.add("rounds of the loop", units.count(stats.rounds));
  sheet.add("its system calls", units.count(stats.loop_calls));
  sheet.add("cut-off nodes", units.count(stats.cut_off));
  const std::string yours = names.user(stats.uid) + "'s ";
  sheet.add(yours + "networks", of_limit(std::to_string(stats.uid_networks),
                                         std::to_string(stats.uid_networks_max), stats));
  sheet.add(yours + "nodes",
            of_limit(std::to_string(stats.uid_nodes), std::to_string(stats.uid_nodes_max), stats));
  sheet.add(yours + "log bytes", of_limit(units.bytes(stats.uid_log_bytes),
                                          units.bytes(stats.uid_log_bytes_max), stats));
  sheet.add(yours + "parked bytes", units.bytes(stats.uid_parked_bytes));
  return sheet;
}

Result<void> totals(const Globals& globals, Device& device) {
  const auto state = state_of(device);
  if (!state) return state.error();
  if (globals.json) {
    Json form = stats_json(state->stats);
    form["per_network"] = network_list(state->networks);
    return write_out(json_text(form));
  }
  const Units units{globals.human};
  std::string text = stats_sheet(state->stats, units).text();
  if (!state->networks.empty()) text += '\n' + network_table(state->networks, units);
  return write_out(text);
}

std::string rates_text(const std::vector<NetworkRate>& rates, const Units& units) {
  using enum Table::Align;
  Table table({{"NAME", kLeft},
               {"NODES", kRight},
               {"MSGS/S", kRight},
               {"BYTES/S", kRight},
               {"DROPS/S", kRight}});
  for (const NetworkRate& rate : rates) {
    table.add_row({text_of(rate.network.name), std::to_string(rate.network.nodes),
                   units.rate(rate.msgs), units.byte_rate(rate.bytes), units.rate(rate.drops)});
  }
  return table.text() + '\n';
}

Json rates_json(const std::vector<NetworkRate>& rates, double seconds) {
  Json list = Json::array();
  for (const NetworkRate& rate : rates) {
    list.push_back({{"name", text_of(rate.network.name)},
                    {"id", rate.network.id},
                    {"nodes", rate.network.nodes},
                    {"msgs_per_s", rate.msgs},
                    {"bytes_per_s", rate.bytes},
                    {"drops_per_s", rate.drops},
                    {"msgs", rate.network.msgs},
                    {"bytes", rate.network.bytes},
                    {"drops", drops_json(rate.network.drops)}});
  }
  return {{"interval_s", seconds}, {"networks", list}};
}

/// The networks at one moment.
struct Sample {
  std::chrono::steady_clock::time_point time;
  Networks networks;
};

Result<Sample> sample_of(Device& device) {
  auto networks = device.networks();
  if (!networks) return networks.error();
  return Sample{std::chrono::steady_clock::now(), std::move(*networks)};
}

Result<void> repeat(const Globals& globals, Device& device, std::uint32_t interval_ms) {
  const auto waiter = Waiter::make();
  if (!waiter) return waiter.error();
  auto before = sample_of(device);
  if (!before) return before.error();
  const int timeout = static_cast<int>(std::min<std::uint32_t>(interval_ms, INT_MAX));
  while (true) {
    if (waiter->wait(-1, 0, timeout) != Waiter::Wake::kTimeout) return {};
    auto now = sample_of(device);
    if (!now) return now.error();
    const double seconds = std::chrono::duration<double>(now->time - before->time).count();
    const auto rates = network_rates(before->networks, now->networks, seconds);
    const std::string text = globals.json ? json_line(rates_json(rates, seconds))
                                          : rates_text(rates, Units{globals.human});
    const auto written = waiter->write_out(text);
    if (!written) return written.error();
    if (*written == Waiter::Wake::kInterrupted) return {};
    before = std::move(now);
  }
}

constexpr const char* kStatsMore = R"(Examples:
  ipnctl stats
      counters of the daemon, what is charged to you, and each network
  ipnctl stats --interval 1 --human
      what happens in each network, every second until SIGINT
  ipnctl --json stats --interval 5
      the same, one JSON object a line

Attached nodes exchange messages through shared memory. The daemon looks at the
hot ones by itself; others ring a doorbell when they send. Wake-ups are those
of sleeping programs, cut-off nodes wrote nonsense into the memory.)";

Action prepare_stats(Options& options) {
  auto interval = std::make_shared<std::optional<std::uint32_t>>();
  options.add_value("--interval", *interval, kSeconds, "rates per second, again and again");
  return [interval](const Globals& globals) -> Result<void> {
    if (*interval == 0U) return usage_failure("stats", "--interval 0 would never sleep");
    auto device = Device::open(globals);
    if (!device) return device.error();
    return *interval ? repeat(globals, *device, **interval) : totals(globals, *device);
  };
}

// ---- version

Result<void> version(const Globals& globals) {
  auto device = Device::open(globals);
  if (!device) return device.error();
  const auto version = device->version();
  if (!version) return version.error();
  const auto stats = device->stats();
  if (!stats) return stats.error();
  if (globals.json) return write_out(json_text(version_json(*version, *stats, device->path())));
  const std::string socket = text_of(version->socket);
  Sheet sheet;
  sheet.add("ipnctl", std::string(IPNCTL_VERSION) + ", ABI 0." + std::to_string(IPN_ABI));
  sheet.add("daemon",
            printable(text_of(version->text)) + ", ABI 0." + std::to_string(version->abi));
  sheet.add("path", device->path());
  sheet.add("device", printable(text_of(stats->device)));
  sheet.add("loop", printable(text_of(stats->loop)));
  sheet.add("attach socket", socket.empty() ? "none: all messages go through the device" : socket);
  sheet.add("longest message", std::to_string(version->msg_max) + " bytes");
  sheet.add("boot id", uuid_text(version->boot_id));
  return write_out(sheet.text());
}

constexpr const char* kVersionMore = R"(Examples:
  ipnctl version
  ipnctl --json version

"ipnctl --version" tells the tool's own version and needs no daemon.)";

Action prepare_version(Options&) { return version; }

constexpr std::array kVerbs{
    Verb{"", "", "", kGlanceMore, prepare_glance},
    Verb{"", "stats", "counters, once or again and again", kStatsMore, prepare_stats},
    Verb{"", "version", "the versions of tool and daemon, and how they meet", kVersionMore,
         prepare_version},
};

}  // namespace

std::span<const Verb> status_verbs() { return kVerbs; }

}  // namespace ipnctl
