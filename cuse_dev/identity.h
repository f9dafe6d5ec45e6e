// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string_view>

#include "cuse_dev/call.h"
#include "switchcore/core/credentials.h"

namespace ipn::device {

/// Finds out who a caller is. Called while its request is unanswered, when the
/// calling thread cannot go away.
using Identify = std::function<Credentials(const Caller&)>;

/// Groups, umask, process id and name from /proc/TID/status (proc_pid_status(5)),
/// of which at most 16 KiB are read: groups behind that are not seen. A caller
/// that is invisible to us has no groups and umask 077.
Credentials identify_by_proc(const Caller& caller);

/// The same from the text of a status file.
Credentials parse_status(const Caller& caller, std::string_view status);

}  // namespace ipn::device
