// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "switchcore/base/result.h"

namespace ipn {

/// An errno in the words of the C library, "no such file or directory".
std::string errno_text(int code);

/// "object: reason (remedy)" of a system call that failed with `code`; the
/// remedy may be empty.
Error system_error(int code, std::string_view object, std::string_view remedy = {});

}  // namespace ipn
