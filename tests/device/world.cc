// SPDX-License-Identifier: MIT
#include "tests/device/world.h"

#include <cstring>

namespace ipn::scenarios {

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  if (answer.error != 0) {
    const char* name = strerrorname_np(answer.error);
    return out << "error " << (name != nullptr ? name : std::to_string(answer.error).c_str());
  }
  out << "value " << answer.value;
  if (!answer.data.empty()) {
    out << ", " << answer.data.size() << " bytes \"" << answer.data.substr(0, 60) << '"';
  }
  return out;
}

Answer message(std::string_view bytes) {
  return {0, static_cast<long>(bytes.size()), std::string(bytes)};
}

Answer value(long value) { return {0, value, {}}; }

Answer failure(int error) { return {error, 0, {}}; }

}  // namespace ipn::scenarios
