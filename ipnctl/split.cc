// SPDX-License-Identifier: MIT
#include "ipnctl/split.h"

namespace ipnctl {

Split split_lines(std::string_view input, bool last) {
  Split split;
  while (split.used < input.size()) {
    const std::size_t newline = input.find('\n', split.used);
    if (newline == std::string_view::npos) break;
    split.messages.push_back(input.substr(split.used, newline - split.used));
    split.used = newline + 1;
  }
  if (last && split.used < input.size()) {
    split.messages.push_back(input.substr(split.used));
    split.used = input.size();
  }
  return split;
}

Split split_pieces(std::string_view input, std::size_t piece, bool last) {
  Split split;
  while (input.size() - split.used >= piece) {
    split.messages.push_back(input.substr(split.used, piece));
    split.used += piece;
  }
  if (last && split.used < input.size()) {
    split.messages.push_back(input.substr(split.used));
    split.used = input.size();
  }
  return split;
}

}  // namespace ipnctl
