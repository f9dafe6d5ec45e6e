// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// A FUSE file system whose root is one regular file, mounted over a regular
/// file. For the helper only: it blocks, and it speaks with programs.

/// Makes `path` an empty regular file that can be mounted over: takes a dead
/// mount away, which a killed daemon has left, and makes the file if it is not
/// there. EEXIST, EISDIR, EBUSY if something else is there. True if nobody but
/// us needs the file, so that it has to be removed at the end.
Result<bool> prepare_mount_point(const std::string& path);

/// Mounts over it; the descriptor of /dev/fuse, which does not block. `everybody`:
/// the file's mode alone decides who may open it, else only the user who mounts.
Result<UniqueFd> mount_file(const std::string& path, bool everybody);

/// The file is an ordinary one again; whoever has it open keeps it open.
Result<void> unmount_file(const std::string& path);

/// Removes what a killed daemon has left at a path where a device is going to
/// appear: a dead mount, an empty file.
void clear_leftovers(const std::string& path);

}  // namespace ipn
