// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ipn/ioctl.h>
#include <ipn/ring.h>

namespace ipn::hostile {

/// A descriptor, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Ends the program with a sentence: nothing can be tested any more.
[[noreturn]] void give_up(const std::string& reason);

/// Waits until it holds; false after a time that is much too long.
bool eventually(const std::function<bool()>& holds);

/// What comes by the attach socket.
struct Packet {
  ipn_grant grant{};
  std::array<Descriptor, 3> files;
};

/// IPN_IOC_VERSION of the device that IPN_DEVICE names.
const ipn_version& daemon_version();
pid_t daemon_pid();

/// Connected to the attach socket; empty if the daemon takes nobody just now.
Descriptor connect_attach_socket();
/// The next packet; false if none comes in time or the other side closed.
bool receive_packet(int socket, Packet& packet, int timeout_ms = 10000);

/// A node without libipn: everything that a program can do to a daemon by hand.
class RawNode {
 public:
  /// Connected by the device, attached to nothing.
  explicit RawNode(const std::string& network, unsigned roles = 0);
  RawNode(const RawNode&) = delete;
  RawNode& operator=(const RawNode&) = delete;
  ~RawNode();

  /// 0 or errno.
  int attach();
  int attach_by(const ipn_grant& ticket);
  /// Maps what comes by the socket; false if nothing does.
  bool take_areas();
  int detach();

  void ring(int flags = 0) const;
  /// Writes a record behind what is committed and commits it. `header` says nothing true.
  void commit(const ipn_send_record& header);
  /// A message as it should be; false: there is no room.
  bool send(std::uint32_t length, bool report = false);
  void store_head(std::uint64_t position) {
    __atomic_store_n(&control->send_head, position, __ATOMIC_RELEASE);
  }
  std::uint64_t send_tail() const { return __atomic_load_n(&status->send_tail, __ATOMIC_ACQUIRE); }
  std::uint64_t head_seq() const { return __atomic_load_n(&log->head_seq, __ATOMIC_ACQUIRE); }
  /// Gives back everything that is in the log.
  void read_all() { set_read_seq(head_seq()); }
  void set_read_seq(std::uint64_t seq) {
    __atomic_store_n(&control->read_seq, seq, __ATOMIC_RELEASE);
  }
  bool is_ended() const {
    return __atomic_load_n(&status->send_state, __ATOMIC_ACQUIRE) == IPN_RING_ENDED;
  }
  void unmap();

  Descriptor device, socket;
  Descriptor client_file, status_file, log_file;
  ipn_join joined{};
  ipn_control* control = nullptr;
  std::byte* send_ring = nullptr;
  const ipn_status* status = nullptr;
  const ipn_log_header* log = nullptr;
  std::uint64_t client_bytes = 0, status_bytes = 0, log_bytes = 0, ring_bytes = 0;
  std::uint64_t head = 0;  ///< what was committed
};

/// Ids of the connected nodes.
std::vector<std::uint64_t> node_list();
ipn_stats daemon_stats();
void kick(std::uint64_t node);

}  // namespace ipn::hostile
