// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ipn/ioctl.h>

namespace ipnctl {

/// Appends the records of one IPN_IOC_LIST answer. The daemon may know longer
/// or shorter records than we do: the step is its `rec`, the rest of ours
/// stays zero. False if the answer claims more than `data` holds.
template <typename Record>
[[nodiscard]] bool append_records(const ipn_list& answer, std::span<const std::byte> data,
                                  std::vector<Record>& records) {
  if (answer.n == 0) return true;
  if (answer.rec == 0 || answer.n > data.size() / answer.rec) return false;
  for (std::size_t i = 0; i < answer.n; ++i) {
    Record record{};
    std::memcpy(&record, data.data() + i * answer.rec,
                std::min<std::size_t>(answer.rec, sizeof record));
    records.push_back(record);
  }
  return true;
}

/// The text of an array that may lack its NUL.
template <std::size_t size>
std::string text_of(const char (&text)[size]) {
  return {text, ::strnlen(text, size)};
}

/// Copies `text` into an array, with a NUL. False if it does not fit or has
/// one inside.
template <std::size_t size>
[[nodiscard]] bool put_text(char (&array)[size], std::string_view text) {
  if (text.size() >= size || text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), array);
  std::fill(array + text.size(), array + size, '\0');
  return true;
}

}  // namespace ipnctl
