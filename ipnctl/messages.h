// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <ipn/ioctl.h>

namespace ipnctl {

/// How a received message is written.
struct MessageStyle {
  bool raw = false;      ///< its bytes and nothing else
  bool hex = false;      ///< hex digits instead of bytes
  bool verbose = false;  ///< number, source, length and loss in front
  bool json = false;     ///< an object on a line
};

/// Appends one message to `out`. `header` is as received.
void append_message(std::string& out, const MessageStyle& style, const ipn_msg& header,
                    std::string_view payload);

}  // namespace ipnctl
