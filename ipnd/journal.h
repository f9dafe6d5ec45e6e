// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// The log of the daemon, in words; a Log is something else. A line is queued and written by a
/// thread of the log's own, so whoever logs never waits: when the queue is full the oldest lines
/// are lost, and a reader of our standard error that sleeps costs lines as well.
class Journal {
 public:
  /// `file`: where lines go; none: standard error, in the form that the journal
  /// understands if the journal reads it. Starts the thread.
  explicit Journal(UniqueFd file);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// debug, info, warning, error or off; anything else changes nothing.
  void set_level(std::string_view level);

  void debug(std::string_view line);
  void info(std::string_view line);
  void warning(std::string_view line);
  void error(std::string_view line);

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

/// Opens NAME.log to append to it.
Result<UniqueFd> open_log_file(const std::string& path);

}  // namespace ipn
