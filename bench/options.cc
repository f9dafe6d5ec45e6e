// SPDX-License-Identifier: MIT
#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <string_view>

#include "bench/result.h"

#include <ipn/ioctl.h>

namespace ipn_bench {
namespace {

constexpr const char* kAbout = "ipn-bench: how fast IPN is, beside something to compare it with";

constexpr const char* kMore =
    "Works:\n"
    "  device  One thread opens a network twice, writes a message on one open file and reads it\n"
    "          on the other, by plain read and write. Beside it a device that does nothing: its\n"
    "          ipnd takes every write and answers every read with zeros at once. What both cost\n"
    "          is the kernel's price of a device in user space; the ratio shows ours.\n"
    "  all     all of the above\n"
    "\n"
    "Without --device and --null-device it starts an ipnd for each (the one beside this program,\n"
    "else that in PATH) on a FUSE file of its own, and ends it afterwards.\n"
    "\n"
    "Runs alternate (ours, the other, ours, ...). RATIO is the median of the pairs' ratios of\n"
    "messages per second, with the lowest and the highest; 1 is as fast as the other. All is\n"
    "measured on all CPUs and again with all processes on one. CPU time is that of all processes,\n"
    "daemon included. P50 and P99 are round trips (write and read), timed apart from the rest.\n"
    "\n"
    "Examples:\n"
    "  ipn-bench device                          about 45 seconds\n"
    "  ipn-bench device --seconds 0.2 --runs 3   a quick look\n"
    "  ipn-bench all --json > now.json           for programs\n"
    "  ipn-bench device --device /dev/ipn --device-pid $(pgrep -ox ipnd)\n"
    "\n"
    "Exit status: 0 measured; 1 something failed, or a message was lost, repeated or damaged;\n"
    "2 the command line makes no sense. See ipn-bench(1).";

constexpr std::string_view kAll = "all";
constexpr std::size_t kSizeMax = 65536;
constexpr double kSecondsMin = 0.01, kSecondsMax = 3600;
constexpr unsigned kRunsMax = 1000;

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
  double seconds = 2;
  double warm_up = 0.5;
};

Nanoseconds nanoseconds(double seconds) {
  return std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds));
}

std::string listed_works() {
  std::string text;
  for (const Work& work : all_works()) text += std::string(work.name) + ", ";
  return text + std::string(kAll);
}

void add_method(CLI::App& app, Options& options, Words& words) {
  app.add_option("--size", options.size, "bytes of a message (64)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, kSizeMax).description(""));
  app.add_option("--seconds", words.seconds, "length of one run (2)")
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
  app.add_flag("--json", options.json, "a list of rows in JSON, and nothing else, on stdout");
  app.add_flag("--progress", options.progress, "tell each pair on stderr, also without a terminal");
}

CommandLine usage_error(std::string_view reason) {
  CommandLine line;
  line.status = kExitUsage;
  line.text = std::string(reason) + " (see: ipn-bench --help)";
  return line;
}

CommandLine understood(Options options, const Words& words) {
  if (words.work.empty()) return usage_error("no work was named; there is: " + listed_works());
  for (const Work& work : all_works()) {
    if (words.work == work.name || words.work == kAll) options.works.push_back(work);
  }
  if (options.works.empty()) {
    return usage_error(words.work + ": no such work; there is: " + listed_works());
  }
  options.method.run = nanoseconds(words.seconds);
  options.method.warm_up = nanoseconds(words.warm_up);
  CommandLine line;
  line.options = std::move(options);
  line.run = true;
  return line;
}

}  // namespace

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
