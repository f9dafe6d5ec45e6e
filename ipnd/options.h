// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ipn {

/// What stands on the command line. Names are not looked up yet.
struct Options {
  std::optional<std::string> device;  ///< auto, cuse or fuse
  std::optional<std::string> name;
  std::vector<std::string> paths;
  std::optional<std::uint32_t> mode;
  std::optional<std::string> group;
  std::optional<std::string> config;
  std::optional<std::string> log_level;
  std::optional<std::string> loop;  ///< auto, io_uring or epoll
  std::optional<std::string> spin;  ///< adaptive, never or always
  std::optional<std::string> null_device;
  bool check = false;
  bool fresh = false;
  bool log_file = false;
};

/// The options, or what to print instead of running, and with which status.
struct CommandLine {
  Options options;
  bool run = false;
  int status = 0;    ///< 2: usage error
  std::string text;  ///< help, version or what is wrong
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace ipn
