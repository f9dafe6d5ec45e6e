// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ipnctl {

/// Readers of what people type. Only the form is judged here; whether a value
/// is in range is the daemon's answer. Each gives nothing if the text is not
/// wholly of its form.

/// A decimal number that fits 32 bits.
std::optional<std::uint32_t> parse_count(std::string_view text);

/// The same with 64 bits: the id of a network or a node.
std::optional<std::uint64_t> parse_id(std::string_view text);

/// A number of bytes: "65536", "64K", "2M", "1G", also "64KiB" and "64k"; the
/// letters count 1024s.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// Permission bits in octal, 0 to 0777: "750" or "0750".
std::optional<std::uint32_t> parse_mode(std::string_view text);

/// Seconds, "30", "0.5" or "1.25s", as milliseconds. Nothing is rounded to 0.
std::optional<std::uint32_t> parse_seconds(std::string_view text);

/// The number of a policy from its name or from the number itself, 1 to 63.
std::optional<std::uint32_t> parse_policy(std::string_view text);

/// What a node can ask for where its messages do not fit: IPN_OVERFLOW_*.
std::optional<std::uint32_t> parse_node_overflow(std::string_view text);

/// A user or a group by name or number.
std::optional<std::uint32_t> parse_user(std::string_view text);
std::optional<std::uint32_t> parse_group(std::string_view text);

/// Bytes as pairs of hex digits; blanks between the pairs are allowed.
std::optional<std::string> parse_hex(std::string_view text);

/// The opposite: two lower-case digits a byte, no blanks.
std::string to_hex(std::string_view bytes);

}  // namespace ipnctl
