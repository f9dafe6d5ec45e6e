// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include "libipn/src/node.h"

// Messages through the device. All return -errno and have remembered the failure.

namespace libipn {

/// A message to be sent, by either door.
struct Outgoing {
  const void* data;
  std::size_t len;
  std::uint64_t destination = 0;
  std::uint64_t cookie = 0;
  bool report = false;
};

/// Takes one message; waits if `wait` is true.
ssize_t device_receive(ipn_node& node, ipn_msg* header, void* data, std::size_t size, bool wait);
/// Shows the next one.
ssize_t device_peek(ipn_node& node, ipn_msg* header, void* data, std::size_t size, bool wait);
/// Receives and forgets what has a number below node.given_below; does not wait.
void device_discard_given(ipn_node& node);

ssize_t device_send(ipn_node& node, const Outgoing& message, bool wait);
/// As device_send(), and tells what became of it, as far as that is known.
ssize_t device_send_reported(ipn_node& node, const Outgoing& message, bool wait,
                             ipn_completion& completion);

/// Whether the daemon that served the device is gone.
bool is_daemon_gone(const ipn_node& node);

}  // namespace libipn
