// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "libipn/ring/send_reader.h"
#include "switchcore/base/result.h"
#include "switchcore/base/time.h"
#include "switchcore/core/send_run.h"
#include "switchcore/core/switch.h"
#include "switchcore/io/shared_memory.h"
#include "switchcore/io/unique_fd.h"

#include <ipn/ioctl.h>
#include <ipn/ring.h>

namespace ipn::io {

class RingPort;

/// Whoever holds the ports together.
class RingPortHost {
 public:
  /// The program of this port sleeps until a futex word changes; wake it soon.
  virtual void wake_later(RingPort& port) = 0;
  /// There may be messages in its ring, or it has to be looked after.
  virtual void make_hot(RingPort& port) = 0;

 protected:
  ~RingPortHost() = default;
};

/// One attached node: the areas that it shares with its program (ipn/ring.h) and
/// the way of messages from its send ring into the switch.
///
/// Responsible for the words of both pages, for looking at the ring within a
/// budget and for what the program is told. Everything in the client area is a
/// claim; a wrong one ends the node, nobody else notices. Created by RingPorts,
/// which knows who is hot; owned by whoever holds the node, who is told by the
/// node's sink when there is something to do about the port.
class RingPort final : public Attachment {
 public:
  struct Areas {
    SharedMemory client, status;
  };
  /// Memory for both areas. `ring_bytes` is a power of two.
  static Result<Areas> make_areas(std::uint64_t ring_bytes);
  static std::uint64_t area_bytes(std::uint64_t ring_bytes);

  RingPort(Switch& core, Node& node, RingPortHost& host, Areas areas, UniqueFd socket);
  ~RingPort();
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;

  Node& node() { return node_; }
  int socket() const { return socket_.get(); }
  /// The first words of both pages, before anybody sees them.
  void begin(std::uint32_t mtu);
  /// Passes the descriptors to the program. False: it does not take them.
  bool send_areas(const LogPlace& place);

  /// Takes messages of at most about `budget` bytes; returns how much it moved.
  std::size_t take(std::size_t budget);
  /// Takes what is committed, as far as there is room, and within a budget. True:
  /// there is nothing left.
  bool take_all();
  /// Its front message waits for room: looking at the ring is no use.
  bool is_blocked() const { return front_waits_; }
  /// There is nothing to take.
  bool is_empty() {
    const bool news = !front_waits_ && reader_.refresh();
    const bool fault = reader_.fault() != ring::SendReader::Fault::kNone;  // not noticed yet
    return is_over() || (!front_waits_ && !news && !fault);
  }
  /// The node's sink is told when there is nothing to take.
  void tell_when_empty() {
    tell_when_empty_ = true;
    host_.make_hot(*this);
  }
  /// Looking at it is no use until its program rings or its front message is done.
  bool may_become_idle() { return is_blocked() || (is_empty() && !tell_when_empty_); }
  /// The program has hung up: the node goes on by calls once the ring is empty.
  bool has_hung_up() const { return hung_up_; }
  void hang_up();

  /// Ring me, from now on. Look again behind a full fence.
  void ask_to_ring();
  void stop_asking();
  /// After take() and a full fence.
  void wake_sender();
  /// Wakes the program; for the host.
  void wake();
  /// The program sees at once that it cannot send any more, and why.
  void close_sending(int error);
  /// The program sees that it is to send by calls.
  void leave_to_device();

  // Attachment
  std::uint64_t read_seq() const override;
  ReaderClaims claims() const override;
  void on_published(std::uint64_t head_seq) override;
  void set_wake_at(std::uint64_t seq) override;
  bool on_epoch(const LogPlace& place) override;
  void on_own_evicted(std::uint64_t seq, std::uint64_t count) override;
  void on_last_message() override;
  void on_receive_stopped(bool moved_to_device) override;
  void on_send_stopped(int error) override;
  void on_mtu(std::uint32_t mtu) override;

  // For the host.
  std::optional<std::size_t> hot_index;  ///< among the hot ports
  TimeNs last_message = 0;               ///< when it was busy last
  bool has_room_news = false;            ///< send_tail was stored
  bool wants_data_wake = false, wants_room_wake = false, in_wake_queue = false;

 private:
  /// The front message, while it waits in a queue of the core.
  class Front final : public ParkedSend {
   public:
    explicit Front(RingPort& port) : port_(port) {}
    void on_done(const SendOutcome& outcome) override { port_.front_done(outcome); }

   private:
    RingPort& port_;
  };

  ipn_control& control() const { return *control_; }
  bool take_one(SendRun& run, std::size_t& moved);
  bool take_front(SendRun& run, const ring::CommittedMessage& message, std::size_t cost,
                  std::size_t& moved);
  void front_done(const SendOutcome& outcome);
  void account_for(const SendOutcome& outcome);
  void complete(const SendOutcome& outcome);
  void fault(std::string_view reason);
  /// The node sends no more: what is in the ring stays there.
  bool is_over() const { return faulty_ || node_.state() == Node::State::kEnded; }
  void wake_word(__u32& word);

  Switch& core_;
  Node& node_;
  RingPortHost& host_;
  Areas areas_;
  ipn_control* control_;  ///< written by the program
  ipn_status* status_;
  ring::SendReader reader_;
  UniqueFd socket_;
  Front front_;
  ring::CommittedMessage front_message_;
  bool front_waits_ = false;
  bool faulty_ = false;
  bool over_asked_ = false;  ///< completions, more than there is room for
  bool hung_up_ = false;
  bool tell_when_empty_ = false;
  std::optional<int> stopped_with_;  ///< to be told after the front message's completion
  std::uint32_t wish_ = 0;           ///< the last value of ring_me that was not 0
  std::uint64_t woken_for_ = 0;      ///< the last sleep_at that was answered
  std::uint64_t completions_ = 0;
};

}  // namespace ipn::io
