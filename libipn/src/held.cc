// SPDX-License-Identifier: MIT
#include "libipn/src/held.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace libipn {

Held* held_of(ipn_node& node) {
  if (node.held == nullptr) {
    void* room = std::malloc(sizeof(Held));
    if (room != nullptr) node.held = new (room) Held;
  }
  return node.held;
}

ssize_t receive_held(Held& held, ipn_msg* header, void* data, std::size_t size, bool peek) {
  const ipn_msg& message = held.header[held.first];
  const std::size_t length = message.len;
  const std::size_t copied = size < length ? size : length;
  if (copied > 0) std::memcpy(data, held.data + held.place[held.first], copied);
  if (header != nullptr) {
    *header = message;
    header->flags = size < length ? IPN_MSG_TRUNC : 0;
  }
  if (!peek) held.drop(1);
  return static_cast<ssize_t>(copied);
}

int show_held(const Held& held, ipn_view* views, unsigned n) {
  const unsigned shown = n < held.n ? n : held.n;
  for (unsigned i = 0; i < shown; i++) {
    const ipn_msg& message = held.header[held.first + i];
    views[i] = {held.data + held.place[held.first + i],
                message.seq,
                message.peer,
                message.len,
                message.port,
                message.count,
                static_cast<std::uint32_t>(message.time / 1000)};
  }
  return static_cast<int>(shown);
}

}  // namespace libipn
