// SPDX-License-Identifier: MIT
#include "ipnctl/parse.h"

#include <array>
#include <charconv>
#include <cmath>
#include <grp.h>
#include <limits>
#include <pwd.h>
#include <utility>

#include <ipn/ioctl.h>

namespace ipnctl {
namespace {

/// All of `text` as digits of `base`: no sign, no blanks, no overflow.
template <typename T>
std::optional<T> parse_digits(std::string_view text, int base = 10) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

/// The power of 1024 that a unit stands for.
std::optional<unsigned> unit_shift(std::string_view unit) {
  if (unit.empty() || unit == "B") return 0;
  if (unit.size() > 1 && unit.substr(1) != "iB") return std::nullopt;
  switch (unit[0]) {
    case 'k':
    case 'K':
      return 10;
    case 'M':
      return 20;
    case 'G':
      return 30;
    default:
      return std::nullopt;
  }
}

constexpr std::array<std::pair<std::string_view, std::uint32_t>, 6> kPolicies{{
    {"broadcast", IPN_BROADCAST},
    {"hub", IPN_HUB},
    {"ethernet", IPN_VDESWITCH},
    {"vdeswitch", IPN_VDESWITCH},
    {"l3", IPN_VDESWITCH_L3},
    {"bus", IPN_BUS},
}};

constexpr std::array<std::pair<std::string_view, std::uint32_t>, 3> kNodeOverflows{{
    {"network", IPN_OVERFLOW_NETWORK},
    {"drop-newest", IPN_OVERFLOW_DROP_NEWEST},
    {"latest", IPN_OVERFLOW_LATEST},
}};

constexpr std::string_view kHexDigits = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

std::optional<std::uint32_t> parse_count(std::string_view text) {
  return parse_digits<std::uint32_t>(text);
}

std::optional<std::uint64_t> parse_id(std::string_view text) {
  return parse_digits<std::uint64_t>(text);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  const auto number = parse_digits<std::uint64_t>(text.substr(0, digits));
  const std::string_view unit = digits == std::string_view::npos ? "" : text.substr(digits);
  const auto shift = unit_shift(unit);
  if (!number || !shift) return std::nullopt;
  if (*number > std::numeric_limits<std::uint64_t>::max() >> *shift) return std::nullopt;
  return *number << *shift;
}

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  const auto mode = parse_digits<std::uint32_t>(text, 8);
  if (!mode || *mode > 0777) return std::nullopt;
  return mode;
}

std::optional<std::uint32_t> parse_seconds(std::string_view text) {
  if (!text.empty() && text.back() == 's') text.remove_suffix(1);
  if (text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || rest != end) return std::nullopt;
  const double milliseconds = seconds * 1000;
  if (milliseconds > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  if (milliseconds > 0 && milliseconds < 1) return 1;
  return static_cast<std::uint32_t>(std::llround(milliseconds));
}

std::optional<std::uint32_t> parse_policy(std::string_view text) {
  for (const auto& [name, number] : kPolicies) {
    if (name == text) return number;
  }
  const auto number = parse_count(text);
  if (!number || *number == IPN_ANY || *number > IPN_POLICY_MAX) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> parse_node_overflow(std::string_view text) {
  for (const auto& [name, number] : kNodeOverflows) {
    if (name == text) return number;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> parse_user(std::string_view text) {
  if (const auto number = parse_count(text)) return number;
  const passwd* entry = ::getpwnam(std::string(text).c_str());
  return entry == nullptr ? std::nullopt : std::optional<std::uint32_t>(entry->pw_uid);
}

std::optional<std::uint32_t> parse_group(std::string_view text) {
  if (const auto number = parse_count(text)) return number;
  const group* entry = ::getgrnam(std::string(text).c_str());
  return entry == nullptr ? std::nullopt : std::optional<std::uint32_t>(entry->gr_gid);
}

std::optional<std::string> parse_hex(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size();) {
    if (is_blank(text[i])) {
      ++i;
      continue;
    }
    if (i + 1 == text.size()) return std::nullopt;
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(kHexDigits[byte >> 4]);
    text.push_back(kHexDigits[byte & 15]);
  }
  return text;
}

}  // namespace ipnctl
