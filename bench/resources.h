// SPDX-License-Identifier: MIT
#pragma once

// What idle nodes cost: memory and wake-ups of processes, as /proc tells them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ipn_bench {

/// Memory of these processes together: what each has for itself and its share of
/// what they have in common with others (Pss), and the pages of their memory
/// files, each file once, whoever has mapped it. nullopt: /proc does not tell.
std::optional<std::uint64_t> memory_of(const std::vector<pid_t>& processes);

/// How often threads of these processes were given a CPU. Only counts of living
/// threads; nullopt: a process is gone.
std::optional<std::uint64_t> switches_of(const std::vector<pid_t>& processes);

/// The pieces of /proc that are read, as pure functions.

/// The number behind `name:` at the start of a line.
std::optional<std::uint64_t> parse_field(std::string_view text, std::string_view name);

}  // namespace ipn_bench
