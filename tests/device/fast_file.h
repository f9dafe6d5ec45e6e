// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "tests/device/callers.h"
#include "tests/device/world.h"

namespace ipn::scenarios {

/// An open file whose messages libipn moves through shared memory from the connect
/// on. Reads, writes, SEND and RECV are calls of the library; a write returns when
/// its completion has come, so that it says what a write to the device says. All
/// other calls, and messages whose form makes no sense, go to the device.
///
/// A file that connects to a given port is not attached: the library has no call
/// for that.
Opened open_fast_file(const Control& control, Actors& actors, const std::string& path, int flags,
                      const Identity& who);

/// The scenarios that do not apply to such files, as a filter of GoogleTest.
std::string not_for_fast_files();

}  // namespace ipn::scenarios
