// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "ipnctl/verbs.h"

namespace ipnctl {

/// The command line of the tool: the table of verbs made into parsers.
class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// How reading it ended.
  struct Outcome {
    Action action;      ///< what to do, if there is something to do
    std::string text;   ///< else what to print: help or version
    Failure failure{};  ///< or what is wrong with it, if `is_usage`
  };
  Outcome parse(int argc, const char* const* argv);

  /// Options of the tool as far as they were read; `json` also after a failure.
  const Globals& globals() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace ipnctl
