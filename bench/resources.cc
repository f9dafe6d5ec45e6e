// SPDX-License-Identifier: MIT
#include "bench/resources.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sys/stat.h>
#include <utility>

namespace ipn_bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kBlock = 512;  // of st_blocks

/// Memory files by device and inode, with their bytes.
using Files = std::map<std::pair<dev_t, ino_t>, std::uint64_t>;

std::string read_all(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

fs::path proc_of(pid_t process) { return fs::path("/proc") / std::to_string(process); }

/// Adds the memory files that the links of a folder lead to. False: they cannot
/// be followed.
bool add_files(const fs::path& folder, Files& files) {
  std::error_code error;
  for (fs::directory_iterator link(folder, error), end; !error && link != end;
       link.increment(error)) {
    std::error_code unreadable;
    const std::string target = fs::read_symlink(link->path(), unreadable).string();
    if (unreadable || target.rfind("/memfd:", 0) != 0) continue;
    struct stat status {};
    if (stat(link->path().c_str(), &status) != 0) return false;
    files[{status.st_dev, status.st_ino}] = static_cast<std::uint64_t>(status.st_blocks) * kBlock;
  }
  return !error;
}

}  // namespace

std::optional<std::uint64_t> parse_field(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.substr(0, name.size()) != name || line.substr(name.size(), 1) != ":") continue;
    line.remove_prefix(name.size() + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error == std::errc() && end != line.data()) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> memory_of(const std::vector<pid_t>& processes) {
  std::uint64_t own = 0, shared = 0;
  bool are_files_known = true;
  Files files;
  for (const pid_t process : processes) {
    const std::string text = read_all(proc_of(process) / "smaps_rollup");
    const auto pss = parse_field(text, "Pss");
    const auto pss_shared = parse_field(text, "Pss_Shmem");
    if (!pss || !pss_shared) return std::nullopt;
    own += (*pss - *pss_shared) * kKiB;
    shared += *pss_shared * kKiB;
    are_files_known = are_files_known && add_files(proc_of(process) / "map_files", files) &&
                      add_files(proc_of(process) / "fd", files);
  }
  if (!are_files_known) return own + shared;
  std::uint64_t sum = own;
  for (const auto& [file, bytes] : files) sum += bytes;
  return sum;
}

std::optional<std::uint64_t> switches_of(const std::vector<pid_t>& processes) {
  std::uint64_t sum = 0;
  for (const pid_t process : processes) {
    std::error_code error;
    fs::directory_iterator thread(proc_of(process) / "task", error), end;
    if (error) return std::nullopt;
    for (; !error && thread != end; thread.increment(error)) {
      const std::string text = read_all(thread->path() / "status");
      sum += parse_field(text, "voluntary_ctxt_switches").value_or(0);
      sum += parse_field(text, "nonvoluntary_ctxt_switches").value_or(0);
    }
  }
  return sum;
}

}  // namespace ipn_bench
