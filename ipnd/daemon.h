// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuse_dev/device.h"
#include "ipnd/configuration.h"
#include "ipnd/doors.h"
#include "ipnd/helper.h"
#include "ipnd/journal.h"
#include "ipnd/kept_networks.h"
#include "ipnd/plan.h"
#include "ipnd/rate_limit.h"
#include "ipnd/signals.h"
#include "switchcore/base/result.h"
#include "switchcore/core/switch.h"
#include "switchcore/io/loop.h"
#include "switchcore/io/ring_ports.h"

namespace ipn {

/// What the daemon starts with besides its plan.
struct Beginning {
  Configuration configuration;
  std::vector<PolicyType> policies;
  std::vector<NetworkConfig> saved;  ///< networks of the state file
  std::vector<OpenedDoor> doors;
  UniqueFd attach_socket;  ///< listening; none: nobody can attach
  io::Spin spin = io::Spin::kAdaptive;
};

/// The daemon while it serves: rounds of the loop, networks that are kept, and
/// the way to the end.
///
///     starting --doors ready--> serving --SIGTERM--> draining --> leaving --> over
///
/// Draining: nothing new opens, all networks have ended, members read what is
/// left; until they have closed their files or the time for it is over. Leaving:
/// the files go away.
class Daemon final : private io::RoundHandler, private SwitchObserver {
 public:
  Daemon(const Plan& plan, io::Loop& loop, Helper& helper, Journal& journal, Beginning beginning);
  ~Daemon();

  /// Until a signal ends it, or until no door is left.
  Result<void> run();

 private:
  enum class State { kStarting, kServing, kDraining, kLeaving, kOver };

  Result<void> begin();
  std::optional<TimeNs> wake_at() const;

  // io::RoundHandler
  void on_round_begin(const Clock& clock) override;
  void on_round_end() override;

  // SwitchObserver
  void on_networks_changed() override { state_changed_ = true; }
  void on_evicted(const Network& network, const Node& node, TimeNs blocked_ns) override;
  void on_cut_off(const Network& network, const Node& node, std::string_view reason) override;

  void tell_disconnected(const Network& network, const Node& node, std::string_view kind,
                         const std::string& reason, const std::string& remedy);
  void on_signal(int signal);
  void on_doors_ready();
  void on_door_lost(const Error& error);
  void reload();
  void apply(Result<UniqueFd> answer);
  void save_state();
  void stop();
  void leave();
  bool is_drained();
  bool is_ending() const { return state_ >= State::kDraining; }

  const Plan& plan_;
  io::Loop& loop_;
  Helper& helper_;
  Journal& journal_;
  Beginning beginning_;

  Switch core_;
  const std::array<std::uint8_t, 16> boot_id_;
  io::RingPorts ports_;
  device::Device device_;
  KeptNetworks kept_;
  RateLimit rate_;
  Doors doors_;
  std::unique_ptr<Signals> signals_;

  State state_ = State::kStarting;
  Clock clock_;
  bool ports_busy_ = false;  ///< programs are sending through memory, or did just now
  TimeNs end_of_state_ = 0;  ///< draining and leaving: when it is over at the latest
  bool state_changed_ = false;
  bool saving_ = false;
  std::optional<Error> failure_;
};

}  // namespace ipn
