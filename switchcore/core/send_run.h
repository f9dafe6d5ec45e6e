// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "switchcore/core/shared_log.h"
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

  /// The shortest way, for a message that names no destination and of which nobody wants to
  /// know what became of it. False: nothing has happened, it has to go by send().
  [[gnu::always_inline]] bool send_plain(std::span<const std::byte> payload) {
    const std::size_t bytes = payload.size();
    if (bytes >= plain_below_ || !(room_.takes(bytes) || has_room(bytes))) return false;
    put(payload);
    return true;
  }
  /// As Switch::send(); `outcome` is a new one.
  void send(const Outgoing& message, SendOutcome& outcome);
  /// Counts, and wakes who waits; the end does so, too.
  void finish();

 private:
  bool has_short_way() const;
  bool has_room(std::uint64_t bytes);
  bool is_plain(const Verdict& verdict) const {
    return verdict.action == Verdict::Action::kDeliver && !verdict.include_self;
  }
  std::uint64_t put(std::span<const std::byte> payload) {
    ++msgs_;
    bytes_ += payload.size();
    return log_->put(head_, time_, {payload, {}}, node_);
  }

  Switch& core_;
  Node& node_;
  Network* const network_;
  const bool short_way_;
  // With the short way:
  SharedLog* log_ = nullptr;
  std::uint32_t receivers_ = 0;
  std::size_t plain_below_ = 0;  ///< shorter ones go by send_plain()
  ring::RecordHead head_;
  TimeNs time_ = 0;
  Log::Room room_;
  std::uint64_t msgs_ = 0, bytes_ = 0;  ///< sent the short way, not counted yet
};

}  // namespace ipn
