// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// The socket at which programs ask for a ticket to shared memory, listening at
/// `path`, which is replaced. Anybody may connect: the ticket decides. Without it
/// all messages travel by calls.
Result<UniqueFd> open_attach_socket(const std::string& path);

/// As many open files as the kernel lets us have: every attached node takes one,
/// and every log.
void raise_open_files();

}  // namespace ipn
