// SPDX-License-Identifier: MIT
#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "bench/peers.h"
#include "bench/result.h"

#include <ipn/ioctl.h>

namespace ipn_bench {
namespace {

constexpr const char* kAbout = "ipn-bench: how fast IPN is, beside something to compare it with";

constexpr const char* kMore =
    "Works:\n"
    "  p2p       One sender, one receiver, messages of 64, 1500 and 65536 bytes.\n"
    "  fanout    One sender, 1, 4 and 16 receivers of each message.\n"
    "  mesh      4 nodes, each of which sends to all others.\n"
    "            These are compared with the bare ring (shared memory between processes of\n"
    "            three kinds, and nothing checked), and with unix-dgram, unix-seqpacket,\n"
    "            udp-multicast, vde, iceoryx and zeromq where they are there.\n"
    "  pingpong  Round trips between two nodes, against a relay that sleeps in recv(): with the\n"
    "            usual waiting, with nobody spinning, both ends in one thread that spins; and\n"
    "            among 10000 idle nodes, or idle networks, against none.\n"
    "  idle      How often daemon and clients wake up in 10 s while 100 nodes wait.\n"
    "  scale     Memory of a node that is there and does nothing, of 1000.\n"
    "  device    One thread opens a network twice, writes a message on one open file and reads\n"
    "            it on the other, by plain read and write. Beside it a device that does nothing:\n"
    "            its ipnd takes every write and answers every read with zeros at once. What both\n"
    "            cost is the kernel's price of a device in user space; the ratio shows ours.\n"
    "  all       all of the above\n"
    "\n"
    "Without --device it starts an ipnd (the one beside this program, else that in PATH) on a "
    "FUSE\n"
    "file of its own, with high limits, and ends it afterwards.\n"
    "\n"
    "Runs alternate (ours, the other, ours, ...). RATIO is the median of the pairs' ratios of\n"
    "deliveries per second (pingpong: of P50, less is better), with the lowest and the highest; 1\n"
    "is the same as the other. All is measured on all CPUs and again with all processes on one.\n"
    "CPU time is that of all processes, daemon included, per delivery. Every message is checked.\n"
    "With copies both sides touch every byte; in place receivers look at the first 8 bytes, and\n"
    "at all from 4096 bytes on.\n"
    "\n"
    "Examples:\n"
    "  ipn-bench p2p --size 64 --peer ring          about 3 minutes: in place, and with copies\n"
    "  ipn-bench p2p --size 64 --in-place --seconds 0.2 --runs 3    a quick look at all peers\n"
    "  ipn-bench fanout --receivers 16 --in-place --peer ring\n"
    "  ipn-bench pingpong --no-spin\n"
    "  ipn-bench all --json --svg now.svg > now.json                hours\n"
    "  ipn-bench device --device /dev/ipn --device-pid $(pgrep -ox ipnd)\n"
    "\n"
    "Exit status: 0 measured; 1 something failed, or a message was lost, repeated, out of order "
    "or\n"
    "damaged where that must not be; 2 the command line makes no sense. See ipn-bench(1).";

constexpr std::string_view kAll = "all";
constexpr std::string_view kDevice = "device";  // the work that can do without the daemon's pid
constexpr std::size_t kSizeMax = 65536;
constexpr double kSecondsMin = 0.01, kSecondsMax = 3600;
constexpr unsigned kRunsMax = 1000;
constexpr unsigned kReceiversMax = 1000;
constexpr unsigned kSendersLimit = 64;
constexpr unsigned kPoolMax = 65535;
constexpr unsigned kNodesMax = 60'000;

/// Options with the name of their value only.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string value = option->get_type_name();
    return value.empty() ? "" : " " + value;
  }
};

/// Not CLI::Range, which takes "nan".
std::string check_seconds(const std::string& text) {
  double seconds = 0;
  const bool is_number = CLI::detail::lexical_cast(text, seconds);
  if (is_number && seconds >= kSecondsMin && seconds <= kSecondsMax) return "";
  return "\"" + text + "\" is not a number of seconds (0.01 to 3600)";
}

/// What is on the command line before it is understood.
struct Words {
  std::string work;
  std::optional<double> seconds;
  double warm_up = 0.5;
  std::vector<std::string> doors;
  bool lossless = false, lossy = false;
  bool in_place = false, copy = false;
  bool adaptive = false, no_spin = false, busy = false;
};

constexpr double kSeconds = 2;

Nanoseconds nanoseconds(double seconds) {
  return std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds));
}

std::string listed_works() {
  std::string text;
  for (const Work& work : all_works()) text += std::string(work.name) + ", ";
  return text + std::string(kAll);
}

void add_numbers(CLI::App& app, Options& options) {
  app.add_option("--size", options.sizes, "bytes of a message; a list, or repeated")
      ->type_name("N,...")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::Range(std::size_t{1}, kSizeMax).description(""));
  app.add_option("--receivers", options.receivers, "fanout: receivers of a message; a list")
      ->type_name("N,...")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::Range(1u, kReceiversMax).description(""));
  app.add_option("--senders", options.senders, "nodes that send (1; mesh: all nodes, 4)")
      ->type_name("N")
      ->check(CLI::Range(1u, kSendersLimit).description(""));
  app.add_option("--pool", options.pool, "messages that the network holds (4096)")
      ->type_name("N")
      ->check(CLI::Range(1u, kPoolMax).description(""));
  app.add_option("--nodes", options.nodes,
                 "idle nodes (idle: 100, scale: 1000, pingpong: 10000; 0: pingpong without)")
      ->type_name("N")
      ->check(CLI::Range(0u, kNodesMax).description(""));
}

void add_variants(CLI::App& app, Options& options, Words& words) {
  app.add_flag("--lossless", words.lossless, "senders wait for receivers (so it is)");
  app.add_flag("--lossy", words.lossy, "receivers lose what they do not read in time");
  app.add_flag("--in-place", words.in_place, "only rows without copies at the ends");
  app.add_flag("--copy", words.copy, "only rows with copies");
  app.add_option("--door", words.doors, "fast (so it is) or device; a list")
      ->type_name("D,...")
      ->delimiter(',')
      ->check(CLI::IsMember({"fast", "device"}).description(""));
  app.add_flag("--adaptive", words.adaptive, "spin for a while before sleeping (so it is)");
  app.add_flag("--no-spin", words.no_spin, "nobody spins before sleeping");
  app.add_flag("--busy", words.busy, "nobody sleeps; pingpong: both ends in one thread");
  app.add_option("--peer", options.peers, "compare with this one only; a list")
      ->type_name("P,...")
      ->delimiter(',');
}

void add_method(CLI::App& app, Options& options, Words& words) {
  app.add_option("--seconds", words.seconds, "length of one run (2; idle: 10)")
      ->type_name("S")
      ->check(check_seconds);
  app.add_option("--runs", options.method.pairs, "pairs of runs (5)")
      ->type_name("N")
      ->check(CLI::Range(1u, kRunsMax).description(""));
  app.add_option("--warm-up", words.warm_up, "run this long before measuring (0.5)")
      ->type_name("S")
      ->check(check_seconds);
}

void add_devices(CLI::App& app, Options& options) {
  auto* device =
      app.add_option("--device", options.device, "measure this IPN device, start no ipnd for it")
          ->type_name("PATH");
  app.add_option("--device-pid", options.device_pid, "its ipnd, to count its CPU time and to pin")
      ->type_name("PID")
      ->check(CLI::Range(1, std::numeric_limits<pid_t>::max()).description(""))
      ->needs(device);
  auto* null_device = app.add_option("--null-device", options.null_device,
                                     "compare with this device (see ipnd --null-device)")
                          ->type_name("PATH");
  app.add_option("--null-pid", options.null_pid, "its ipnd")
      ->type_name("PID")
      ->check(CLI::Range(1, std::numeric_limits<pid_t>::max()).description(""))
      ->needs(null_device);
}

void add_output(CLI::App& app, Options& options) {
  app.add_option("--svg", options.svg, "write plots into this file, too")->type_name("FILE");
  app.add_flag("--json", options.json, "a list of rows in JSON, and nothing else, on stdout");
  app.add_flag("--progress", options.progress, "tell each pair on stderr, also without a terminal");
}

CommandLine usage_error(std::string_view reason) {
  CommandLine line;
  line.status = kExitUsage;
  line.text = std::string(reason) + " (see: ipn-bench --help)";
  return line;
}

/// The members of a choice that was made by flags; empty: none was.
template <typename T>
std::vector<T> chosen(std::initializer_list<std::pair<bool, T>> flags) {
  std::vector<T> all;
  for (const auto& [is_chosen, value] : flags) {
    if (is_chosen) all.push_back(value);
  }
  return all;
}

void take_variants(const Words& words, Options& options) {
  const auto lossless = chosen<bool>({{words.lossless, true}, {words.lossy, false}});
  if (!lossless.empty()) options.lossless = lossless;
  const auto modes = chosen<Mode>({{words.in_place, Mode::kInPlace}, {words.copy, Mode::kCopy}});
  if (!modes.empty()) options.modes = modes;
  options.spins = chosen<Spin>({{words.adaptive, Spin::kAdaptive},
                                {words.no_spin, Spin::kNever},
                                {words.busy, Spin::kBusy}});
  options.has_doors = !words.doors.empty();
  if (options.has_doors) options.doors.clear();
  for (const std::string& door : words.doors) {
    options.doors.push_back(door == "fast" ? Door::kFast : Door::kDevice);
  }
}

/// The first word of --peer that names none; empty: all are known.
std::string unknown_peer(const Options& options) {
  for (const std::string& name : options.peers) {
    const auto peers = all_peers();
    const bool is_known = std::any_of(peers.begin(), peers.end(),
                                      [&](const Peer& peer) { return name == peer.name; });
    if (!is_known) return name;
  }
  return {};
}

CommandLine understood(Options options, const Words& words) {
  if (words.work.empty()) return usage_error("no work was named; there is: " + listed_works());
  for (const Work& work : all_works()) {
    if (words.work == work.name || words.work == kAll) options.works.push_back(work);
  }
  if (options.works.empty()) {
    return usage_error(words.work + ": no such work; there is: " + listed_works());
  }
  if (options.device && !options.device_pid && words.work != kDevice) {
    return usage_error("--device-pid: needed with --device, to count the daemon's CPU time");
  }
  if (const std::string peer = unknown_peer(options); !peer.empty()) {
    std::string known;
    for (const Peer& one : all_peers())
      known += (known.empty() ? "" : ", ") + std::string(one.name);
    return usage_error("--peer: " + peer + ": no such system; there is: " + known);
  }
  take_variants(words, options);
  options.has_run_time = words.seconds.has_value();
  options.method.run = nanoseconds(words.seconds.value_or(kSeconds));
  options.method.warm_up = nanoseconds(words.warm_up);
  CommandLine line;
  line.options = std::move(options);
  line.run = true;
  return line;
}

}  // namespace

bool wants_peer(const Options& options, const std::string& peer) {
  return options.peers.empty() ||
         std::find(options.peers.begin(), options.peers.end(), peer) != options.peers.end();
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  Options options;
  Words words;
  CLI::App app(kAbout, "ipn-bench");
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(24);
  formatter->label("Positionals", "Arguments");
  app.formatter(formatter);
  app.footer(kMore);
  app.set_help_flag("-h,--help", "this help");
  app.set_version_flag("--version",
                       "ipn-bench " IPN_BENCH_VERSION ", ABI 0." + std::to_string(IPN_ABI),
                       "the version of ipn-bench");
  app.add_option("WORK", words.work, "what to measure: " + listed_works())->type_name("");
  add_numbers(app, options);
  add_variants(app, options, words);
  add_method(app, options, words);
  add_devices(app, options);
  add_output(app, options);
  CommandLine line;
  try {
    app.parse(argc, argv);
    return understood(std::move(options), words);
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
  } catch (const CLI::CallForVersion& version) {
    line.text = std::string(version.what()) + '\n';
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  return line;
}

}  // namespace ipn_bench
