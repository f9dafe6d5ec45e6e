// SPDX-License-Identifier: MIT
// The port of an attached node, as its open file sees it.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <numeric>

#include "cuse_dev/open_file.h"
#include "cuse_dev/parked_calls.h"

namespace ipn::device {

Result<void> OpenFile::attach(ipn_attach& request, const io::TicketHolder& who) {
  io::RingPorts* ports = host_.ring_ports();
  if (ports == nullptr || !ports->is_listening()) {
    return Error{EOPNOTSUPP,
                 "ipnd: has no attach socket (messages stay on the device; see its log)"};
  }
  if (port_) {
    return Error{EISCONN, "this open file: attached already (IPN_IOC_DETACH first)"};
  }
  if (request.layout_min > IPN_RING_LAYOUT || request.layout_max < IPN_RING_LAYOUT) {
    return Error{EPROTONOSUPPORT, "layout: not one that ipnd has, which is " +
                                      std::to_string(IPN_RING_LAYOUT) +
                                      " (install matching versions)"};
  }
  const std::uint32_t mtu = node_->network() != nullptr ? node_->network()->config().mtu : 0;
  const std::uint64_t least = std::bit_ceil(2 * ring::record_bytes(mtu));
  const std::uint64_t bytes =
      ring_bytes_ == 0 ? io::ring_bytes_for_mtu(mtu) : std::max(ring_bytes_, least);
  auto port = ports->attach(*node_, request, who, bytes);
  if (!port) return port.error();
  port_ = std::move(*port);
  request.layout_min = request.layout_max = IPN_RING_LAYOUT;
  return {};
}

void OpenFile::detach(Call call) {
  if (!port_) {
    const Error error{ENOTCONN, "this open file: not attached (IPN_IOC_ATTACH)"};
    return call.error(last_error_.set(kNrDetach, error));
  }
  if (detach_) {
    const Error error{EALREADY, "this open file: another thread detaches it already"};
    return call.error(last_error_.set(kNrDetach, error));
  }
  detach_ = std::make_unique<ParkedDetach>(*this, std::move(call));
  detach_->call.watch_interrupt(detach_.get());  // may have answered it already
  look_after_port();
}

Result<void> OpenFile::shutdown(bool receive, bool send) {
  if (!send || !port_ || port_->take_all()) return core_.shutdown(*node_, receive, send);
  shuts_sending_ = true;
  port_->close_sending(EPIPE);
  port_->tell_when_empty();
  return core_.shutdown(*node_, receive, false);
}

bool OpenFile::release() {
  released_ = true;
  if (!port_ || port_->take_all()) return true;
  port_->tell_when_empty();
  // Nobody will read it. An error says that it was over already.
  (void)core_.shutdown(*node_, true, false);
  return false;
}

/// Bounded like what waits in the core.
int OpenFile::wait_behind_ring(ParkedWrite& parked) {
  const std::uint64_t charged =
      std::accumulate(behind_ring_.begin(), behind_ring_.end(), parked.charge(),
                      [](std::uint64_t sum, const ParkedWrite* w) { return sum + w->charge(); });
  if (charged > core_.limits().parked_bytes_per_node) return ENOBUFS;
  behind_ring_.push_back(&parked);
  port_->tell_when_empty();
  return 0;
}

/// Once the ring is empty, it is the turn of what waits for that.
void OpenFile::look_after_port() {
  if (!port_) return;
  const bool leaves = detach_ != nullptr || released_ || port_->has_hung_up();
  if (!leaves && !shuts_sending_ && behind_ring_.empty()) return;
  if (!port_->take_all()) return port_->tell_when_empty();
  const auto waiting = std::exchange(behind_ring_, {});
  for (ParkedWrite* parked : waiting) {
    SendOutcome outcome = core_.send(*node_, parked->message);
    if (outcome.kind == SendOutcome::Kind::kWouldBlock) {
      outcome.error = core_.park(*parked);
      if (outcome.error == 0) continue;
      outcome.kind = SendOutcome::Kind::kRefused;
    }
    parked->on_done(outcome);
  }
  if (std::exchange(shuts_sending_, false)) (void)core_.shutdown(*node_, false, true);
  if (released_) return host_.close_soon(handle_);
  if (!leaves) return;
  leave_port();
  if (!detach_) return;
  const auto done = std::exchange(detach_, nullptr);
  done->call.watch_interrupt(nullptr);
  done->call.ioctl(0);
}

void OpenFile::leave_port() {
  if (!port_) return;
  port_->leave_to_device();
  port_->take_all();  // what was committed before it could know
  core_.detach(*node_);
  host_.ring_ports()->forget(*port_);
  port_.reset();
}

}  // namespace ipn::device
