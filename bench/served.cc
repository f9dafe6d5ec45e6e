// SPDX-License-Identifier: MIT
#include "bench/served.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>

#include "bench/exchange.h"

#include <ipn/ipn.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

constexpr const char* kDaemon = "ipnd";
constexpr std::chrono::seconds kReadyDeadline{20};
constexpr std::size_t kNullAnswer = 64;
constexpr int kOpenFlags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

/// Works attach thousands of nodes as one user.
constexpr const char* kConfiguration =
    "# The limits of ipn-bench's own daemon.\n"
    "[limits]\n"
    "networks = 100000\n"
    "nodes = 200000\n"
    "log_bytes = 68719476736\n"
    "open_files = 200000\n";

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

Result<Served> start_daemon(std::vector<std::string> words, const std::string& path, Probe probe) {
  const auto program = find_program(kDaemon);
  if (!program) return program.error();
  words.insert(words.begin(), *program);
  auto daemon = Daemon::start(std::move(words), path, path + ".printed");
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

/// A daemon inherits what this process may open at most.
void allow_many_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::vector<pid_t> processes_of(const Served& served) {
  return served.pid ? family_of(*served.pid) : std::vector<pid_t>();
}

std::string words_of(const Served& served) {
  if (!served.daemon || served.daemon->is_running()) return {};
  return "; the daemon of " + served.path + " ended and said last: " + served.daemon->last_words();
}

Result<Served> serve_ipn(const Options& options, const ScratchFolder& folder,
                         const std::string& name, Spin spin) {
  if (options.device) {
    const Handshake device = check_ipn(*options.device);
    if (device.code != 0) return Failure{device.reason};
    return given_device(*options.device, options.device_pid);
  }
  allow_many_open_files();
  const std::string path = folder.path_of(name);
  const std::string configuration = path + ".toml";
  std::ofstream file(configuration);
  file << kConfiguration;
  file.close();
  if (!file) return Failure{configuration + ": cannot be written (is there room?)"};
  std::vector<std::string> words{"--path", path, "--config", configuration};
  if (spin == Spin::kNever) words.insert(words.end(), {"--spin", "never"});
  if (spin == Spin::kBusy) words.insert(words.end(), {"--spin", "always"});
  return start_daemon(std::move(words), path, answers_as_ipn);
}

Result<Served> serve_null(const Options& options, const ScratchFolder& folder) {
  if (!options.null_device) {
    const std::string path = folder.path_of("null");
    return start_daemon({"--null-device", path}, path, [](const std::string& file) -> Result<bool> {
      return answers_as_null(file);
    });
  }
  if (answers_as_null(*options.null_device)) {
    return given_device(*options.null_device, options.null_pid);
  }
  return Failure{*options.null_device +
                 ": not a device that does nothing (serve one: ipnd --null-device FILE)"};
}

}  // namespace ipn_bench
