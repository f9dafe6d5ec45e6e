// SPDX-License-Identifier: MIT
#pragma once

#include "switchcore/core/storage.h"

namespace ipn {

/// Memory of logs from the kernel, private to the daemon.
StorageFactory anonymous_storage();

}  // namespace ipn
