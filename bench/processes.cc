// SPDX-License-Identifier: MIT
#include "bench/processes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <utility>

namespace ipn_bench {
namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<long long> parse_number(std::string_view text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Cuts the next word off `text`; empty at its end.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \n"));
  text.remove_prefix(word.size());
  return word;
}

/// The numbers that name entries of a folder of /proc.
std::vector<pid_t> ids_in(const fs::path& folder) {
  std::vector<pid_t> ids;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto id = parse_number(entry->path().filename().string());
    if (id) ids.push_back(static_cast<pid_t>(*id));
  }
  return ids;
}

fs::path proc_of(pid_t process) { return fs::path("/proc") / std::to_string(process); }

/// Threads that the kernel runs for a process, as io_uring's workers, place
/// themselves.
bool places_itself(const fs::path& thread) { return read_all(thread / "comm").starts_with("iou-"); }

Result<void> allow_cpus(pid_t process, const cpu_set_t& cpus) {
  const fs::path threads = proc_of(process) / "task";
  for (const pid_t thread : ids_in(threads)) {
    if (sched_setaffinity(thread, sizeof cpus, &cpus) == 0 || errno == ESRCH) continue;
    const int error = errno;
    if (places_itself(threads / std::to_string(thread))) continue;
    return Failure{"process " + std::to_string(process) +
                   ": cannot be moved to another CPU: " + std::strerror(error)};
  }
  return {};
}

}  // namespace

std::optional<pid_t> parse_parent(std::string_view process_stat) {
  const std::size_t name_end = process_stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  process_stat.remove_prefix(name_end + 1);
  take_word(process_stat);  // the state
  const auto parent = parse_number(take_word(process_stat));
  return parent ? std::optional(static_cast<pid_t>(*parent)) : std::nullopt;
}

std::optional<long long> parse_busy_ticks(std::string_view machine_stat) {
  if (take_word(machine_stat) != "cpu") return std::nullopt;
  // user nice system idle iowait irq softirq; what follows was not this
  // machine's, or is counted in user and nice already.
  constexpr std::array kIsBusy{true, true, true, false, false, true, true};
  long long sum = 0;
  for (const bool is_busy : kIsBusy) {
    const auto ticks = parse_number(take_word(machine_stat));
    if (!ticks) return std::nullopt;
    if (is_busy) sum += *ticks;
  }
  return sum;
}

std::vector<pid_t> family_of(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> parents;  // process, parent
  for (const pid_t process : ids_in("/proc")) {
    const auto parent = parse_parent(read_all(proc_of(process) / "stat"));
    if (parent) parents.emplace_back(process, *parent);
  }
  std::vector<pid_t> family{root};
  for (std::size_t i = 0; i < family.size(); i++) {
    for (const auto& [process, parent] : parents) {
      if (parent == family[i]) family.push_back(process);
    }
  }
  return family;
}

std::optional<Nanoseconds> cpu_time(const std::vector<pid_t>& processes) {
  Nanoseconds sum{0};
  for (const pid_t process : processes) {
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(process, &clock) != 0) return std::nullopt;
    if (clock_gettime(clock, &time) != 0) return std::nullopt;
    sum += std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
  }
  return sum;
}

std::optional<Nanoseconds> machine_cpu_time() {
  const auto ticks = parse_busy_ticks(read_all("/proc/stat"));
  if (!ticks) return std::nullopt;
  return Nanoseconds(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK) * *ticks;
}

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

Result<Pinning> Pinning::pin(std::vector<pid_t> processes, int cpu) {
  cpu_set_t before;
  CPU_ZERO(&before);
  if (sched_getaffinity(0, sizeof before, &before) != 0) {
    return Failure{std::string("the usable CPUs are not known: ") + std::strerror(errno)};
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(cpu), &one);
  Pinning pinning(std::move(processes), before);
  for (const pid_t process : pinning.processes_) {
    if (auto moved = allow_cpus(process, one); !moved) return moved.error();
  }
  return pinning;
}

Pinning::Pinning(std::vector<pid_t> processes, const cpu_set_t& before)
    : processes_(std::move(processes)), before_(before) {}

Pinning::Pinning(Pinning&& other) noexcept
    : processes_(std::exchange(other.processes_, {})), before_(other.before_) {}

Pinning::~Pinning() {
  for (const pid_t process : processes_) static_cast<void>(allow_cpus(process, before_));
}

}  // namespace ipn_bench
