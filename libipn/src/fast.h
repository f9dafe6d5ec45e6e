// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include "libipn/ring/log_reader.h"
#include "libipn/ring/send_writer.h"
#include "libipn/src/device.h"
#include "libipn/src/node.h"

#include <ipn/ring.h>

// Messages through memory shared with the daemon. Made by attach(), given up by
// detach(); the daemon may move either side of it to the device at any time,
// which the side finds out by itself. It stays mapped then until somebody holds
// both turns, for the caller may still look at messages in it.

namespace libipn {

namespace ring = ipn::ring;

/// What functions of this door return if the message has to go by the device.
inline constexpr long kUseDevice = -0x10000;

struct Mapping {
  std::byte* data = nullptr;
  std::size_t size = 0;
};

/// How long one side looks again before it sleeps: longer when that has paid.
struct Spin {
  static constexpr std::uint32_t kLeastNs = 2'000;

  std::uint32_t most_ns;
  std::uint32_t budget_ns = kLeastNs;
  std::uint32_t yields_off = 0;  // waits in which the CPU is not offered to others first

  void longer() { budget_ns = budget_ns * 2 < most_ns ? budget_ns * 2 : most_ns; }
  void shorter() { budget_ns = budget_ns / 2 > kLeastNs ? budget_ns / 2 : kLeastNs; }
};

struct Fast {
  int socket = -1;
  Mapping client, status, log;
  ipn_control* control = nullptr;
  const ipn_status* page = nullptr;
  bool may_spin = false;
  bool shares_processor = false;  // there is only one that it may use

  // The sender's.
  alignas(128) ring::SendWriter writer;
  bool sends = false;  // new messages go this way
  // Room comes as half a ring at once: whoever has to wait for it waits long, and the CPU that
  // it would spend on looking is what the daemon or a reader could use.
  Spin send_spin{10'000};
  std::int64_t checked_send_ms = 0;  // when the sender looked whether the daemon lives
  std::uint64_t reported = 0;        // completions asked for since it was made,
  std::uint64_t collected = 0;       // and taken over

  // The receiver's.
  alignas(128) ring::LogReader reader;
  bool receives = false;
  unsigned shown = 0;                   // messages that the caller looks at in place:
  ring::LogReader::Cursor base{};       // before the first of them
  ring::LogReader::Cursor shown_end{};  // and behind the last
  Spin receive_spin{50'000};
  std::int64_t checked_receive_ms = 0;

  std::uint32_t send_state() const {
    return ring::load_word(page->send_state, std::memory_order_acquire);
  }
  std::uint32_t receive_state() const {
    return ring::load_word(page->recv_state, std::memory_order_acquire);
  }
};

// attach.cc: both turns are held.

/// Makes node.fast, or remembers in node.reason why not and returns -errno without a failure.
long attach(ipn_node& node);
/// Unmaps node.fast; in a child of fork, which has not got the mappings, only forgets it.
void release_fast(ipn_node& node);
/// The log goes on in the memory that the socket brings. False: it does not.
bool map_next_epoch(ipn_node& node, Fast& fast);

// door.cc

inline bool is_connected(const ipn_node& node) { return node.membership.port != IPN_PORT_ANY; }
/// Back to the device; both turns are held. 0 or a failure.
int detach(ipn_node& node, Call call);
/// What node.door says now, and why.
void update_door(ipn_node& node, DoorReason reason);
/// By IPN_FASTPATH; 0 or a failure.
int read_fast_path(ipn_node& node);
/// After CONNECT: attaches if wanted and possible; 0 or a failure.
int choose_door(ipn_node& node);
/// A side of the node that the daemon has moved to the device is attached again, now and then.
/// `other`: the turn that the caller does not hold.
void attach_again(ipn_node& node, std::atomic<std::uint32_t>& other);

// wait.cc: 0 to look again, or -EINTR, -ECONNABORTED, kUseDevice.

long wait_for_message(ipn_node& node, Fast& fast);
long wait_for_room(ipn_node& node, Fast& fast, std::uint32_t len);
long wait_for_completion(ipn_node& node, Fast& fast);
/// Has the other end of the socket hung up? 0: no.
long check_daemon(const ipn_node& node, const Fast& fast);
/// The same for who does not wait, if it is some time since the last look.
long check_daemon_again(const ipn_node& node, const Fast& fast, std::int64_t& checked_ms);
/// A byte on the socket. 0 or -ECONNABORTED.
long ring_bell(const ipn_node& node, const Fast& fast);

// fast_send.cc

/// Room in the ring for the message; 0, kUseDevice, or a failure.
long fast_reserve(ipn_node& node, Fast& fast, Call call, std::size_t len, bool wait,
                  std::byte*& room);
/// Whether the ring takes messages; 0, kUseDevice, or a failure.
long fast_check_open(ipn_node& node, Fast& fast, Call call);
/// Lets the daemon see what was committed; 0 or a failure.
long fast_publish(ipn_node& node, Fast& fast);
/// Commits messages in a row as long as there is nothing to it; how many. What stops it,
/// fast_send() finds, too.
unsigned fast_copy_in(Fast& fast, const ipn_buf* bufs, unsigned n);
ssize_t fast_send(ipn_node& node, Fast& fast, const Outgoing& message, bool wait, bool publish);

// completions.cc

/// As many reports are outstanding as there is room for; or no memory. 0 or a failure.
int make_room_for_report(ipn_node& node);
/// Takes over what the daemon has completed, so that what the device completes comes behind it.
void collect_completions(ipn_node& node, Fast& fast);
void add_completion(ipn_node& node, const ipn_completion& completion);

// fast_receive.cc

struct Incoming {
  ipn_msg* header;
  void* data;
  std::size_t size;
};

ssize_t fast_receive(ipn_node& node, Fast& fast, const Incoming& to, bool peek, bool wait);
/// As many as there are; waits for the first.
int fast_receive_many(ipn_node& node, Fast& fast, ipn_buf* bufs, unsigned n, bool wait);
int fast_show(ipn_node& node, Fast& fast, ipn_view* views, unsigned n, bool wait);
void fast_release(ipn_node& node, Fast& fast, unsigned n);
/// In a log that overwrites: takes messages that fit into what is held; the number or as above.
int fast_hold(ipn_node& node, Fast& fast, unsigned n, bool wait);

}  // namespace libipn
