// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// The whole of a small file; EFBIG if it is longer than `bytes_max`.
Result<std::string> read_text(const std::string& path, std::size_t bytes_max);
/// The same of a descriptor, from its beginning, wherever its offset is.
Result<std::string> read_text(int fd, const std::string& object, std::size_t bytes_max);

/// Writes `text` beside `path` and renames it into place: whoever reads sees
/// the old or the new, never a part.
Result<void> replace_text(const std::string& path, std::string_view text);

/// Memory that can be passed as a descriptor and holds `text`.
Result<UniqueFd> text_in_memory(std::string_view text);

}  // namespace ipn
