// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "switchcore/base/result.h"
#include "switchcore/base/time.h"
#include "switchcore/core/switch.h"
#include "switchcore/io/loop.h"
#include "switchcore/io/ring_port.h"
#include "switchcore/io/spinning.h"
#include "switchcore/io/unique_fd.h"

namespace ipn::io {

/// The bytes of the send ring that a node gets unless it asks for another size:
/// room for some tens of messages of mtu bytes, and always for two.
std::uint64_t ring_bytes_for_mtu(std::uint32_t mtu);

/// Who presents a ticket, as the kernel says.
struct TicketHolder {
  std::uint32_t pid = 0;  ///< process id; 0: not visible to us
  std::uint32_t uid = 0;
};

struct RingPortsStats {
  std::uint32_t hot = 0;
  std::uint64_t doorbells = 0, wakes = 0;
  LoopStats loop;
};

/// The door of nodes whose messages travel through memory: the attach socket,
/// tickets, and the rounds in which rings are looked at.
///
///     connect --> ticket --> IPN_IOC_ATTACH --> port: hot <--> idle --> gone
///
/// Hot ports are looked at in every round. A port without messages for a while
/// becomes idle: it is asked to ring, looked at once more, and costs nothing from
/// then on. Before the daemon sleeps, all of them become idle.
///
/// Knows nothing of ioctls; the caller says who asks. All calls come from the
/// thread of the loop.
class RingPorts final : private PollHandler, private RingPortHost {
 public:
  struct Options {
    std::array<std::uint8_t, 16> boot_id{};
    Spin spin = Spin::kAdaptive;
  };

  RingPorts(Switch& core, Loop& loop, const Options& options);
  ~RingPorts();
  RingPorts(const RingPorts&) = delete;
  RingPorts& operator=(const RingPorts&) = delete;

  /// Serves the listening socket, which is non-blocking. Without one nobody can
  /// attach.
  Result<void> listen(UniqueFd socket, std::string path);
  bool is_listening() const { return bool(listener_); }
  const std::string& path() const { return path_; }

  /// Attaches the node by a ticket of ours. EPERM: no such ticket, or of somebody
  /// else; else as Switch::attach().
  Result<std::unique_ptr<RingPort>> attach(Node& node, const ipn_attach& request,
                                           const TicketHolder& who, std::uint64_t ring_bytes);
  /// The port is about to be destroyed.
  void forget(RingPort& port);
  /// The ring may have to be looked at again.
  void look_at(RingPort& port) { make_hot(port); }

  void begin_round(const Clock& clock) { clock_ = clock; }
  /// Moves messages, to be called at the end of a round. False: there is nothing
  /// to do until a descriptor is ready, everybody was told to ring.
  bool run();
  /// When half-open connections are over, or room has to be looked for again.
  std::optional<TimeNs> next_timer() const;

  RingPortsStats stats() const;

 private:
  class Connection;
  using Connections = std::map<std::uint64_t, std::unique_ptr<Connection>>;

  // The attach socket.
  void on_ready(std::uint32_t events) override;
  bool accept_one();
  void pause_accepting();
  void expire();
  void drop(Connections& connections, std::uint64_t number);
  void forget_half_open(std::uint32_t uid);
  void on_ring(Connection& connection);
  void on_closed(Connection& connection);

  // RingPortHost
  void wake_later(RingPort& port) override;
  void make_hot(RingPort& port) override;

  std::size_t pass();
  void tell_senders();
  void wake_programs();
  void cool_down();
  bool fall_asleep();
  void watch_for_room();
  void remove_hot(RingPort& port);

  Switch& core_;
  Loop& loop_;
  const Options options_;
  Clock clock_;
  UniqueFd listener_;
  std::string path_;
  std::optional<SourceId> listening_;
  TimeNs accept_again_at_ = 0;

  Connections half_open_;  ///< by number, in the order of coming
  Connections attached_;
  std::uint64_t last_connection_ = 0;
  std::unordered_map<std::uint32_t, std::uint32_t> half_open_of_;  ///< by uid
  std::unordered_map<const RingPort*, std::uint64_t> connection_of_;

  std::vector<RingPort*> hot_;
  std::size_t first_ = 0;    ///< who is looked at first in this round
  TimeNs cool_down_at_ = 0;  ///< when hot ports are looked through for idle ones, work or not
  std::vector<RingPort*> to_wake_;
  bool wakes_put_off_ = false;  ///< in the last round
  Spinning spinning_;
  TimeNs look_for_room_at_ = 0;  ///< 0: nobody waits for room
  TimeNs look_after_ = 0;        ///< the last time that this took; 0: there was room since
  std::uint64_t doorbells_ = 0, wakes_ = 0;
};

}  // namespace ipn::io
