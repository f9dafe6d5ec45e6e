// SPDX-License-Identifier: MIT
#include "ipnd/null_daemon.h"

#include <csignal>
#include <optional>
#include <utility>

#include "cuse_dev/null_device.h"
#include "ipnd/notify.h"
#include "ipnd/signals.h"

namespace ipn {
namespace {

class NullDaemon final : private io::RoundHandler {
 public:
  NullDaemon(const Plan& plan, io::Loop& loop, Helper& helper, Journal& journal)
      : loop_(loop),
        helper_(helper),
        journal_(journal),
        doors_(helper, journal, plan,
               {[this] { on_ready(); }, [this](const Error& error) { failure_ = error; }}) {}
  ~NullDaemon() {
    doors_.close();
    helper_.detach();
  }

  Result<void> run(std::vector<OpenedDoor> doors) {
    auto signals = Signals::attach(loop_, [this](int signal) { over_ = signal != SIGHUP; });
    if (!signals) return signals.error();
    if (auto ok = helper_.attach(loop_, [] {}); !ok) return ok;
    if (auto ok = doors_.serve(std::move(doors), loop_, device_); !ok) return ok;
    while (!over_ && !failure_) {
      if (auto ok = loop_.run_round(*this, std::nullopt); !ok) return ok;
    }
    if (failure_) return *failure_;
    return {};
  }

 private:
  void on_round_begin(const Clock&) override {}
  void on_round_end() override {}
  void on_ready() {
    journal_.info("ready: a device that does nothing");
    notify_ready("serving a device that does nothing");
  }

  io::Loop& loop_;
  Helper& helper_;
  Journal& journal_;
  device::NullDevice device_;
  Doors doors_;
  bool over_ = false;
  std::optional<Error> failure_;
};

}  // namespace

Result<void> run_null_daemon(const Plan& plan, io::Loop& loop, Helper& helper, Journal& journal,
                             std::vector<OpenedDoor> doors) {
  return NullDaemon(plan, loop, helper, journal).run(std::move(doors));
}

}  // namespace ipn
