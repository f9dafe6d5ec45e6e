// SPDX-License-Identifier: MIT
#include "ipnd/values.h"

#include <algorithm>
#include <charconv>
#include <grp.h>
#include <limits>
#include <pwd.h>

namespace ipn {
namespace {

/// The longest suffix that is added to a path of ours is ".state.new".
constexpr std::size_t kPathMax = 4000;
constexpr std::size_t kDeviceNameMax = 64;

template <typename T>
std::optional<T> parse_digits(std::string_view text, int base) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

/// The power of two that a unit stands for.
std::optional<unsigned> unit_shift(std::string_view unit) {
  if (unit.empty() || unit == "B") return 0;
  if (unit.size() > 1 && unit.substr(1) != "iB") return std::nullopt;
  constexpr std::string_view kLetters = "KMG";
  const auto at = kLetters.find(unit[0] == 'k' ? 'K' : unit[0]);
  if (at == std::string_view::npos) return std::nullopt;
  return 10 * static_cast<unsigned>(at + 1);
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string listed(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  const auto mode = parse_digits<std::uint32_t>(text, 8);
  if (!mode || *mode > 0777) return std::nullopt;
  return mode;
}

std::string mode_text(std::uint32_t mode) {
  std::string text = "0000";
  for (std::size_t digit = 3; digit > 0; --digit, mode >>= 3) {
    text[digit] = static_cast<char>('0' + (mode & 7));
  }
  return text;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_digits<std::uint64_t>(text.substr(0, digits), 10);
  std::string_view unit = text.substr(digits);
  if (unit.size() > 1 && unit[0] == ' ') unit.remove_prefix(1);
  const auto shift = unit_shift(unit);
  if (!number || !shift) return std::nullopt;
  if (*number > std::numeric_limits<std::uint64_t>::max() >> *shift) return std::nullopt;
  return *number << *shift;
}

bool is_device_name(std::string_view text) {
  if (text.empty() || text.size() > kDeviceNameMax || !is_letter_or_digit(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
}

bool is_short_path(std::string_view text) { return !text.empty() && text.size() <= kPathMax; }

std::optional<Uid> find_user(const std::string& text) {
  if (const auto number = parse_digits<std::uint32_t>(text, 10)) return Uid{*number};
  const passwd* entry = ::getpwnam(text.c_str());
  if (entry == nullptr) return std::nullopt;
  return Uid{entry->pw_uid};
}

std::optional<Gid> find_group(const std::string& text) {
  if (const auto number = parse_digits<std::uint32_t>(text, 10)) return Gid{*number};
  const group* entry = ::getgrnam(text.c_str());
  if (entry == nullptr) return std::nullopt;
  return Gid{entry->gr_gid};
}

}  // namespace ipn
