// SPDX-License-Identifier: MIT
#include "switchcore/core/credentials.h"

#include <algorithm>

namespace ipn {

bool Credentials::in_group(Gid group) const {
  return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
}

Access access_of(const Credentials& who, std::uint32_t mode, Uid owner, Gid group) {
  if (who.is_root()) return {true, true, true};
  std::uint32_t bits = mode;
  if (who.uid == owner) {
    bits = mode >> 6;
  } else if (who.in_group(group)) {
    bits = mode >> 3;
  }
  return {(bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0};
}

}  // namespace ipn
