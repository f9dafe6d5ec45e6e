// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "switchcore/base/ids.h"

namespace ipn {

/// Readers of values that stand on the command line and in configuration files.
/// Each gives nothing if the text is not wholly of its form.

inline constexpr std::array<std::string_view, 3> kDeviceKinds{"auto", "cuse", "fuse"};
inline constexpr std::array<std::string_view, 3> kSpinKinds{"adaptive", "never", "always"};
inline constexpr std::array<std::string_view, 3> kLoopBackends{"auto", "io_uring", "epoll"};
inline constexpr std::array<std::string_view, 5> kLogLevels{"debug", "info", "warning", "error",
                                                            "off"};

bool is_one_of(std::string_view text, std::span<const std::string_view> words);
/// "a, b, c"
std::string listed(std::span<const std::string_view> words);

/// Permission bits in octal, 0 to 0777.
std::optional<std::uint32_t> parse_mode(std::string_view text);
/// "0660"
std::string mode_text(std::uint32_t mode);

/// A number of bytes: "4096", "64K", "2MiB"; the letters count 1024s.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// A name below /dev, without a slash.
bool is_device_name(std::string_view text);
/// A path to which a suffix can still be added.
bool is_short_path(std::string_view text);

/// A user or a group by name or number. Asks the system's databases, which may
/// take time.
std::optional<Uid> find_user(const std::string& text);
std::optional<Gid> find_group(const std::string& text);

}  // namespace ipn
