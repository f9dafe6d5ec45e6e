// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace ipn {

/// What the service manager is told (sd_notify(3)); nothing happens where there
/// is none.
void notify_ready(const std::string& status);
void notify_reloading();
void notify_stopping();

}  // namespace ipn
