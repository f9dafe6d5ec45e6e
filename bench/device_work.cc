// SPDX-License-Identifier: MIT
#include "bench/device_work.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include "bench/daemons.h"
#include "bench/exchange.h"
#include "bench/measure.h"
#include "bench/served.h"

#include <ipn/ipn.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

constexpr const char* kWork = "device";
constexpr std::size_t kSize = 64;
constexpr milliseconds kLatencyPhase{500};
constexpr double kP50 = 50, kP99 = 99;
constexpr int kOpenFlags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

std::string error_text(int error) { return std::strerror(error); }

/// One of the two sides of the comparison.
class DeviceSystem : public System {
 public:
  DeviceSystem(std::string name, const Served& served, Exchange exchange)
      : name_(std::move(name)), processes_(processes_of(served)), exchange_(std::move(exchange)) {}

  const std::string& name() const override { return name_; }
  const std::vector<pid_t>& processes() const override { return processes_; }
  Result<Outcome> run(Nanoseconds duration) override {
    const auto messages = exchange_.run(duration);
    if (!messages) return messages.error();
    return Outcome{*messages, *messages};
  }
  Exchange& exchange() { return exchange_; }

 private:
  std::string name_;
  std::vector<pid_t> processes_;
  Exchange exchange_;
};

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

Result<void> add_latency(Row& row, DeviceSystem& system, Nanoseconds duration) {
  auto times = system.exchange().time_round_trips(duration);
  if (!times) return times.error();
  row.p50_ns = percentile(*times, kP50);
  row.p99_ns = percentile(std::move(*times), kP99);
  return {};
}

void note_faults(DeviceSystem& system, WorkResult& result) {
  const Faults& faults = system.exchange().faults();
  if (faults.any()) result.faults.push_back(system.name() + ": messages: " + describe(faults));
}

Row row_of(std::size_t size) {
  Row row;
  row.workload = kWork;
  row.size = size;
  return row;
}

/// Both systems at one size, on all CPUs and again on one.
Result<void> measure_size(const Served& device, const Served& null_device, std::size_t size,
                          const Options& options, const Say& say, WorkResult& result) {
  auto exchange = open_ipn(device.path, size);
  if (!exchange) return exchange.error();
  auto null_exchange = open_null(null_device.path, size);
  if (!null_exchange) return null_exchange.error();
  DeviceSystem ours("ipn", device, std::move(*exchange));
  DeviceSystem null("null", null_device, std::move(*null_exchange));
  const Nanoseconds phase = std::min<Nanoseconds>(kLatencyPhase, options.method.run);
  std::uint64_t lost = 0, null_lost = 0;
  const auto complete = [&](Row& row, Row& null_row) -> Result<void> {
    if (auto timed = add_latency(row, ours, phase); !timed) return timed;
    if (auto timed = add_latency(null_row, null, phase); !timed) return timed;
    row.loss = ours.exchange().faults().lost - std::exchange(lost, ours.exchange().faults().lost);
    null_row.loss =
        null.exchange().faults().lost - std::exchange(null_lost, null.exchange().faults().lost);
    return {};
  };
  Contest contest{ours, null, row_of(size), row_of(size), Measure::kRate, complete};
  contest.our_row.lossless = true;
  contest.our_row.door = "device";
  if (auto done = measure_everywhere(contest, options, say, result); !done) return done;
  note_faults(ours, result);
  note_faults(null, result);
  return {};
}

}  // namespace

Result<WorkResult> run_device_work(const Options& options, const Say& say) {
  const auto folder = ScratchFolder::make();
  if (!folder) return folder.error();
  const auto device = serve_ipn(options, *folder, "ipn", Spin::kAdaptive);
  if (!device) return device.error();
  const auto null_device = serve_null(options, *folder);
  if (!null_device) return null_device.error();
  WorkResult result;
  const auto sizes = options.sizes.empty() ? std::vector{kSize} : options.sizes;
  for (const std::size_t size : sizes) {
    const auto done = measure_size(*device, *null_device, size, options, say, result);
    if (done) continue;
    return Failure{done.error().text + words_of(*device) + words_of(*null_device),
                   done.error().status};
  }
  return result;
}

}  // namespace ipn_bench
