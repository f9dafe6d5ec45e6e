// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "switchcore/base/result.h"

namespace ipn::io {

/// Value of the sysctl kernel.io_uring_disabled, 0 where there is none.
int read_io_uring_disabled();

/// Why the kernel refuses a ring, in few words.
std::string uring_reason(int code, int disabled);

/// The same as an error, with the call that failed and the remedy.
Error uring_refused(std::string_view call, int code, int disabled);

}  // namespace ipn::io
