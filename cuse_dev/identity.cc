// SPDX-License-Identifier: MIT
#include "cuse_dev/identity.h"

#include <array>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>

namespace ipn::device {
namespace {

constexpr std::size_t kStatusBytes = 16384;

/// The value of `Key:` in the lines of a status file; only whole lines count.
std::optional<std::string_view> field(std::string_view status, std::string_view key) {
  while (!status.empty()) {
    const std::size_t end = status.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = status.substr(0, end);
    status.remove_prefix(end + 1);
    if (line.substr(0, key.size()) != key || line.substr(key.size(), 1) != ":") continue;
    const std::size_t begin = line.find_first_not_of(" \t", key.size() + 1);
    return begin == std::string_view::npos ? std::string_view{} : line.substr(begin);
  }
  return std::nullopt;
}

/// Takes a number off the front of `text`, blanks included.
std::optional<std::uint32_t> take_number(std::string_view& text, int base) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// A program chooses its name, and ours goes into logs and onto terminals.
std::string printable(std::string_view name) {
  std::string text(name);
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace

Credentials parse_status(const Caller& caller, std::string_view status) {
  Credentials who;
  who.uid = Uid{caller.uid};
  who.gid = Gid{caller.gid};
  if (const auto name = field(status, "Name")) who.program = printable(*name);
  if (auto umask = field(status, "Umask")) who.umask = take_number(*umask, 8).value_or(0077);
  if (auto pid = field(status, "Tgid")) who.pid = take_number(*pid, 10).value_or(0);
  if (auto groups = field(status, "Groups")) {
    while (const auto group = take_number(*groups, 10)) who.groups.push_back(Gid{*group});
  }
  return who;
}

Credentials identify_by_proc(const Caller& caller) {
  std::array<char, kStatusBytes> text;
  std::size_t length = 0;
  if (caller.tid != 0) {
    const std::string path = "/proc/" + std::to_string(caller.tid) + "/status";
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      ssize_t got = 0;
      while (length < text.size() &&
             (got = ::read(fd, text.data() + length, text.size() - length)) > 0) {
        length += static_cast<std::size_t>(got);
      }
      ::close(fd);
    }
  }
  return parse_status(caller, {text.data(), length});
}

}  // namespace ipn::device
