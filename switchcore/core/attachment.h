// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "switchcore/core/storage.h"

namespace ipn {

/// What a program that reads its log by itself says of its reading: claims, of
/// which only the first has an effect on others, and is checked.
struct ReaderClaims {
  std::uint64_t read_seq = 0;  ///< number of the next message that it has not given back
  std::uint64_t own = 0;       ///< messages of its own node that it passed since it attached
  std::uint64_t msgs = 0, bytes = 0, lost = 0;
};

/// Where a program finds the messages of its log.
struct LogPlace {
  LogStorage* storage = nullptr;
  std::uint64_t epoch = 0;
  std::uint64_t next_seq = 0;  ///< of the first message that it has not read,
  std::uint64_t next_pos = 0;  ///< and where that lies or will lie
  bool overwrites = false;     ///< messages are overwritten whether they are read or not
};

/// The program's end of a node whose messages travel through shared memory: how
/// the core speaks to it. None of the calls may call the switch.
class Attachment {
 public:
  virtual std::uint64_t read_seq() const = 0;
  virtual ReaderClaims claims() const = 0;

  /// Messages below `head_seq` can be read. Comes after a full fence: wakes the
  /// program if it sleeps for one of them.
  virtual void on_published(std::uint64_t head_seq) = 0;
  /// The program is to ring once it has read up to `seq`; 0: not any more. The
  /// caller looks at read_seq() again, behind a full fence.
  virtual void set_wake_at(std::uint64_t seq) = 0;
  /// The log goes on in other memory. False: the program cannot be told, and is
  /// stopped next.
  virtual bool on_epoch(const LogPlace& place) = 0;
  /// Of the node's own messages in a log that overwrites, `count` are
  /// overwritten since it attached, the newest of them is `seq`.
  virtual void on_own_evicted(std::uint64_t seq, std::uint64_t count) = 0;

  /// The network has ended: what is in the log is all there will be.
  virtual void on_last_message() = 0;
  /// The program reads nothing here any more. `moved_to_device`: it goes on there.
  virtual void on_receive_stopped(bool moved_to_device) = 0;
  /// Sends are refused with `error` from now on.
  virtual void on_send_stopped(int error) = 0;
  virtual void on_mtu(std::uint32_t mtu) = 0;

 protected:
  ~Attachment() = default;
};

}  // namespace ipn
