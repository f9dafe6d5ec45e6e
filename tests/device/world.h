// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The scenarios of this directory run over every door to the device. What they
// need of a door is written here: a World is a daemon, a File is an open file of
// its device, a Sleeper is a system call of another thread that may sleep.

namespace ipn::scenarios {

enum class DoorKind {
  kMemory,      ///< the request handlers are called directly; time is made up
  kFakeKernel,  ///< libfuse serves CUSE over a socketpair, the test is the kernel
  kFile,        ///< a FUSE file and system calls
  kFast,        ///< a FUSE file; libipn moves the messages through shared memory
  kCuse,        ///< a character device and system calls
};

/// Who makes a system call.
struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups{};
  std::uint32_t umask = 0022;

  bool operator==(const Identity&) const = default;
};

/// What a system call returned: an errno, or a value and bytes.
struct Answer {
  int error = 0;
  long value = 0;
  std::string data{};

  bool operator==(const Answer&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Answer& answer);

/// A read that returned these bytes.
Answer message(std::string_view bytes);
/// A write that took so many bytes, a poll that reported these events.
Answer value(long value);
Answer failure(int error);
inline Answer end_of_file() { return message(""); }

/// A system call that another thread makes.
class Sleeper {
 public:
  /// Interrupts the call if it still sleeps.
  virtual ~Sleeper() = default;
  virtual bool is_done() = 0;
  /// What it returned; the test fails if it never returns.
  virtual Answer wait() = 0;
  /// A signal without SA_RESTART.
  virtual void interrupt() = 0;
};

/// One open file. Destroying it is the last close.
class File {
 public:
  virtual ~File() = default;

  virtual Answer read(std::size_t size) = 0;
  virtual Answer write(std::string_view bytes) = 0;
  /// `argument` has as many bytes as the number says, and takes the answer.
  virtual Answer ioctl(unsigned long number, void* argument) = 0;
  /// The events of `events` (and POLLHUP, POLLERR) that are there now.
  virtual unsigned poll(unsigned events) = 0;
  virtual void set_nonblocking(bool on) = 0;

  /// The call has been made when these return: it sleeps in the daemon, or is done.
  virtual std::unique_ptr<Sleeper> start_read(std::size_t size) = 0;
  virtual std::unique_ptr<Sleeper> start_write(std::string_view bytes) = 0;
  virtual std::unique_ptr<Sleeper> start_ioctl(unsigned long number, std::string argument) = 0;
  virtual std::unique_ptr<Sleeper> start_poll(unsigned events) = 0;

  /// The descriptor on doors with system calls, else -1.
  virtual int descriptor() const { return -1; }
};

/// A file, or the errno of open(2).
struct Opened {
  int error = 0;
  std::unique_ptr<File> file;
};

/// What somebody waits for in poll.
struct Interest {
  const File* file;
  unsigned events;
};

/// A daemon with its device.
class World {
 public:
  virtual ~World() = default;

  virtual DoorKind kind() const = 0;
  virtual Opened open(int flags, const Identity& who) = 0;
  /// Returns when `holds` is true; false if that does not happen.
  virtual bool eventually(const std::function<bool()>& holds) = 0;
  /// Sleeps until one of the files is ready, as poll(2) of all of them. False if
  /// that does not happen. Several threads may call it on doors with system calls.
  virtual bool wait_ready(std::span<const Interest> interests) = 0;

  bool makes_system_calls() const {
    return kind() != DoorKind::kMemory && kind() != DoorKind::kFakeKernel;
  }
  /// What makes no sense is refused by the library, and the daemon has nothing to count.
  bool has_library() const { return kind() == DoorKind::kFast; }
};

/// The device of a daemon that runs already.
std::unique_ptr<World> make_real_world(DoorKind kind, const std::string& path);

}  // namespace ipn::scenarios
