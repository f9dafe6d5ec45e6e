// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "switchcore/base/result.h"
#include "switchcore/io/loop.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// Keeps SIGTERM, SIGINT and SIGHUP for Signals to read, and ignores SIGPIPE. To
/// be called before there are threads, which inherit it.
void block_signals();

/// Hands blocked signals to the loop.
class Signals final : private io::PollHandler {
 public:
  static Result<std::unique_ptr<Signals>> attach(io::Loop& loop,
                                                 std::function<void(int signal)> on_signal);
  ~Signals();

 private:
  Signals(io::Loop& loop, UniqueFd fd, std::function<void(int)> on_signal)
      : loop_(loop), fd_(std::move(fd)), on_signal_(std::move(on_signal)) {}
  void on_ready(std::uint32_t events) override;

  io::Loop& loop_;
  UniqueFd fd_;
  std::function<void(int)> on_signal_;
  std::optional<io::SourceId> source_;
};

}  // namespace ipn
