// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipnd/configuration.h"
#include "ipnd/environment.h"
#include "ipnd/options.h"
#include "switchcore/base/ids.h"
#include "switchcore/base/result.h"

namespace ipn {

/// Where programs come in.
struct DoorPlan {
  enum class Kind : std::uint8_t {
    kCuse,  ///< a character device
    kFile,  ///< a FUSE file
    kAuto,  ///< a character device if CUSE is there, else a FUSE file
  };
  Kind kind = Kind::kFile;
  std::string path;
};

/// Who may open the doors.
struct AccessPlan {
  Uid owner;
  Gid group;
  std::uint32_t mode = 0600;
  bool told = false;  ///< mode or group were asked for: they win against udev's rules
};

/// Everything that options, configuration and environment decide, before
/// anything is touched.
struct Plan {
  std::vector<DoorPlan> doors;
  std::string why;   ///< these doors and no others
  std::string name;  ///< of the character device
  std::uint32_t major = 0;
  AccessPlan access;
  std::string lock_path, state_path, log_path, socket_path;
  /// To be made at the start; empty: none.
  std::string directory;
  std::string log_level = "info";
  bool log_level_told = false;  ///< on the command line, which wins against any configuration
};

/// A private instance serves files that the command line names, and nothing of
/// the system is its business.
bool is_private(const Options& options);

/// Where the configuration comes from.
ConfigurationSource configuration_source(const Options& options, const Environment& environment);

/// EINVAL or ENOENT where there is nothing that could be served.
Result<Plan> make_plan(const Options& options, const Configuration& configuration,
                       const Environment& environment);

/// What --check prints.
std::string describe(const Plan& plan, const Configuration& configuration,
                     const std::vector<PolicyType>& policies);

}  // namespace ipn
