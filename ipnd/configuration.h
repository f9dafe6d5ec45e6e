// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "switchcore/base/ids.h"
#include "switchcore/core/limits.h"
#include "switchcore/core/network_config.h"
#include "switchcore/core/policy.h"

namespace ipn {

/// [daemon]: the same things as on the command line, which wins.
struct DaemonSettings {
  std::optional<std::string> name;
  std::optional<std::string> device;
  std::vector<std::string> paths;
  std::optional<Gid> group;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> major;
  std::optional<std::string> log_level;
};

/// What the configuration files say. Users and groups are numbers already.
struct Configuration {
  DaemonSettings daemon;
  Limits limits;
  std::vector<NetworkConfig> networks;
  std::vector<std::string> files;  ///< that were read
};

/// A deadline that lossless networks have unless told otherwise; programs' own
/// networks have none.
inline constexpr std::uint32_t kDefaultDeadlineMs = 30'000;

/// What a reader has to know about the daemon besides the files.
struct ConfigurationRules {
  std::vector<PolicyType> policies;
  std::uint32_t umask = 022;  ///< networks without a mode get 0777 & ~umask
  Uid owner;                  ///< networks without an owner belong to it
  Gid group;
};

/// Where the files are: one that was named, or what a directory holds.
struct ConfigurationSource {
  std::string file;       ///< has to exist; empty: none named
  std::string directory;  ///< ipnd.toml, then ipnd.d/*.toml; empty: none
};

/// A configuration, or every mistake in it as "file:line:column: what".
struct LoadedConfiguration {
  Configuration configuration;
  std::vector<std::string> errors;
};

/// Reads the files in their order; later [daemon] and [limits] keys win.
LoadedConfiguration load_configuration(const ConfigurationSource& source,
                                       const ConfigurationRules& rules);

/// Adds what the text of one file says.
void read_toml(std::string_view text, const std::string& file, const ConfigurationRules& rules,
               LoadedConfiguration& loaded);

}  // namespace ipn
