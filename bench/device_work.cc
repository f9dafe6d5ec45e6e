// SPDX-License-Identifier: MIT
#include "bench/device_work.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>

#include "bench/daemons.h"
#include "bench/exchange.h"

#include <ipn/ipn.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

constexpr const char* kWork = "device";
constexpr const char* kDaemon = "ipnd";
constexpr std::chrono::seconds kReadyDeadline{20};
constexpr milliseconds kLatencyPhase{500};
constexpr std::size_t kNullAnswer = 64;
constexpr double kP50 = 50, kP99 = 99;
constexpr int kOpenFlags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

/// A device, and the daemon that we started to serve it, if we did.
struct Served {
  std::string path;
  std::optional<Daemon> daemon;
  std::optional<pid_t> pid;
};

std::string error_text(int error) { return std::strerror(error); }

std::vector<pid_t> processes_of(const Served& served) {
  return served.pid ? family_of(*served.pid) : std::vector<pid_t>();
}

/// One of the two sides of the comparison.
class DeviceSystem : public System {
 public:
  DeviceSystem(std::string name, const Served& served, Exchange exchange)
      : name_(std::move(name)), processes_(processes_of(served)), exchange_(std::move(exchange)) {}

  const std::string& name() const override { return name_; }
  const std::vector<pid_t>& processes() const override { return processes_; }
  Result<std::uint64_t> run(Nanoseconds duration) override { return exchange_.run(duration); }
  Exchange& exchange() { return exchange_; }

 private:
  std::string name_;
  std::vector<pid_t> processes_;
  Exchange exchange_;
};

// ---- being ready ----

struct Handshake {
  int code = 0;        ///< errno; 0: an IPN device that speaks as we do
  std::string reason;  ///< the library's words
};

Handshake check_ipn(const std::string& path) {
  ipn_node* node = nullptr;
  const int error = ipn_open(path.c_str(), 0, &node);
  ipn_close(node);
  if (error == 0) return {};
  std::array<char, 512> text{};
  ipn_explain(nullptr, text.data(), text.size());
  return {-error, text.data()};
}

/// Whether a daemon of ours has begun to serve `path`; before that it is missing
/// or a plain file.
Result<bool> answers_as_ipn(const std::string& path) {
  const Handshake device = check_ipn(path);
  if (device.code == EPROTONOSUPPORT) return Failure{device.reason};
  return device.code == 0;
}

bool is_device(int fd) {
  struct stat status {};
  struct statfs system {};
  const bool is_character_device = fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
  const bool is_fuse_file = fstatfs(fd, &system) == 0 && system.f_type == FUSE_SUPER_MAGIC;
  return is_character_device || is_fuse_file;
}

/// Looks before it writes: a plain file must not be harmed.
bool answers_as_null(const std::string& path) {
  const OpenFile file(open(path.c_str(), kOpenFlags));
  if (file.fd() < 0 || !is_device(file.fd())) return false;
  std::array<char, kNullAnswer> bytes{};
  bytes.fill('x');
  if (read(file.fd(), bytes.data(), bytes.size()) != kNullAnswer) return false;
  if (std::any_of(bytes.begin(), bytes.end(), [](char c) { return c != 0; })) return false;
  return write(file.fd(), bytes.data(), bytes.size()) == kNullAnswer;
}

using Probe = Result<bool> (*)(const std::string& path);

Result<Served> start_daemon(const std::string& option, const std::string& path, Probe probe) {
  const auto program = find_program(kDaemon);
  if (!program) return program.error();
  auto daemon = Daemon::start({*program, option, path}, path, path + ".printed");
  if (!daemon) return daemon.error();
  Served served{path, std::move(*daemon), {}};
  const auto ready =
      served.daemon->wait_until_ready([&] { return probe(path); }, milliseconds(kReadyDeadline));
  if (!ready) return ready.error();
  served.pid = served.daemon->pid();
  return served;
}

/// A device that somebody else serves; `pid` may be told.
Result<Served> given_device(const std::string& path, std::optional<pid_t> pid) {
  if (!pid || cpu_time({*pid})) return Served{path, {}, pid};
  return Failure{std::to_string(*pid) + ": no such process (it should be the ipnd of " + path +
                 ")"};
}

Result<Served> serve_ipn(const Options& options, const ScratchFolder& folder) {
  if (!options.device) return start_daemon("--path", folder.path_of("ipn"), answers_as_ipn);
  const Handshake device = check_ipn(*options.device);
  if (device.code != 0) return Failure{device.reason};
  return given_device(*options.device, options.device_pid);
}

Result<Served> serve_null(const Options& options, const ScratchFolder& folder) {
  if (!options.null_device) {
    return start_daemon(
        "--null-device", folder.path_of("null"),
        [](const std::string& path) -> Result<bool> { return answers_as_null(path); });
  }
  if (answers_as_null(*options.null_device)) {
    return given_device(*options.null_device, options.null_pid);
  }
  return Failure{*options.null_device +
                 ": not a device that does nothing (serve one: ipnd --null-device FILE)"};
}

// ---- opening ----

Result<OpenFile> open_device(const std::string& path) {
  OpenFile file(open(path.c_str(), kOpenFlags));
  if (file.fd() < 0) return Failure{path + ": " + error_text(errno)};
  return file;
}

/// The daemon's words for a call that failed, or those of the C library.
Failure refused(int fd, const std::string& path, const std::string& step) {
  const int error = errno;
  struct ipn_explain explain {};
  explain.size = sizeof explain;
  if (ioctl(fd, IPN_IOC_EXPLAIN, &explain) == 0 && explain.error == error) {
    explain.text[sizeof explain.text - 1] = '\0';
    return {explain.text};
  }
  return {path + ": " + step + ": " + error_text(error)};
}

Result<void> set_option(int fd, const std::string& path, std::uint32_t name, std::uint32_t value) {
  struct {
    ipn_opt option;
    std::uint32_t value;
  } request{};
  request.option.size = sizeof request.option + sizeof request.value;
  request.option.name = name;
  request.option.len = sizeof request.value;
  request.value = value;
  if (ioctl(fd, IPN_IOC_SETOPT(sizeof request.value), &request) == 0) return {};
  return refused(fd, path, "setting an option");
}

Result<void> join(int fd, const std::string& path, unsigned long command, const std::string& name,
                  std::uint32_t roles) {
  ipn_join request{};
  request.size = sizeof request;
  request.policy = IPN_BROADCAST;
  request.roles = roles;
  request.port = IPN_PORT_ANY;
  name.copy(request.name, IPN_NAME_MAX);
  if (ioctl(fd, command, &request) == 0) return {};
  return refused(fd, path, command == IPN_IOC_BIND ? "making a network" : "joining a network");
}

/// A network of our own, lossless, so that no message may be missing.
Result<Exchange> open_ipn(const std::string& path, std::size_t size) {
  auto writer = open_device(path);
  if (!writer) return writer.error();
  auto reader = open_device(path);
  if (!reader) return reader.error();
  const int w = writer->fd();
  const std::string name = "ipn-bench-" + std::to_string(getpid());
  const std::array<std::pair<std::uint32_t, std::uint32_t>, 3> settings{
      {{IPN_OPT_MTU, static_cast<std::uint32_t>(size)},
       {IPN_OPT_FLAGS, IPN_NET_LOSSLESS},
       {IPN_OPT_MODE, 0700}}};
  for (const auto& [option, value] : settings) {
    if (auto set = set_option(w, path, option, value); !set) return set.error();
  }
  if (auto made = join(w, path, IPN_IOC_BIND, name, 0); !made) return made.error();
  if (auto in = join(w, path, IPN_IOC_CONNECT, "", IPN_ROLE_SEND); !in) return in.error();
  if (auto in = join(reader->fd(), path, IPN_IOC_CONNECT, name, IPN_ROLE_RECV); !in) {
    return in.error();
  }
  return Exchange(path, std::move(*writer), std::move(*reader), size,
                  Exchange::Answer::kTheMessage);
}

Result<Exchange> open_null(const std::string& path, std::size_t size) {
  auto writer = open_device(path);
  if (!writer) return writer.error();
  auto reader = open_device(path);
  if (!reader) return reader.error();
  return Exchange(path, std::move(*writer), std::move(*reader), size, Exchange::Answer::kZeros);
}

// ---- measuring ----

struct Placement {
  unsigned cpus = 0;
  bool pinned = false;
};

Row row_of(DeviceSystem& system, const Comparison& comparison, Sample Pair::*side, std::size_t size,
           const Placement& placement) {
  std::vector<double> rates, costs;
  for (const Pair& pair : comparison.pairs) {
    const Sample& sample = pair.*side;
    rates.push_back(messages_per_s(sample));
    if (sample.cpu) costs.push_back(cpu_ns_per_message(sample));
  }
  Row row;
  row.workload = kWork;
  row.system = system.name();
  row.size = size;
  row.cpus = placement.cpus;
  row.pinned = placement.pinned;
  row.msgs_per_s = median(rates);
  if (!costs.empty()) row.cpu_ns_per_msg = median(costs);
  row.disturbed = comparison.disturbed;
  return row;
}

Result<void> add_latency(Row& row, DeviceSystem& system, Nanoseconds duration) {
  auto times = system.exchange().time_round_trips(duration);
  if (!times) return times.error();
  row.p50_ns = percentile(*times, kP50);
  row.p99_ns = percentile(std::move(*times), kP99);
  return {};
}

/// Compares the two systems where their processes are now, and appends a row
/// for each.
Result<void> measure(DeviceSystem& ours, DeviceSystem& null, const Options& options,
                     const Placement& placement, const Say& say, WorkResult& result) {
  say(std::string(kWork) + " on " + std::to_string(placement.cpus) +
      (placement.cpus == 1 ? " CPU" : " CPUs"));
  const std::uint64_t lost_before = ours.exchange().faults().lost;
  const std::uint64_t null_lost_before = null.exchange().faults().lost;
  const auto comparison = compare(ours, null, options.method, take_sample, say);
  if (!comparison) return comparison.error();
  Row row = row_of(ours, *comparison, &Pair::ours, options.size, placement);
  Row null_row = row_of(null, *comparison, &Pair::other, options.size, placement);
  row.ratio = ratio_of(*comparison);
  const Nanoseconds phase = std::min<Nanoseconds>(kLatencyPhase, options.method.run);
  if (auto timed = add_latency(row, ours, phase); !timed) return timed;
  if (auto timed = add_latency(null_row, null, phase); !timed) return timed;
  row.loss = ours.exchange().faults().lost - lost_before;
  null_row.loss = null.exchange().faults().lost - null_lost_before;
  result.rows.push_back(std::move(row));
  result.rows.push_back(std::move(null_row));
  if (comparison->disturbed > 0) {
    result.notes.push_back(std::to_string(comparison->disturbed) + " of " +
                           std::to_string(comparison->pairs.size()) + " pairs on " +
                           std::to_string(placement.cpus) +
                           " CPU(s): other processes used more than 20 % of a CPU, each time "
                           "(measure again on a quiet machine)");
  }
  return {};
}

Result<void> measure_pinned(DeviceSystem& ours, DeviceSystem& null, const Options& options, int cpu,
                            const Say& say, WorkResult& result) {
  if (ours.processes().empty() || null.processes().empty()) {
    result.notes.push_back(
        "not measured on one CPU: the daemon of a given device is not known "
        "(tell it by --device-pid or --null-pid)");
    return {};
  }
  std::vector<pid_t> all{getpid()};
  all.insert(all.end(), ours.processes().begin(), ours.processes().end());
  all.insert(all.end(), null.processes().begin(), null.processes().end());
  const auto pinning = Pinning::pin(std::move(all), cpu);
  if (!pinning) return pinning.error();
  return measure(ours, null, options, {1, true}, say, result);
}

/// What a daemon that ended by itself said last; else nothing.
std::string words_of(const Served& served) {
  if (!served.daemon || served.daemon->is_running()) return {};
  return "; the daemon of " + served.path + " ended and said last: " + served.daemon->last_words();
}

void note_faults(DeviceSystem& system, WorkResult& result) {
  const Faults& faults = system.exchange().faults();
  if (faults.any()) result.faults.push_back(system.name() + ": messages: " + describe(faults));
}

/// On all CPUs and again on one.
Result<WorkResult> measure_everywhere(const Served& device, const Served& null_device,
                                      const Options& options, const Say& say) {
  const std::vector<int> cpus = usable_cpus();
  if (cpus.empty()) return Failure{"the usable CPUs are not known"};
  auto exchange = open_ipn(device.path, options.size);
  if (!exchange) return exchange.error();
  auto null_exchange = open_null(null_device.path, options.size);
  if (!null_exchange) return null_exchange.error();
  DeviceSystem ours("ipn", device, std::move(*exchange));
  DeviceSystem null("null", null_device, std::move(*null_exchange));

  WorkResult result;
  if (cpus.size() > 1) {
    const Placement free{static_cast<unsigned>(cpus.size()), false};
    if (auto done = measure(ours, null, options, free, say, result); !done) return done.error();
  }
  if (auto done = measure_pinned(ours, null, options, cpus.back(), say, result); !done) {
    return done.error();
  }
  note_faults(ours, result);
  note_faults(null, result);
  return result;
}

}  // namespace

Result<WorkResult> run_device_work(const Options& options, const Say& say) {
  const auto folder = ScratchFolder::make();
  if (!folder) return folder.error();
  const auto device = serve_ipn(options, *folder);
  if (!device) return device.error();
  const auto null_device = serve_null(options, *folder);
  if (!null_device) return null_device.error();
  auto result = measure_everywhere(*device, *null_device, options, say);
  if (result) return result;
  return Failure{result.error().text + words_of(*device) + words_of(*null_device),
                 result.error().status};
}

}  // namespace ipn_bench
