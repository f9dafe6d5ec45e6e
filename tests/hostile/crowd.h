// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace ipn::hostile {

inline constexpr std::array<const char*, 2> kNetworks{"lossless", "lossy"};

/// Programs that do everything right, in a process of their own: on each network one
/// sends a numbered stream and two check that it comes unbroken.
class Crowd {
 public:
  static constexpr unsigned kNodes = 6;

  Crowd();
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Waits until every receiver got this many messages more than now. Empty, or what
  /// is wrong.
  std::string check_progress(std::uint64_t messages) const;

  struct Shared;

 private:
  Shared* shared_;
  pid_t pid_ = -1;
};

/// A program that does everything right, until it is killed: sends to the network or
/// receives from it. Never returns. Writes one byte to `started` when it is at work.
[[noreturn]] void be_victim(const char* network, bool sends, int started);

/// The same for a short time: joins, sends, receives where it can, leaves and ends. Status 0.
[[noreturn]] void be_honest_once(const char* network);

}  // namespace ipn::hostile
