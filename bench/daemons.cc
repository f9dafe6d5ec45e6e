// SPDX-License-Identifier: MIT
#include "bench/daemons.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sstream>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "bench/signals.h"

namespace ipn_bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLookAgain{10};
constexpr milliseconds kTermPatience{5000};
constexpr std::size_t kLastWords = 600;  // bytes

std::string error_text(int error) { return std::strerror(error); }

int open_or_die(const char* path, int flags) {
  const int fd = open(path, flags, 0600);
  if (fd < 0) _exit(kExitFailure);
  return fd;
}

/// In the child: becomes the daemon. Between fork and exec only what a signal
/// handler may call, because the parent may have threads.
[[noreturn]] void become(char* const* words, const char* log, pid_t parent) {
  const int in = open_or_die("/dev/null", O_RDONLY);
  const int out = open_or_die(log, O_WRONLY | O_CREAT | O_APPEND);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  // A group of its own: the terminal's ^C is for this program, which ends it.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(kExitFailure);
  execv(words[0], words);
  constexpr std::string_view kWords = "it cannot be executed\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kWords.data(), kWords.size());
  _exit(kExitFailure);
}

/// What a killed daemon leaves: a mount that nobody serves.
void unmount_leftover(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno != EPERM) return;
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 || errno != ENOTCONN) return;
  std::array<const char*, 6> words{"fusermount3", "-u", "-z", "-q", path.c_str(), nullptr};
  const pid_t child = fork();
  if (child == 0) {
    execvp(words[0], const_cast<char* const*>(words.data()));
    _exit(kExitFailure);
  }
  if (child > 0) waitpid(child, nullptr, 0);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<ScratchFolder> ScratchFolder::make() {
  const char* told = std::getenv("TMPDIR");
  const std::string base = told != nullptr && *told != '\0' ? told : "/tmp";
  std::string path = base + "/ipn-bench.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return Failure{base + ": no folder can be made here: " + error_text(errno) +
                   " (name another place in TMPDIR)"};
  }
  return ScratchFolder(std::move(path));
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);
}

Result<Daemon> Daemon::start(std::vector<std::string> command, std::string device,
                             std::string log) {
  std::vector<char*> words(command.size() + 1, nullptr);
  std::transform(command.begin(), command.end(), words.begin(),
                 [](std::string& word) { return word.data(); });
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return Failure{command[0] + ": cannot be started: " + error_text(errno)};
  if (child == 0) become(words.data(), log.c_str(), parent);
  // The C library declares pidfd_open() without C linkage in some versions.
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  const int error = errno;
  Daemon daemon(child, handle, command[0], std::move(device), std::move(log));
  if (handle < 0) return Failure{command[0] + ": cannot be watched: " + error_text(error)};
  return daemon;
}

Daemon::Daemon(pid_t pid, int handle, std::string name, std::string device, std::string log)
    : pid_(pid),
      handle_(handle),
      name_(std::move(name)),
      device_(std::move(device)),
      log_(std::move(log)) {}

Daemon::Daemon(Daemon&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      handle_(std::exchange(other.handle_, -1)),
      name_(std::move(other.name_)),
      device_(std::move(other.device_)),
      log_(std::move(other.log_)) {}

Daemon::~Daemon() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    if (!has_ended(kTermPatience)) kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    unmount_leftover(device_);
  }
  if (handle_ >= 0) close(handle_);
}

bool Daemon::is_running() const { return pid_ > 0 && !has_ended(milliseconds(0)); }

bool Daemon::has_ended(milliseconds wait) const {
  const auto end = Clock::now() + wait;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    pollfd watch{handle_, POLLIN, 0};
    const int n = poll(&watch, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

Result<void> Daemon::wait_until_ready(const std::function<Result<bool>()>& is_ready,
                                      milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (!has_ended(kLookAgain)) {
    if (is_interrupted()) return interrupted();
    const auto ready = is_ready();
    if (!ready) return complaint(ready.error().text);
    if (*ready) return {};
    if (Clock::now() > end) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(deadline);
      return complaint("did not serve " + device_ + " within " + std::to_string(seconds.count()) +
                       " s");
    }
  }
  return ended();
}

Failure Daemon::ended() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  unmount_leftover(device_);
  return complaint(how_it_ended(status) + " before it served " + device_);
}

Failure Daemon::complaint(const std::string& reason) const {
  const std::string words = last_words();
  return {name_ + ": " + reason + (words.empty() ? "; it printed nothing" : "; it said: " + words)};
}

std::string Daemon::last_words() const {
  std::ifstream file(log_);
  std::string text(std::istreambuf_iterator<char>(file), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() > kLastWords) {
    const std::size_t line = text.find('\n', text.size() - kLastWords);
    text.erase(0, line != std::string::npos ? line + 1 : text.size() - kLastWords);
  }
  std::string line;
  for (const char c : text) line += c == '\n' ? std::string(" | ") : std::string(1, c);
  return line;
}

Result<std::string> find_program(const std::string& name) {
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<fs::path> folders{beside, beside.parent_path() / "sbin"};
  const char* path = std::getenv("PATH");
  std::istringstream rest(path != nullptr ? path : "");
  for (std::string folder; std::getline(rest, folder, ':');) folders.emplace_back(folder);
  for (const fs::path& folder : folders) {
    if (is_program(folder / name)) return (folder / name).string();
  }
  return Failure{name + ": no such program beside this one (" + beside.string() +
                 ") or in PATH (build or install it)"};
}

}  // namespace ipn_bench
