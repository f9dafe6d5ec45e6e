// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "switchcore/base/result.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

// What the loop may ask of the helper, over a SOCK_SEQPACKET pair: one request
// of fixed size, one answer of fixed size, some with a descriptor.
//
// A request names a door by its number and nothing else. Paths, modes and
// owners were fixed before the loop served anybody, so whoever took over the
// loop could ask for nothing that was not planned at the start.

enum class HelperCall : std::uint32_t {
  kOpenCuse = 1,  ///< answer: /dev/cuse, opened; loads the module if need be
  kMount,         ///< answer: /dev/fuse of a new mount on the door's file
  kStat,          ///< stat(2) of the door's file, which the loop answers
  kWaitUdev,      ///< until udev has treated the door's device, a few seconds at most
  kSetMode,       ///< the door's device gets its planned mode and group
  kUnmount,       ///< the door's file is an ordinary one again, or gone
  kSaveState,     ///< request: memory with the text of the state file
  kReload,        ///< answer: memory with the configuration as JSON, or its mistakes
};
inline constexpr std::uint32_t kHelperCalls = 8;

struct HelperRequest {
  HelperCall call{};
  std::uint32_t door = 0;
};

struct HelperAnswer {
  std::int32_t error = 0;  ///< errno
  char text[508] = {};     ///< why, if error is not 0
};

/// What comes with a packet.
struct HelperPacket {
  bool end = false;  ///< the other side is gone
  UniqueFd fd;
};

/// Sends one packet; EPIPE if nobody is there any more. `fd` may be -1.
Result<void> send_packet(int socket, const void* bytes, std::size_t size, int fd);

/// Receives one packet of exactly `size` bytes; EAGAIN on a socket that does not
/// block, EBADMSG for another size.
Result<HelperPacket> receive_packet(int socket, void* bytes, std::size_t size);

HelperAnswer make_answer(const Error& error);
Error error_of(const HelperAnswer& answer);

}  // namespace ipn
