// SPDX-License-Identifier: MIT
// Hostile programs beside honest ones, on a daemon that runs already. After each
// attack the daemon is as it was and the honest programs have noticed nothing.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <signal.h>

#include "tests/hostile/attacks.h"
#include "tests/hostile/crowd.h"
#include "tests/hostile/raw_node.h"

namespace ipn::hostile {
namespace {

constexpr std::uint64_t kProgress = 50;

/// Sanitizers keep what was freed for a while, and tell of leaks by themselves.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
constexpr bool kIsSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kIsSanitized = false;
#endif
constexpr std::uint64_t kMoreKilobytes = kIsSanitized ? 512 << 10 : 24 << 10;

/// What the daemon holds, as the kernel says.
struct Holdings {
  std::size_t descriptors = 0, areas = 0;
  std::uint64_t resident_kb = 0;
};

Holdings holdings_of(pid_t pid) {
  Holdings holdings;
  const std::string proc = "/proc/" + std::to_string(pid);
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(proc + "/fd")) {
    ++holdings.descriptors;
  }
  std::string line;
  for (std::ifstream maps(proc + "/maps"); std::getline(maps, line);) {
    if (line.find("memfd:ipn-") != std::string::npos) ++holdings.areas;
  }
  for (std::ifstream status(proc + "/status"); std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) holdings.resident_kb = std::stoull(line.substr(8));
  }
  return holdings;
}

class Judge {
 public:
  Judge() : daemon_(daemon_pid()), nodes_(node_list()) {
    require(nodes_.size() == Crowd::kNodes, "there are the honest programs and nobody else");
    before_ = holdings_of(daemon_);
  }

  void judge(const Crowd& crowd, const char* attack) {
    const std::string after = std::string(" after ") + attack;
    const std::string trouble = crowd.check_progress(kProgress);
    require(trouble.empty(), "honest programs notice nothing" + after + "; but " + trouble);
    require(daemon_pid() == daemon_, "the daemon is the same" + after);
    require(eventually([&] { return node_list() == nodes_; }),
            "the guilty nodes are gone, and nobody else" + after);
    Holdings now;
    const bool all_back = eventually([&] {
      now = holdings_of(daemon_);
      return now.descriptors <= before_.descriptors && now.areas <= before_.areas;
    });
    require(all_back, "the daemon gives everything back" + after + "; descriptors " +
                          std::to_string(before_.descriptors) + " -> " +
                          std::to_string(now.descriptors) + ", areas " +
                          std::to_string(before_.areas) + " -> " + std::to_string(now.areas));
    std::printf("  as before: %zu descriptors, %zu areas, %llu kB; %llu cut off\n", now.descriptors,
                now.areas, static_cast<unsigned long long>(now.resident_kb),
                static_cast<unsigned long long>(daemon_stats().cut_off));
    require(now.resident_kb <= before_.resident_kb + kMoreKilobytes,
            "the daemon's memory does not grow" + after);
  }

 private:
  pid_t daemon_;
  std::vector<std::uint64_t> nodes_;
  Holdings before_;
};

/// The daemon says whom it has disconnected and why, though not each time of many.
void require_log_lines() {
  if (daemon_stats().cut_off == 0) return;
  const auto path = std::filesystem::path(std::getenv("IPN_DEVICE")).parent_path() / "log";
  std::ifstream log(path);
  bool found = false;
  for (std::string line; !found && std::getline(log, line);) {
    found = line.find(" was disconnected: ") != std::string::npos;
  }
  require(found, "the log tells who was disconnected: " + path.string());
}

/// Every attack with this seed, or those with `only` in their names.
void run(std::uint64_t seed, const std::string& only) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  const Crowd crowd;
  Judge judge;
  judge.judge(crowd, "no attack");
  Random random(seed);
  for (const auto& attacks :
       {ring_attacks(), socket_attacks(), memory_attacks(), process_attacks()}) {
    for (const Attack& attack : attacks) {
      if (std::strstr(attack.name, only.c_str()) == nullptr) continue;
      std::printf("%s\n", attack.name);
      const auto begin = std::chrono::steady_clock::now();
      attack.run(random);
      judge.judge(crowd, attack.name);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      std::printf("  %.1f s\n", took.count());
    }
  }
  require_log_lines();
}

}  // namespace

void require(bool holds, const std::string& what) {
  if (!holds) give_up("not true: " + what);
}

const char* any_network(Random& random) { return kNetworks[below(random, kNetworks.size())]; }

std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

}  // namespace ipn::hostile

// [--only WORD] SEED...
int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  int first = 1;
  std::string only;
  if (argc > 2 && std::strcmp(argv[1], "--only") == 0) {
    only = argv[2];
    first = 3;
  }
  if (first >= argc) {
    std::fprintf(stderr, "usage: ipn-hostile [--only WORD] SEED...\n");
    return 2;
  }
  for (int i = first; i < argc; ++i) {
    ipn::hostile::run(std::strtoull(argv[i], nullptr, 10), only);
  }
  return 0;
}
