// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "switchcore/core/switch.h"

namespace ipn {

/// Messages of one node in a row, out of memory that its program can change at any
/// time. What cannot change between them is looked at once: who receives, and
/// whether the short way is open, which is that all receivers read one log and the
/// policy looks at no byte. Everything else goes the way of Switch::send(), and
/// what comes of it is the same.
///
/// Nothing else may happen to the switch from the first send() to finish().
class SendRun {
 public:
  SendRun(Switch& core, Node& node);
  ~SendRun() { finish(); }
  SendRun(const SendRun&) = delete;
  SendRun& operator=(const SendRun&) = delete;

  /// As Switch::send(); `outcome` is a new one.
  void send(const Outgoing& message, SendOutcome& outcome);
  /// Counts, and wakes who waits. Nothing is left to do after kWouldBlock.
  void finish();

 private:
  bool has_short_way() const;
  bool has_room(std::uint64_t bytes);

  Switch& core_;
  Node& node_;
  Network* const network_;
  const bool short_way_;
  std::uint32_t receivers_ = 0;
  LogEntry entry_;
  Log::Room room_;
  std::uint64_t msgs_ = 0, bytes_ = 0;  ///< sent the short way, not counted yet
};

}  // namespace ipn
