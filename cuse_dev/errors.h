// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "switchcore/base/result.h"
#include "switchcore/core/node.h"

#include <ipn/ioctl.h>

namespace ipn::device {

/// The calls of a file other than ioctls, in ipn_explain.nr.
inline constexpr std::uint32_t kCallRead = 0x100;
inline constexpr std::uint32_t kCallWrite = 0x101;

/// The last call of an open file that failed; what IPN_IOC_EXPLAIN answers. The
/// only place where answers of the core become errnos of the device.
class LastError {
 public:
  /// Remembers and returns the errno.
  int set(std::uint32_t nr, const Error& error);
  /// An errno of the message path: its words are found when somebody asks.
  int set(std::uint32_t nr, int error);
  int set(std::uint32_t nr, const SendOutcome& outcome);
  int set(std::uint32_t nr, const RecvOutcome& outcome);

  void explain(ipn_explain& answer) const;

 private:
  int code_ = 0;
  std::uint32_t nr_ = 0;
  std::string text_;  ///< empty: by code_
};

}  // namespace ipn::device
