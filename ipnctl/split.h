// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace ipnctl {

/// Input cut into messages: views into the input, and how many bytes of it
/// are done with. What is left belongs to a message that is not complete.
struct Split {
  std::vector<std::string_view> messages;
  std::size_t used = 0;
};

/// A line is a message, without its newline; an empty line is an empty one.
/// At the end of input (`last`) the rest is a line even without newline.
Split split_lines(std::string_view input, bool last);

/// Pieces of `piece` bytes; at the end of input the rest is one too.
Split split_pieces(std::string_view input, std::size_t piece, bool last);

}  // namespace ipnctl
