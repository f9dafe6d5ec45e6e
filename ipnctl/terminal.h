// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

#include "ipnctl/result.h"

namespace ipnctl {

/// Standard output. Its reader may go away at any time: that ends the tool
/// quietly, see is_closed_output().

/// Writes all of `text`, waiting as long as it takes.
Result<void> write_out(std::string_view text);

/// One line about what was done, on standard error: for verbs whose standard
/// output is messages.
void write_note(std::string_view text);

/// Is this Failure only that nobody reads our output any more?
bool is_closed_output(const Failure& failure);

/// Waits for verbs that run until SIGINT. From the first one on SIGINT does
/// nothing by itself: it is a descriptor that each wait looks at, so that none
/// is lost between a look and a sleep.
class Waiter {
 public:
  enum class Wake {
    kReady,        ///< the descriptor is ready, or in an error state
    kInterrupted,  ///< SIGINT
    kTimeout,
    kClosed,  ///< nobody reads our output any more
  };

  static Result<Waiter> make();
  Waiter(Waiter&& other) noexcept;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  Waiter& operator=(Waiter&&) = delete;
  ~Waiter();

  /// Waits for `events` of `fd` (-1: for none), at most `timeout_ms` (negative:
  /// without limit).
  Wake wait(int fd, short events, int timeout_ms) const;

  /// Writes all of `text` to standard output, until SIGINT. kReady: done.
  Result<Wake> write_out(std::string_view text) const;

 private:
  explicit Waiter(int signals, bool is_file) : signals_(signals), is_file_(is_file) {}

  int signals_;
  bool is_file_;  ///< standard output is a file: writing to it never waits
};

}  // namespace ipnctl
