// SPDX-License-Identifier: MIT
#include "switchcore/io/ring_port.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn::io {
namespace {

constexpr std::uint64_t kStatusBytes = IPN_PAGE + IPN_COMPLETION_ENTRIES * sizeof(ipn_completion);

/// As much is taken at once for who waits until the ring is empty; the rest in rounds.
constexpr std::size_t kTakeAll = 256 << 10;

/// One thread sleeps on a word of its node. A hostile program could have any number there, each of
/// which takes time to wake.
constexpr int kSleepersMost = 8;

/// What the pass over a message costs besides its bytes, for budgets.
constexpr std::size_t kMessageCost = 64;

template <typename T>
void store(T& word, T value, std::memory_order order = std::memory_order_release) {
  std::atomic_ref<T>(word).store(value, order);
}

std::uint64_t load(__u64& word, std::memory_order order = std::memory_order_relaxed) {
  return std::atomic_ref<__u64>(word).load(order);
}

std::string_view describe(ring::SendReader::Fault fault) {
  switch (fault) {
    case ring::SendReader::Fault::kHead:
      return "the head of its send ring is not within the ring";
    case ring::SendReader::Fault::kLength:
      return "a length in its send ring is not within what was committed";
    case ring::SendReader::Fault::kType:
      return "a record in its send ring has a type or flags that are unknown";
    case ring::SendReader::Fault::kNone:
      break;
  }
  return "";
}

/// One packet with descriptors; never waits, for nobody.
bool send_grant(int socket, const ipn_grant& grant, std::span<const int> descriptors) {
  ipn_grant packet = grant;
  iovec data{&packet, sizeof packet};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof packet;
}

ipn_grant grant_of(const LogPlace& place, std::uint32_t kind) {
  ipn_grant grant{};
  grant.size = sizeof grant;
  grant.kind = kind;
  grant.layout = IPN_RING_LAYOUT;
  grant.epoch = place.epoch;
  grant.next_seq = place.next_seq;
  grant.next_pos = place.next_pos;
  if (place.storage != nullptr) {
    grant.flags |= IPN_GRANT_RECEIVES | (place.overwrites ? IPN_GRANT_OVERWRITES : 0);
    grant.log_bytes = place.storage->bytes().size();
  }
  return grant;
}

}  // namespace

std::uint64_t RingPort::area_bytes(std::uint64_t ring_bytes) {
  return IPN_PAGE + ring_bytes + kStatusBytes;
}

Result<RingPort::Areas> RingPort::make_areas(std::uint64_t ring_bytes) {
  auto client = SharedMemory::allocate("ipn-client", IPN_PAGE + ring_bytes,
                                       SharedMemory::Writer::kTheProgram);
  if (!client) return client.error();
  auto status = SharedMemory::allocate("ipn-status", kStatusBytes, SharedMemory::Writer::kWe);
  if (!status) return status.error();
  return Areas{std::move(*client), std::move(*status)};
}

RingPort::RingPort(Switch& core, Node& node, RingPortHost& host, Areas areas, UniqueFd socket)
    : core_(core),
      node_(node),
      host_(host),
      areas_(std::move(areas)),
      control_(reinterpret_cast<ipn_control*>(areas_.client.bytes().data())),
      status_(reinterpret_cast<ipn_status*>(areas_.status.bytes().data())),
      reader_(*control_, *status_, areas_.client.bytes().subspan(IPN_PAGE)),
      socket_(std::move(socket)),
      front_(*this) {
  front_.message.is_volatile = true;
}

RingPort::~RingPort() {
  if (front_waits_) core_.cancel(front_);
}

void RingPort::begin(std::uint32_t mtu) {
  status_->layout = IPN_RING_LAYOUT;
  status_->send_bytes = static_cast<__u32>(areas_.client.bytes().size() - IPN_PAGE);
  status_->completion_entries = IPN_COMPLETION_ENTRIES;
  status_->node = node_.id().value;
  status_->mtu = mtu;
  status_->send_state = node_.sends() ? IPN_RING_OPEN : IPN_RING_ENDED;
  status_->send_error = node_.sends() ? 0 : EPIPE;
  status_->recv_state = node_.receives() ? IPN_RING_OPEN : IPN_RING_ENDED;
}

bool RingPort::send_areas(const LogPlace& place) {
  ipn_grant grant = grant_of(place, IPN_GRANT_AREAS);
  if (node_.sends()) grant.flags |= IPN_GRANT_SENDS;
  grant.client_bytes = areas_.client.bytes().size();
  grant.status_bytes = areas_.status.bytes().size();
  std::array<int, 3> descriptors{areas_.client.descriptor(), areas_.status.descriptor(), -1};
  std::size_t count = 2;
  if (place.storage != nullptr) descriptors[count++] = place.storage->descriptor();
  const bool sent = send_grant(socket_.get(), grant, std::span(descriptors).first(count));
  areas_.client.close_descriptor();
  areas_.status.close_descriptor();
  return sent;
}

// From the program --------------------------------------------------------------

std::size_t RingPort::take(std::size_t budget) {
  std::size_t moved = 0;
  if (!front_waits_ && !is_over() && reader_.refresh()) {
    SendRun run(core_, node_);
    while (moved < budget && take_one(run, moved)) {
    }
  }
  if (reader_.fault() != ring::SendReader::Fault::kNone) fault(describe(reader_.fault()));
  if (over_asked_) fault("it asked for more completions than it has room for");
  if (reader_.publish()) has_room_news = true;
  if (tell_when_empty_ && moved < budget && (!front_waits_ || is_over())) {
    tell_when_empty_ = false;
    core_.notify(node_);
  }
  return moved;
}

/// False: the front has to wait, or there is none.
bool RingPort::take_one(SendRun& run, std::size_t& moved) {
  ring::CommittedMessage message;
  if (!reader_.front(message)) return false;
  const std::size_t cost = kMessageCost + message.len;
  const bool is_plain = message.destination == 0 && !message.report;
  if (is_plain && run.send_plain({message.data, message.len})) {
    moved += cost;
    reader_.pop();
    return true;
  }
  return take_front(run, message, cost, moved);
}

/// What waits, or whose sender wants to know what becomes of it, stays known.
bool RingPort::take_front(SendRun& run, const ring::CommittedMessage& message, std::size_t cost,
                          std::size_t& moved) {
  front_message_ = message;
  Outgoing& outgoing = front_.message;
  outgoing.payload.first = {front_message_.data, front_message_.len};
  outgoing.destination = front_message_.destination;
  SendOutcome outcome;
  run.send(outgoing, outcome);
  if (outcome.kind == SendOutcome::Kind::kWouldBlock) {
    const int error = core_.park(front_);
    IPN_ASSERT(error == 0);  // nothing is charged for what lies in a ring
    front_waits_ = true;
    return false;
  }
  moved += cost;
  reader_.pop();
  account_for(outcome);
  return !over_asked_;
}

bool RingPort::take_all() {
  take(kTakeAll);
  if (has_room_news) host_.make_hot(*this);  // which tells the program
  return is_empty();
}

void RingPort::hang_up() {
  hung_up_ = true;
  core_.notify(node_);
}

void RingPort::front_done(const SendOutcome& outcome) {
  front_waits_ = false;
  reader_.pop();
  account_for(outcome);
  if (reader_.publish()) has_room_news = true;
  if (stopped_with_) close_sending(*std::exchange(stopped_with_, std::nullopt));
  host_.make_hot(*this);
}

/// What became of the front message is told to who asked for it. No call says that it was
/// refused: for who did not ask it is counted, if the core has not done so.
void RingPort::account_for(const SendOutcome& outcome) {
  if (front_message_.report) return complete(outcome);
  if (outcome.kind != SendOutcome::Kind::kRefused) return;
  if (outcome.error == EMSGSIZE || outcome.error == EPIPE) return;
  const bool is_over = outcome.error == ECONNRESET || outcome.error == ENOTCONN;
  node_.count_drop(is_over ? DropReason::kClosed : DropReason::kPolicy);
}

/// Tells what became of the front message.
void RingPort::complete(const SendOutcome& outcome) {
  const std::uint64_t collected = load(control_->completion_tail, std::memory_order_acquire);
  if (completions_ - collected >= IPN_COMPLETION_ENTRIES) {
    over_asked_ = true;
    return;
  }
  ipn_completion completion{};
  completion.cookie = front_message_.cookie;
  completion.seq = outcome.seq;
  completion.error = outcome.kind == SendOutcome::Kind::kSent ? 0 : outcome.error;
  completion.receivers = outcome.receivers;
  std::byte* entries = areas_.status.bytes().data() + IPN_PAGE;
  std::memcpy(entries + completions_ % IPN_COMPLETION_ENTRIES * sizeof completion, &completion,
              sizeof completion);
  store(status_->completion_head, __u64{++completions_});
}

void RingPort::fault(std::string_view reason) {
  if (std::exchange(faulty_, true)) return;
  core_.cut_off(node_, reason);
}

// To the program ----------------------------------------------------------------

void RingPort::ask_to_ring() {
  wish_ = wish_ + 1 == 0 ? 1 : wish_ + 1;
  store(status_->ring_me, wish_, std::memory_order_relaxed);
}

void RingPort::stop_asking() { store(status_->ring_me, __u32{0}, std::memory_order_relaxed); }

void RingPort::wake_sender() {
  has_room_news = false;
  if (!reader_.has_sleeper()) return;
  wants_room_wake = true;
  host_.wake_later(*this);
}

void RingPort::wake() {
  if (std::exchange(wants_data_wake, false)) wake_word(status_->data_word);
  if (std::exchange(wants_room_wake, false)) wake_word(status_->room_word);
}

void RingPort::wake_word(__u32& word) {
  std::atomic_ref<__u32>(word).fetch_add(1, std::memory_order_release);
  ::syscall(SYS_futex, &word, FUTEX_WAKE, kSleepersMost, nullptr, nullptr, 0);
}

void RingPort::leave_to_device() { close_sending(0); }

std::uint64_t RingPort::read_seq() const {
  return load(control_->read_seq, std::memory_order_acquire);
}

ReaderClaims RingPort::claims() const {
  ReaderClaims claims;
  claims.read_seq = read_seq();
  claims.own = load(control_->own);
  claims.msgs = load(control_->msgs);
  claims.bytes = load(control_->bytes);
  claims.lost = load(control_->lost);
  return claims;
}

void RingPort::on_published(std::uint64_t head_seq) {
  const std::uint64_t sleep_at = load(control_->sleep_at);
  if (sleep_at == 0 || head_seq < sleep_at || sleep_at == woken_for_) return;
  woken_for_ = sleep_at;
  wants_data_wake = true;
  host_.wake_later(*this);
}

void RingPort::set_wake_at(std::uint64_t seq) {
  store(status_->wake_at, __u64{seq}, std::memory_order_relaxed);
}

bool RingPort::on_epoch(const LogPlace& place) {
  const int descriptor = place.storage->descriptor();
  if (descriptor < 0) return false;
  return send_grant(socket_.get(), grant_of(place, IPN_GRANT_EPOCH), std::span(&descriptor, 1));
}

/// Both words change together for who sees the same even version before and after.
void RingPort::on_own_evicted(std::uint64_t seq, std::uint64_t count) {
  const __u32 version = status_->own_version;
  store(status_->own_version, version + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  store(status_->own_evicted_seq, __u64{seq}, std::memory_order_relaxed);
  store(status_->own_evicted, __u64{count}, std::memory_order_relaxed);
  store(status_->own_version, version + 2);
}

void RingPort::on_last_message() {
  if (status_->recv_state != IPN_RING_OPEN) return;
  store(status_->recv_state, __u32{IPN_RING_DRAIN});
  wake_word(status_->data_word);
}

void RingPort::on_receive_stopped(bool moved_to_device) {
  store(status_->moved_at, __u64{moved_to_device ? 1U : 0U}, std::memory_order_relaxed);
  store(status_->recv_state, __u32{IPN_RING_ENDED});
  // The claim that is taken next is its last one.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  wake_word(status_->data_word);
}

/// The completion of a message that waits comes before the end, which is next.
void RingPort::on_send_stopped(int error) {
  if (front_waits_) {
    stopped_with_ = error;
  } else {
    close_sending(error);
  }
}

void RingPort::close_sending(int error) {
  store(status_->send_error, error, std::memory_order_relaxed);
  store(status_->send_state, __u32{IPN_RING_ENDED});
  wake_word(status_->room_word);
}

void RingPort::on_mtu(std::uint32_t mtu) { store(status_->mtu, mtu, std::memory_order_relaxed); }

}  // namespace ipn::io
