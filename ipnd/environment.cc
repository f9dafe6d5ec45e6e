// SPDX-License-Identifier: MIT
#include "ipnd/environment.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "ipnd/file_text.h"

namespace ipn {
namespace {

/// False in a user namespace that knows one user only, as `unshare -r` makes it.
bool has_other_users() {
  const auto map = read_text("/proc/self/uid_map", 1 << 16);
  if (!map) return true;  // a kernel without user namespaces
  std::istringstream lines(*map);
  std::uint64_t inside = 0, outside = 0, count = 0, total = 0;
  while (lines >> inside >> outside >> count) total += count;
  return total > 1;
}

/// An absolute path, or nothing.
std::string directory_of(const char* variable) {
  const char* value = ::secure_getenv(variable);
  return value != nullptr && *value == '/' ? value : std::string();
}

/// $XDG_CONFIG_HOME, or what takes its place. A home that belongs to somebody
/// else stayed in the environment when the user was changed.
std::string config_directory() {
  std::string told = directory_of("XDG_CONFIG_HOME");
  if (!told.empty()) return told;
  const std::string home = directory_of("HOME");
  struct stat status {};
  const bool ours = ::stat(home.c_str(), &status) == 0 && status.st_uid == ::geteuid();
  return ours ? home + "/.config" : std::string();
}

std::uint32_t read_umask() {
  const mode_t umask = ::umask(022);
  ::umask(umask);
  return umask;
}

}  // namespace

Environment read_environment() {
  Environment environment;
  environment.uid = Uid{::geteuid()};
  environment.gid = Gid{::getegid()};
  environment.is_root = ::geteuid() == 0 && has_other_users();
  environment.umask = read_umask();
  environment.runtime_directory = directory_of("XDG_RUNTIME_DIR");
  environment.config_directory = config_directory();
  std::error_code error;
  environment.working_directory = std::filesystem::current_path(error).string();
  return environment;
}

}  // namespace ipn
