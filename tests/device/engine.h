// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "cuse_dev/call.h"
#include "tests/device/world.h"

namespace ipn::scenarios {

/// A device in the test's own process that is given one request at a time, as a
/// kernel gives them. Requests are answered in take_answer(), at once or later.
class Engine {
 public:
  using CallId = std::uint64_t;
  virtual ~Engine() = default;

  virtual DoorKind kind() const = 0;
  /// How requests of this identity say who they are from.
  virtual device::Caller enrol(const Identity& who) = 0;

  /// Answers with the file handle as value.
  virtual CallId open(int flags, const device::Caller& caller) = 0;
  virtual CallId read(std::uint64_t file, std::size_t size, std::uint64_t offset, int flags) = 0;
  virtual CallId write(std::uint64_t file, std::string_view bytes, std::uint64_t offset,
                       int flags) = 0;
  /// Answers with the result as value and the bytes that come back as data. The
  /// kernel does not say the file's flags with an ioctl.
  virtual CallId ioctl(std::uint64_t file, std::uint32_t number, std::string_view in,
                       const device::Caller& caller) = 0;
  /// Answers with the events as value. With `wake` the sleepers of the file hear
  /// of news; see wake_ups().
  virtual CallId poll(std::uint64_t file, unsigned events, bool wake) = 0;
  virtual CallId release(std::uint64_t file) = 0;
  virtual void interrupt(CallId call) = 0;

  /// The answer, once, if it is there.
  virtual std::optional<Answer> take_answer(CallId call) = 0;
  /// How often those who sleep in poll on the file were woken so far.
  virtual std::uint64_t wake_ups(std::uint64_t file) = 0;
  /// Goes on to the next time at which something happens by itself. False if
  /// nothing ever will.
  virtual bool pass_time() = 0;
};

std::unique_ptr<Engine> make_memory_engine();
std::unique_ptr<Engine> make_fake_kernel();
std::unique_ptr<World> make_in_process_world(std::unique_ptr<Engine> engine);

}  // namespace ipn::scenarios
