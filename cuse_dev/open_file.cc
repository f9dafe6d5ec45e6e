// SPDX-License-Identifier: MIT
#include "cuse_dev/open_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>
#include <poll.h>
#include <utility>

#include "cuse_dev/parked_calls.h"

namespace ipn::device {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

/// True if a header may stand in front of `payload` bytes that are sent.
bool is_send_header(const ipn_msg& header, std::size_t payload) {
  ipn_msg allowed{};
  allowed.hdr = IPN_MSG_HDR;
  allowed.flags = header.flags & IPN_MSG_DONTWAIT;
  allowed.len = static_cast<__u32>(payload);
  allowed.peer = header.peer;
  allowed.cookie = header.cookie;
  return std::memcmp(&header, &allowed, sizeof header) == 0;
}

std::uint32_t saturate(std::uint64_t value) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

ipn_msg header_of(const Incoming& message) {
  ipn_msg header{};
  header.hdr = IPN_MSG_HDR;
  header.len = static_cast<__u32>(message.payload.size());
  header.seq = message.seq;
  header.peer = message.source.value;
  header.port = message.port.value;
  header.count = saturate(message.lost);
  header.hops = message.hops;
  header.time = static_cast<__u64>(message.time);
  return header;
}

}  // namespace

OpenFile::OpenFile(Switch& core, FileHandle handle, Transport& door, OpenFileHost& host)
    : core_(core), handle_(handle), door_(door), host_(host) {}

Result<void> OpenFile::attach_node() {
  auto node = core_.open_node(door_.door(), *this);
  if (!node) return node.error();
  node_ = *node;
  return {};
}

OpenFile::~OpenFile() {
  for (ParkedRead& read : reads_) {
    read.call.watch_interrupt(nullptr);
    read.call.error(ECONNABORTED);
  }
  for (ParkedWrite& write : writes_) {
    core_.cancel(write);
    write.call.watch_interrupt(nullptr);
    write.call.error(ECONNABORTED);
  }
  for (ParkedWait& wait : waits_) {
    wait.call.watch_interrupt(nullptr);
    wait.call.error(ECONNABORTED);
  }
  if (detach_) {
    detach_->call.watch_interrupt(nullptr);
    detach_->call.error(ECONNABORTED);
  }
  leave_port();
  if (poll_handle_ != nullptr) door_.drop_poll(poll_handle_);
  if (node_ != nullptr) core_.close_node(*node_);
}

void OpenFile::refuse(Call& call, std::uint32_t nr, int error) {
  call.error(last_error_.set(nr, error));
}

// Receiving -------------------------------------------------------------------

void OpenFile::read(Call call, std::size_t size, std::uint64_t offset, bool nonblocking) {
  // The kernel cuts long reads into requests: the rest of one is not another message.
  if (offset > 0) return call.data({});
  ReadForm form;
  form.room = size;
  if (header_mode_) {
    if (size < IPN_MSG_HDR) return refuse(call, kCallRead, EINVAL);
    form.room = size - IPN_MSG_HDR;
    form.header = true;
  }
  receive_or_park(std::move(call), form, nonblocking);
}

void OpenFile::receive(Call call, const ipn_msg& header, std::size_t room, bool nonblocking) {
  ReadForm form;
  form.room = room;
  form.header = form.ioctl = true;
  form.peek = (header.flags & IPN_MSG_PEEK) != 0;
  form.offset = header.peer;
  receive_or_park(std::move(call), form, nonblocking || (header.flags & IPN_MSG_DONTWAIT) != 0);
}

void OpenFile::receive_or_park(Call call, const ReadForm& form, bool nonblocking) {
  if (reads_.empty() && try_receive(call, form)) return;
  if (nonblocking) return refuse(call, form.ioctl ? kNrReceive : kCallRead, EAGAIN);
  ParkedRead& parked = reads_.emplace_back(*this, std::move(call), form);
  parked.self = std::prev(reads_.end());
  renew_wants();
  parked.call.watch_interrupt(&parked);  // may have answered it already
}

/// False if there is nothing to answer with yet.
bool OpenFile::try_receive(Call& call, const ReadForm& form) {
  for (;;) {
    const RecvOutcome outcome = core_.peek(*node_);
    switch (outcome.kind) {
      case RecvOutcome::Kind::kWouldBlock:
        return false;
      case RecvOutcome::Kind::kEnd:
        end_of_file(call, form);
        return true;
      case RecvOutcome::Kind::kRefused:
        call.error(last_error_.set(form.ioctl ? kNrReceive : kCallRead, outcome));
        return true;
      case RecvOutcome::Kind::kMessage:
        if (!outcome.message.payload.empty() || form.header) {
          hand_out(call, form, outcome.message);
          return true;
        }
        // A plain read would take an empty message for the end.
        core_.discard(*node_, DropReason::kEmpty);
    }
  }
}

void OpenFile::hand_out(Call& call, const ReadForm& form, const Incoming& message) {
  const std::size_t offset = std::min<std::uint64_t>(form.offset, message.payload.size());
  const auto payload = message.payload.subspan(offset);
  const auto part = payload.first(std::min(form.room, payload.size()));
  const bool cut = part.size() < payload.size();
  if (form.header) {
    ipn_msg header = header_of(message);
    if (cut) header.flags |= IPN_MSG_TRUNC;
    if (form.ioctl) {
      call.ioctl(0, bytes_of(header), part);
    } else {
      call.data(bytes_of(header), part);
    }
  } else {
    call.data(part);
  }
  if (form.peek) return;
  if (cut) node_->count_truncated();
  core_.consume(*node_);
}

void OpenFile::end_of_file(Call& call, const ReadForm& form) {
  if (form.ioctl) {
    call.ioctl(0, bytes_of(ipn_msg{}));
  } else {
    call.data({});
  }
}

// Sending ---------------------------------------------------------------------

void OpenFile::write(Call call, std::span<const std::byte> data, std::uint64_t offset,
                     bool nonblocking) {
  if (!header_mode_ && data.empty()) return call.written(0);
  // The kernel cuts long writes into requests: a part is not a message.
  const std::size_t header_bytes = header_mode_ ? IPN_MSG_HDR : 0;
  if (offset > 0 || data.size() > header_bytes + IPN_MSG_MAX) {
    node_->count_drop(DropReason::kTooLong);
    return refuse(call, kCallWrite, EMSGSIZE);
  }
  Outgoing message{{data, {}}};
  if (header_mode_) {
    ipn_msg header{};
    std::memcpy(&header, data.data(), std::min(data.size(), sizeof header));
    if (data.size() < sizeof header || !is_send_header(header, data.size() - sizeof header)) {
      node_->count_drop(DropReason::kMalformed);
      return refuse(call, kCallWrite, EINVAL);
    }
    message.payload.first = data.subspan(sizeof header);
    message.destination = header.peer;
    nonblocking = nonblocking || (header.flags & IPN_MSG_DONTWAIT) != 0;
  }
  send_or_park(std::move(call), message, std::nullopt, data.size(), nonblocking);
}

void OpenFile::send(Call call, const ipn_msg& header, std::span<const std::byte> payload,
                    bool nonblocking) {
  if (header.len > payload.size() || !is_send_header(header, header.len)) {
    node_->count_drop(DropReason::kMalformed);
    return refuse(call, kNrSend, EINVAL);
  }
  const Outgoing message{{payload.first(header.len), {}}, header.peer};
  send_or_park(std::move(call), message, header, 0,
               nonblocking || (header.flags & IPN_MSG_DONTWAIT) != 0);
}

void OpenFile::send_or_park(Call call, const Outgoing& message,
                            const std::optional<ipn_msg>& ioctl_header, std::size_t bytes,
                            bool nonblocking) {
  // What is sent here comes after what lies in the ring.
  const bool ring_waits = port_ && (!behind_ring_.empty() || !port_->take_all());
  SendOutcome outcome;
  outcome.kind = SendOutcome::Kind::kWouldBlock;
  if (!ring_waits) outcome = core_.send(*node_, message);
  if (outcome.kind != SendOutcome::Kind::kWouldBlock) {
    return answer_send(call, ioctl_header, bytes, outcome);
  }
  if (nonblocking) {
    answer_send(call, ioctl_header, bytes, outcome);
    // Edge-triggered epoll asked when there was room, and does not ask again.
    return renew_wants();
  }
  ParkedWrite& parked = writes_.emplace_back(*this, std::move(call), ioctl_header, bytes);
  parked.self = std::prev(writes_.end());
  const auto payload = message.payload.first;
  parked.payload.assign(payload.begin(), payload.end());
  parked.message.payload.first = parked.payload;
  parked.message.destination = message.destination;
  if (const int error = ring_waits ? wait_behind_ring(parked) : core_.park(parked); error != 0) {
    refuse(parked.call, ioctl_header ? kNrSend : kCallWrite, error);
    return forget(parked);
  }
  parked.call.watch_interrupt(&parked);  // may have answered it already
}

void OpenFile::answer_send(Call& call, const std::optional<ipn_msg>& ioctl_header,
                           std::size_t bytes, const SendOutcome& outcome) {
  if (outcome.kind != SendOutcome::Kind::kSent) {
    call.error(last_error_.set(ioctl_header ? kNrSend : kCallWrite, outcome));
  } else if (ioctl_header) {
    ipn_msg header = *ioctl_header;
    header.count = outcome.receivers;
    header.seq = outcome.seq;
    call.ioctl(0, bytes_of(header));
  } else {
    call.written(bytes);
  }
}

void OpenFile::forget(const ParkedWrite& parked) {
  std::erase(behind_ring_, &parked);
  writes_.erase(parked.self);
}

// Waiting ---------------------------------------------------------------------

void OpenFile::wait_peers(Call call, const ipn_wait_peers& request) {
  ParkedWait wait(*this, std::move(call), request);
  if (answer_wait(wait)) return;
  ParkedWait& parked = waits_.emplace_back(*this, std::move(wait.call), request);
  parked.self = std::prev(waits_.end());
  if (request.timeout_ms != 0) {
    parked.timeout = host_.add(host_.now() + request.timeout_ms * kMillisecond, handle_);
  }
  renew_wants();
  parked.call.watch_interrupt(&parked);  // may have answered it already
}

/// False if it has to wait on.
bool OpenFile::answer_wait(ParkedWait& wait) {
  const bool connected = node_->state() == Node::State::kConnected;
  if (!connected || node_->network()->is_ending()) {
    const bool ended = connected || node_->state() == Node::State::kEnded;
    refuse(wait.call, kNrWaitPeers, ended ? ECONNRESET : ENOTCONN);
    return true;
  }
  const std::uint32_t peers = core_.peers_of(*node_);
  if (peers < wait.request.readers) return false;
  ipn_wait_peers answer = wait.request;
  answer.readers = peers;
  answer.size = std::min<__u32>(wait.request.size, sizeof answer);  // as much as it knows
  wait.call.ioctl(0, bytes_of(answer).first(answer.size));
  return true;
}

void OpenFile::expire(TimeNs now) {
  waits_.remove_if([&](ParkedWait& wait) {
    if (!wait.timeout || (*wait.timeout)->first > now) return false;
    wait.call.watch_interrupt(nullptr);
    refuse(wait.call, kNrWaitPeers, ETIMEDOUT);
    return true;
  });
}

unsigned OpenFile::poll_events() {
  const Readiness ready = core_.readiness(*node_);
  unsigned events = 0;
  if (ready.readable) events |= POLLIN | POLLRDNORM;
  if (ready.writable) events |= POLLOUT | POLLWRNORM;
  if (ready.hangup) events |= POLLHUP;
  return events;
}

void OpenFile::poll(Call call, unsigned events, void* poll_handle) {
  if (poll_handle != nullptr) {
    if (poll_handle_ != nullptr) door_.drop_poll(poll_handle_);
    poll_handle_ = poll_handle;
    polled_events_ |= events;
    renew_wants();
  }
  call.poll(poll_events());
}

void OpenFile::on_ready(Node&) {
  look_after_port();
  while (!reads_.empty()) {
    ParkedRead& read = reads_.front();
    if (core_.peek(*node_).kind == RecvOutcome::Kind::kWouldBlock) break;
    read.call.watch_interrupt(nullptr);
    if (!try_receive(read.call, read.form)) {
      // Only empty messages were there, and they are gone: it waits on.
      read.call.watch_interrupt(&read);
      break;
    }
    reads_.pop_front();
  }
  waits_.remove_if([this](ParkedWait& wait) {
    if (core_.peers_of(*node_) < wait.request.readers && is_live()) return false;
    wait.call.watch_interrupt(nullptr);
    return answer_wait(wait);
  });
  if ((poll_events() & (polled_events_ | POLLHUP)) != 0) notify_poll();
  renew_wants();
}

bool OpenFile::is_live() const {
  return node_->state() == Node::State::kConnected && !node_->network()->is_ending();
}

void OpenFile::notify_poll() {
  if (poll_handle_ == nullptr) return;
  polled_events_ = 0;
  door_.notify_poll(std::exchange(poll_handle_, nullptr));
}

/// Asks the core for what somebody here waits for. A poller of POLLIN hears of
/// every new message, as edge-triggered epoll needs it; one of POLLOUT only when
/// there was no room.
void OpenFile::renew_wants() {
  unsigned interests = 0;
  const bool polled = poll_handle_ != nullptr;
  if (!reads_.empty() || (polled && (polled_events_ & (POLLIN | POLLRDNORM)) != 0)) {
    interests |= kWantReadable;
  }
  if (polled && (polled_events_ & (POLLOUT | POLLWRNORM)) != 0 &&
      !core_.readiness(*node_).writable) {
    interests |= kWantWritable;
  }
  if (!waits_.empty()) interests |= kWantMembership;
  if (interests != 0) core_.want(*node_, interests);
}

}  // namespace ipn::device
