// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "switchcore/base/ids.h"

namespace ipn {

/// What the process finds around itself, read once at the start.
struct Environment {
  Uid uid;
  Gid gid;
  /// May make /dev/NAME and become other users. Root of a user namespace that
  /// has no other user is not root in this sense: /dev is not its own.
  bool is_root = false;
  std::uint32_t umask = 022;
  std::string runtime_directory;  ///< $XDG_RUNTIME_DIR, may be empty
  std::string config_directory;   ///< $XDG_CONFIG_HOME or ~/.config, may be empty
  std::string working_directory;
};

Environment read_environment();

}  // namespace ipn
