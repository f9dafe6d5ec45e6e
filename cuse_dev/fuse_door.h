// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cuse_dev/call.h"
#include "switchcore/base/result.h"
#include "switchcore/io/loop.h"

struct fuse_session;

namespace ipn::device {

/// A character device /dev/NAME by CUSE.
struct CuseOptions {
  std::string name;         ///< without /dev/; may contain '/'
  std::uint32_t major = 0;  ///< 0: the kernel chooses
  std::uint32_t minor = 0;
};

/// A regular file that is the root of a FUSE mount of its own.
struct FileOptions {
  std::uint32_t mode = 0660;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// Told about the life of a door; calls nothing back.
class DoorObserver {
 public:
  /// Programs can open the device: the kernel has our answer to INIT. A CUSE
  /// device whose name is taken fails right after this, by on_door_closed().
  virtual void on_door_ready() = 0;
  /// ENODEV: the device was refused, aborted or unmounted.
  virtual void on_door_closed(int error) = 0;

 protected:
  ~DoorObserver() = default;
};

/// Translates between the kernel's FUSE requests and a RequestHandler. libfuse
/// parses the requests and forms the answers; the loop reads the descriptor, so
/// that nothing here blocks.
///
/// The two kinds differ in how they are set up and in what the kernel does before
/// it asks us; requests about open files are the same.
class FuseDoor {
 public:
  virtual ~FuseDoor() = default;
  /// Answers what waits with an error and lets go of the descriptor. The device
  /// file goes with it; a mount has to be unmounted by whoever made it.
  virtual void close() = 0;
};

/// `fd` is an open /dev/cuse, non-blocking; taken over. One open is one device.
/// The loop, the handler and the observer outlive the door.
Result<std::unique_ptr<FuseDoor>> open_cuse_door(int fd, const CuseOptions& options, io::Loop& loop,
                                                 RequestHandler& handler, DoorObserver& observer);

/// `fd` is the /dev/fuse of a mount, non-blocking; taken over.
Result<std::unique_ptr<FuseDoor>> open_file_door(int fd, const FileOptions& options, io::Loop& loop,
                                                 RequestHandler& handler, DoorObserver& observer);

}  // namespace ipn::device
