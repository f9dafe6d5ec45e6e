// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cuse_dev/call.h"
#include "cuse_dev/errors.h"
#include "switchcore/base/time.h"
#include "switchcore/core/switch.h"
#include "switchcore/io/ring_ports.h"

#include <ipn/ioctl.h>

namespace ipn::device {

/// What an open file needs from the table that it is in.
class OpenFileHost {
 public:
  using Timeout = std::multimap<TimeNs, FileHandle>::iterator;

  virtual TimeNs now() const = 0;
  /// The file has a call that ends at that time: expire() has to be called then,
  /// unless remove() was.
  virtual Timeout add(TimeNs at, FileHandle file) = 0;
  virtual void remove(Timeout timeout) = 0;
  /// The file was released and has nothing left to do.
  virtual void close_soon(FileHandle file) = 0;
  /// Where nodes attach; null: nowhere.
  virtual io::RingPorts* ring_ports() = 0;

 protected:
  ~OpenFileHost() = default;
};

/// One open of the device: a node, and the calls of its programs that wait.
///
/// A call that cannot be answered is *parked*: it stays in a list here until the
/// core says that something happened, a signal interrupts it, or the file goes.
/// Reads are answered in the order in which they came; writes in the order in
/// which the core finds room.
///
/// An attached node has a port besides, by which its messages travel. A write here
/// goes behind what lies in the port's ring, and who closes the file does not take
/// with it what was sent there: the file stays until that is delivered.
class OpenFile final : public NodeSink {
 public:
  OpenFile(Switch& core, FileHandle handle, Transport& door, OpenFileHost& host);
  /// Makes the node; to be called first. ENFILE.
  Result<void> attach_node();
  /// Answers what still waits and leaves the network.
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  Node& node() { return *node_; }
  Transport& door() const { return door_; }
  LastError& last_error() { return last_error_; }
  bool header_mode() const { return header_mode_; }
  void set_header_mode(bool on) { header_mode_ = on; }
  /// The program's ABI if it is another one than ours, else 0.
  std::uint32_t foreign_abi() const { return foreign_abi_; }
  void set_foreign_abi(std::uint32_t abi) { foreign_abi_ = abi; }

  void read(Call call, std::size_t size, std::uint64_t offset, bool nonblocking);
  void write(Call call, std::span<const std::byte> data, std::uint64_t offset, bool nonblocking);
  void poll(Call call, unsigned events, void* poll_handle);
  /// IPN_IOC_SEND and IPN_IOC_RECV, sizes checked by the caller.
  void send(Call call, const ipn_msg& header, std::span<const std::byte> payload, bool nonblocking);
  void receive(Call call, const ipn_msg& header, std::size_t room, bool nonblocking);
  void wait_peers(Call call, const ipn_wait_peers& request);
  /// What is in the ring of an attached node is sent all the same.
  Result<void> shutdown(bool receive, bool send);
  /// What the file is waiting for may be there: after connect and shutdown.
  void state_changed() { on_ready(*node_); }
  void expire(TimeNs now);

  // Messages through shared memory.
  std::uint64_t ring_bytes() const { return ring_bytes_; }
  void set_ring_bytes(std::uint64_t bytes) { ring_bytes_ = bytes; }
  Result<void> attach(ipn_attach& request, const io::TicketHolder& who);
  void detach(Call call);
  /// After the last close: true if it may go at once, else it goes by close_soon().
  bool release();

  // NodeSink
  void on_ready(Node& node) override;

 private:
  struct ParkedRead;
  struct ParkedWrite;
  struct ParkedWait;
  struct ParkedDetach;

  /// How a message is handed out.
  struct ReadForm {
    std::size_t room = 0;  ///< payload bytes that fit
    bool header = false;
    bool ioctl = false;
    bool peek = false;
    std::uint64_t offset = 0;  ///< of the payload
  };

  void receive_or_park(Call call, const ReadForm& form, bool nonblocking);
  bool try_receive(Call& call, const ReadForm& form);
  void hand_out(Call& call, const ReadForm& form, const Incoming& message);
  void end_of_file(Call& call, const ReadForm& form);
  void send_or_park(Call call, const Outgoing& message, const std::optional<ipn_msg>& ioctl_header,
                    std::size_t bytes, bool nonblocking);
  void forget(const ParkedWrite& parked);
  int wait_behind_ring(ParkedWrite& parked);
  void look_after_port();
  void leave_port();
  void answer_send(Call& call, const std::optional<ipn_msg>& ioctl_header, std::size_t bytes,
                   const SendOutcome& outcome);
  void refuse(Call& call, std::uint32_t nr, int error);
  bool answer_wait(ParkedWait& wait);
  bool is_live() const;
  void renew_wants();
  unsigned poll_events();
  void notify_poll();

  Switch& core_;
  Node* node_ = nullptr;
  const FileHandle handle_;
  Transport& door_;
  OpenFileHost& host_;
  LastError last_error_;
  bool header_mode_ = false;
  std::uint32_t foreign_abi_ = 0;

  std::list<ParkedRead> reads_;
  std::list<ParkedWrite> writes_;
  std::list<ParkedWait> waits_;

  std::unique_ptr<io::RingPort> port_;
  std::uint64_t ring_bytes_ = 0;           ///< that the program wants; 0: we choose
  std::vector<ParkedWrite*> behind_ring_;  ///< writes that wait until the ring is empty
  std::unique_ptr<ParkedDetach> detach_;
  bool released_ = false;
  bool shuts_sending_ = false;  ///< once the ring is empty
  void* poll_handle_ = nullptr;
  unsigned polled_events_ = 0;
};

}  // namespace ipn::device
