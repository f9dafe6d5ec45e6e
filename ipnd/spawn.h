// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace ipn {

/// Runs a program of the search path, with standard input and output at
/// /dev/null, and waits for its end; kills it when the time is over. Gives its
/// exit status, or -1 if it did not run or was killed.
int run_program(const std::vector<std::string>& words, std::chrono::milliseconds limit);

}  // namespace ipn
