// SPDX-License-Identifier: MIT
#include "switchcore/io/ring_ports.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn::io {
namespace {

/// Bytes that one port may move before it is the next one's turn, and all of them
/// in one round, after which descriptors have theirs.
constexpr std::size_t kPortBudget = 64 << 10;
constexpr std::size_t kRoundBudget = 256 << 10;
/// Where many are hot each has less, so that all of them have their turn soon.
constexpr std::size_t kPortBudgetLeast = 4 << 10;

/// Looks at each port in one round: enough for one that sends alone to use up the budget.
constexpr std::size_t kSweepsPerRound = kRoundBudget / kPortBudget;

/// Programs woken in one round; one costs as much as a hundred messages.
constexpr std::size_t kWakesPerRound = 64;

/// A port stays hot that long after its last message.
constexpr TimeNs kHotFor = 50 * kMicrosecond;

/// Programs ring when they have read half of what is in the way. For one that stops
/// before, room is looked for after that time, more and more rarely.
constexpr TimeNs kLookForRoomLeast = kMillisecond;
constexpr TimeNs kLookForRoomMost = 100 * kMillisecond;

constexpr TimeNs kTicketLife = 2 * kSecond;
constexpr int kAcceptsPerRound = 16;
constexpr std::uint32_t kHalfOpenMax = 1024;
constexpr TimeNs kAcceptPause = 100 * kMillisecond;

constexpr std::uint64_t kRingBytesLeast = 128 << 10;

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // Linux 6.16
#endif

/// What a program would pass with a ring must not end here, where its last close
/// might wait. Kernels before 6.16 cannot refuse it.
void refuse_descriptors(int socket) {
  const int off = 0;
  ::setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
}

}  // namespace

std::uint64_t ring_bytes_for_mtu(std::uint32_t mtu) {
  return std::max(kRingBytesLeast, std::bit_ceil(4 * ring::record_bytes(mtu)));
}

/// One connection on the attach socket: half-open until its ticket is presented,
/// then the doorbell of a port.
class RingPorts::Connection final : public DoorbellHandler {
 public:
  Connection(RingPorts& ports, std::uint64_t number, UniqueFd socket, const TicketHolder& peer)
      : ports_(ports), number_(number), peer_(peer), socket_(std::move(socket)) {}

  void on_ring() override { ports_.on_ring(*this); }
  void on_closed(int) override { ports_.on_closed(*this); }

  RingPorts& ports_;
  const std::uint64_t number_;
  const TicketHolder peer_;
  std::array<std::uint8_t, 16> ticket_{};
  TimeNs expires_at_ = 0;
  UniqueFd socket_;  ///< while it is half-open
  std::optional<SourceId> source_;
  RingPort* port_ = nullptr;
};

RingPorts::RingPorts(Switch& core, Loop& loop, const Options& options)
    : core_(core), loop_(loop), options_(options), spinning_(options.spin) {}

RingPorts::~RingPorts() {
  IPN_ASSERT(attached_.empty());
  while (!half_open_.empty()) drop(half_open_, half_open_.begin()->first);
  if (listening_) loop_.remove(*listening_);
}

Result<void> RingPorts::listen(UniqueFd socket, std::string path) {
  auto source = loop_.add_poll(socket.get(), POLLIN, *this);
  if (!source) return source.error();
  listening_ = *source;
  listener_ = std::move(socket);
  path_ = std::move(path);
  return {};
}

// The attach socket ---------------------------------------------------------------

void RingPorts::on_ready(std::uint32_t) {
  for (int left = kAcceptsPerRound; left > 0 && accept_one();) --left;
}

/// False: there is nobody else for now.
bool RingPorts::accept_one() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    const int error = errno;
    if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
      pause_accepting();
    }
    return error == ECONNABORTED || error == EINTR;
  }
  refuse_descriptors(socket.get());
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return true;
  const bool exempt = Accounts::is_exempt(Uid{peer.uid});
  const bool too_many = half_open_.size() >= kHalfOpenMax ||
                        (!exempt && half_open_of_.contains(peer.uid) &&
                         half_open_of_[peer.uid] >= core_.limits().half_open_per_uid);
  if (too_many) return true;

  const std::uint64_t number = ++last_connection_;
  auto connection =
      std::make_unique<Connection>(*this, number, std::move(socket),
                                   TicketHolder{static_cast<std::uint32_t>(peer.pid), peer.uid});
  auto& ticket = connection->ticket_;
  const ssize_t random = ::getrandom(ticket.data(), ticket.size(), GRND_NONBLOCK);
  if (random != static_cast<ssize_t>(ticket.size())) return true;
  ipn_grant grant{};
  grant.size = sizeof grant;
  grant.kind = IPN_GRANT_TICKET;
  grant.layout = IPN_RING_LAYOUT;
  std::memcpy(grant.ticket, ticket.data(), sizeof grant.ticket);
  std::memcpy(grant.boot_id, options_.boot_id.data(), sizeof grant.boot_id);
  const int fd = connection->socket_.get();
  if (::send(fd, &grant, sizeof grant, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof grant) return true;
  auto source = loop_.add_doorbell(fd, *connection);
  if (!source) return true;
  connection->source_ = *source;
  connection->expires_at_ = clock_.monotonic + kTicketLife;
  ++half_open_of_[peer.uid];
  half_open_.emplace(number, std::move(connection));
  return true;
}

/// Without descriptors the socket would stay ready and keep the loop busy.
void RingPorts::pause_accepting() {
  if (listening_) loop_.remove(*std::exchange(listening_, std::nullopt));
  accept_again_at_ = clock_.monotonic + kAcceptPause;
}

void RingPorts::expire() {
  if (accept_again_at_ != 0 && clock_.monotonic >= accept_again_at_) {
    accept_again_at_ = 0;
    auto source = loop_.add_poll(listener_.get(), POLLIN, *this);
    if (source) listening_ = *source;
    if (!source) pause_accepting();
  }
  while (!half_open_.empty() && half_open_.begin()->second->expires_at_ <= clock_.monotonic) {
    drop(half_open_, half_open_.begin()->first);
  }
}

std::optional<TimeNs> RingPorts::next_timer() const {
  std::optional<TimeNs> next;
  if (accept_again_at_ != 0) next = accept_again_at_;
  if (look_for_room_at_ != 0) next = std::min(next.value_or(look_for_room_at_), look_for_room_at_);
  if (half_open_.empty()) return next;
  const TimeNs first = half_open_.begin()->second->expires_at_;
  return std::min(next.value_or(first), first);
}

void RingPorts::drop(Connections& connections, std::uint64_t number) {
  const auto found = connections.find(number);
  Connection& connection = *found->second;
  if (connection.source_) loop_.remove(*connection.source_);
  if (connection.port_ == nullptr) forget_half_open(connection.peer_.uid);
  connections.erase(found);
}

void RingPorts::forget_half_open(std::uint32_t uid) {
  const auto of_user = half_open_of_.find(uid);
  if (--of_user->second == 0) half_open_of_.erase(of_user);
}

void RingPorts::on_ring(Connection& connection) {
  ++doorbells_;
  if (connection.port_ != nullptr) make_hot(*connection.port_);
}

void RingPorts::on_closed(Connection& connection) {
  if (connection.port_ == nullptr) return drop(half_open_, connection.number_);
  loop_.remove(*connection.source_);
  connection.source_.reset();
  connection.port_->hang_up();
}

Result<std::unique_ptr<RingPort>> RingPorts::attach(Node& node, const ipn_attach& request,
                                                    const TicketHolder& who,
                                                    std::uint64_t ring_bytes) {
  const auto found = std::find_if(half_open_.begin(), half_open_.end(), [&](const auto& entry) {
    const auto& ticket = entry.second->ticket_;
    return std::memcmp(ticket.data(), request.ticket, sizeof request.ticket) == 0;
  });
  const bool is_ours =
      std::memcmp(request.boot_id, options_.boot_id.data(), sizeof request.boot_id) == 0;
  if (found == half_open_.end() || !is_ours) {
    return Error{EPERM, "ticket: not one that waits here (it is good for one call within 2 s)"};
  }
  Connection& connection = *found->second;
  const bool same =
      who.pid != 0 && who.pid == connection.peer_.pid && who.uid == connection.peer_.uid;
  if (!same) {
    drop(half_open_, connection.number_);
    return Error{EPERM,
                 "ticket: given to another process, or you are in a pid namespace that ipnd does "
                 "not see (messages stay on the device)"};
  }
  auto areas = RingPort::make_areas(ring_bytes);
  if (!areas) return areas.error();
  auto port = std::make_unique<RingPort>(core_, node, static_cast<RingPortHost&>(*this),
                                         std::move(*areas), UniqueFd(connection.socket_.release()));
  auto place = core_.attach(node, *port, RingPort::area_bytes(ring_bytes));
  if (place) port->begin(node.network()->config().mtu);
  if (!place || !port->send_areas(*place)) {
    if (place) core_.detach(node);
    drop(half_open_, connection.number_);
    if (!place) return place.error();
    return Error{EPIPE, "attach socket: does not take the descriptors (try again)"};
  }
  forget_half_open(connection.peer_.uid);
  connection.port_ = port.get();
  connection_of_.emplace(port.get(), connection.number_);
  attached_.insert(half_open_.extract(found));
  make_hot(*port);
  return port;
}

void RingPorts::forget(RingPort& port) {
  remove_hot(port);
  std::erase(to_wake_, &port);
  const auto found = connection_of_.find(&port);
  if (found == connection_of_.end()) return;
  const std::uint64_t number = found->second;
  connection_of_.erase(found);
  drop(attached_, number);
}

// Rounds ------------------------------------------------------------------------

void RingPorts::wake_later(RingPort& port) {
  if (std::exchange(port.in_wake_queue, true)) return;
  to_wake_.push_back(&port);
}

void RingPorts::make_hot(RingPort& port) {
  port.last_message = clock_.monotonic;
  if (port.hot_index) return;
  port.stop_asking();
  port.hot_index = hot_.size();
  hot_.push_back(&port);
}

void RingPorts::remove_hot(RingPort& port) {
  if (!port.hot_index) return;
  hot_[*port.hot_index] = hot_.back();
  hot_[*port.hot_index]->hot_index = port.hot_index;
  hot_.pop_back();
  port.hot_index.reset();
}

bool RingPorts::run() {
  expire();
  if (core_.look_for_room()) look_after_ = 0;
  core_.dispatch();
  const std::size_t moved = pass();
  core_.dispatch();
  tell_senders();
  // There is more: where nobody else can run meanwhile, who sleeps is woken once for two rounds.
  wakes_put_off_ =
      moved >= kRoundBudget && !wakes_put_off_ && spinning_.has_one_cpu(clock_.monotonic);
  if (!wakes_put_off_) wake_programs();
  if (moved > 0) {
    spinning_.worked(clock_.monotonic);
    // Others may keep it busy for ever.
    if (clock_.monotonic >= cool_down_at_) cool_down();
    return true;
  }
  if (!to_wake_.empty()) return true;
  if (options_.spin == Spin::kAlways && !attached_.empty()) return true;
  if (hot_.empty()) return !fall_asleep();
  if (spinning_.goes_on(clock_.monotonic)) {
    cool_down();
    return true;
  }
  // Whoever was woken may answer at once if it gets the CPU, and need not ring.
  return spinning_.yield(clock_.monotonic) || !fall_asleep();
}

/// Hot ports in turn, each within its budget, until none has anything or the round is over.
std::size_t RingPorts::pass() {
  std::size_t moved = 0;
  const std::size_t ports = hot_.size();
  std::size_t visits = kSweepsPerRound * ports;
  const std::size_t budget =
      std::clamp(kRoundBudget / std::max<std::size_t>(ports, 1), kPortBudgetLeast, kPortBudget);
  for (std::size_t in_vain = 0; in_vain < ports && moved < kRoundBudget && visits > 0; ++first_) {
    if (first_ >= ports) first_ = 0;
    --visits;
    RingPort& port = *hot_[first_];
    const std::size_t bytes = port.take(budget);
    if (bytes > 0) port.last_message = clock_.monotonic;
    in_vain = bytes > 0 ? 0 : in_vain + 1;
    moved += bytes;
  }
  return moved;
}

void RingPorts::tell_senders() {
  const bool news = std::any_of(hot_.begin(), hot_.end(),
                                [](const RingPort* port) { return port->has_room_news; });
  if (!news) return;
  // A sender stores its wish, then looks at the tail; here it is the other way round.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (RingPort* port : hot_) {
    if (port->has_room_news) port->wake_sender();
  }
}

void RingPorts::wake_programs() {
  const std::size_t count = std::min(to_wake_.size(), kWakesPerRound);
  for (std::size_t i = 0; i < count; ++i) {
    to_wake_[i]->in_wake_queue = false;
    to_wake_[i]->wake();
    ++wakes_;
  }
  to_wake_.erase(to_wake_.begin(), to_wake_.begin() + static_cast<std::ptrdiff_t>(count));
}

/// Ports without messages for a while are not looked at any more.
void RingPorts::cool_down() {
  cool_down_at_ = clock_.monotonic + kHotFor;
  const TimeNs limit = clock_.monotonic - kHotFor;
  bool asked = false;
  for (RingPort* port : hot_) {
    if (port->last_message >= limit) continue;
    if (!port->is_blocked()) port->ask_to_ring();
    asked = true;
  }
  if (!asked) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (std::size_t i = hot_.size(); i-- > 0;) {
    RingPort& port = *hot_[i];
    if (port.last_message >= limit) continue;
    if (port.may_become_idle()) {
      remove_hot(port);
    } else {
      port.stop_asking();
    }
  }
}

/// True: everybody will ring, and nothing came in between.
bool RingPorts::fall_asleep() {
  for (RingPort* port : hot_) {
    if (!port->is_blocked()) port->ask_to_ring();
  }
  const bool room = core_.arm_gates();  // with a fence if there are any
  watch_for_room();
  if (!hot_.empty()) std::atomic_thread_fence(std::memory_order_seq_cst);
  bool empty = true;
  for (std::size_t i = hot_.size(); i-- > 0;) {
    RingPort& port = *hot_[i];
    if (port.may_become_idle()) {
      remove_hot(port);
    } else {
      port.stop_asking();
      empty = false;
    }
  }
  return empty && !room;
}

/// Whoever stops reading before it has to ring has made room all the same.
void RingPorts::watch_for_room() {
  if (!core_.has_gates()) {
    look_for_room_at_ = look_after_ = 0;
  } else if (look_after_ == 0 || look_for_room_at_ <= clock_.monotonic) {
    look_after_ = std::clamp(2 * look_after_, kLookForRoomLeast, kLookForRoomMost);
    look_for_room_at_ = clock_.monotonic + look_after_;
  }
}

RingPortsStats RingPorts::stats() const {
  return {static_cast<std::uint32_t>(hot_.size()), doorbells_, wakes_, loop_.stats()};
}

}  // namespace ipn::io
