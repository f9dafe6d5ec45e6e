// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>

#include "ipnctl/device.h"
#include "ipnctl/options.h"
#include "ipnctl/result.h"

namespace ipnctl {

/// What a verb does once its command line is read.
using Action = std::function<Result<void>(const Globals&)>;

/// One verb of the tool. `prepare` adds its options; the Action owns where their
/// values are stored.
struct Verb {
  const char* group;  ///< "net" in "ipnctl net add"; empty: none
  const char* name;   ///< empty: no verb given
  const char* summary;
  const char* more;  ///< the end of its --help
  Action (*prepare)(Options& options);
};

std::span<const Verb> status_verbs();   ///< ipnctl alone, stats, version
std::span<const Verb> network_verbs();  ///< net ...
std::span<const Verb> node_verbs();     ///< node ...
std::span<const Verb> send_verbs();
std::span<const Verb> recv_verbs();

}  // namespace ipnctl
