// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace ipnctl {

/// How many characters must be inserted, removed, changed or swapped with
/// their neighbour to make one word of the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was probably meant to be, the first of equals;
/// null if none is close enough: a third of the word's characters, at least
/// one, may be wrong.
const std::string* closest(std::string_view word, std::span<const std::string> candidates);

}  // namespace ipnctl
