// SPDX-License-Identifier: MIT
#include "ipnd/system_error.h"

#include <cctype>
#include <cstring>

namespace ipn {

std::string errno_text(int code) {
  const char* words = ::strerrordesc_np(code);
  std::string text = words != nullptr ? words : "error " + std::to_string(code);
  // "No such file", but "RPC ..." and "I/O error" stay.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

Error system_error(int code, std::string_view object, std::string_view remedy) {
  std::string text = std::string(object) + ": " + errno_text(code);
  if (!remedy.empty()) text += " (" + std::string(remedy) + ")";
  return {code, std::move(text)};
}

}  // namespace ipn
