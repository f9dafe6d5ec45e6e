// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "libipn/src/node.h"

namespace libipn {

/// Copies of messages that were taken already and that the caller looks at, where
/// they cannot be looked at in place. The first is at `first`; the bytes of all
/// stay where they are until the last is given back.
struct Held {
  static constexpr unsigned kMost = 64;
  static constexpr std::size_t kRoom = IPN_MSG_MAX + 65536;

  unsigned first = 0, n = 0;
  std::size_t used = 0;
  ipn_msg header[kMost];
  std::size_t place[kMost];
  std::byte data[kRoom];

  bool has_entry() const { return first + n < kMost; }
  std::size_t room() const { return kRoom - used; }
  std::byte* next() { return data + used; }

  /// What was written to next() is a message with this header.
  void add(const ipn_msg& of) {
    header[first + n] = of;
    place[first + n] = used;
    ++n;
    // Whatever a message holds is aligned as it is in place.
    used += (std::size_t{of.len} + 31) & ~std::size_t{31};
  }
  void drop(unsigned count) {
    first += count;
    n -= count;
    if (n == 0) first = 0, used = 0;
  }
};

/// The node's; made if there is none; nullptr: out of memory.
Held* held_of(ipn_node& node);

/// Takes or shows the first one that is held.
ssize_t receive_held(Held& held, ipn_msg* header, void* data, std::size_t size, bool peek);
/// Shows up to n; returns how many.
int show_held(const Held& held, ipn_view* views, unsigned n);

}  // namespace libipn
