// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/device/world.h"

// Who makes the system calls of a scenario. A call that may sleep is made by a
// thread of its own; a call of somebody else by a thread with his credentials,
// which belong to a thread as far as the kernel is concerned.

namespace ipn::scenarios {

inline constexpr std::chrono::seconds kPatience{60};
inline constexpr std::chrono::microseconds kPause{200};

/// What a system call returned, with errno.
Answer answer_of(long result);

/// Everybody who has made a call so far.
class Actors {
 public:
  Actors();
  ~Actors();
  Answer call_as(const Identity& who, const std::function<Answer()>& call);

 private:
  class Actor;
  std::vector<std::pair<Identity, std::unique_ptr<Actor>>> actors_;
};

/// A file whose only purpose is to be asked: when it answers, the daemon has seen
/// all requests before.
class Control {
 public:
  explicit Control(const std::string& path);
  ~Control();
  void wait() const;

 private:
  const int fd_;
};

/// The call has been made when this returns: it sleeps, or is done.
std::unique_ptr<Sleeper> start_call(const Control& control, const Identity& who,
                                    std::function<Answer()> call);

}  // namespace ipn::scenarios
