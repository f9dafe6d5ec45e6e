// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "switchcore/base/ids.h"

namespace ipn {

/// Who asks: what the kernel says of the caller of one request. Rights are
/// decided by it at bind, connect and management calls, and then belong to the
/// open file, as with any file.
struct Credentials {
  Uid uid;
  Gid gid;
  std::vector<Gid> groups;     ///< supplementary ones
  std::uint32_t pid = 0;       ///< process id, 0 if invisible to the daemon
  std::uint32_t umask = 0077;  ///< of the calling process; 077 if invisible
  std::string program;         ///< short name of the process, may be empty

  bool is_root() const { return uid == Uid{0}; }
  bool in_group(Gid group) const;
};

/// Permission bits of a network, read as of a file.
struct Access {
  bool receive = false;  ///< r
  bool send = false;     ///< w
  bool manage = false;   ///< x

  bool any() const { return receive || send || manage; }
};

/// Owner bits for the owner, group bits for members of the group, the others'
/// bits for everybody else; root may do everything.
Access access_of(const Credentials& who, std::uint32_t mode, Uid owner, Gid group);

}  // namespace ipn
