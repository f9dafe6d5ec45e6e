// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <linux/fuse.h>
#include <map>
#include <memory>
#include <string>

#include "cuse_dev/fuse_door.h"
#include "switchcore/io/loop.h"
#include "tests/device/daemon.h"
#include "tests/device/engine.h"

namespace ipn::scenarios {

/// The other end of /dev/cuse: writes requests of <linux/fuse.h> into a
/// socketpair that the door reads with a real loop and libfuse, and reads what
/// comes back. One thread: the loop runs as long as a request is not handled.
class FakeKernel final : public Engine, private device::DoorObserver, private io::RoundHandler {
 public:
  FakeKernel();
  ~FakeKernel() override;

  DoorKind kind() const override { return DoorKind::kFakeKernel; }
  device::Caller enrol(const Identity& who) override;
  CallId open(int flags, const device::Caller& caller) override;
  CallId read(std::uint64_t file, std::size_t size, std::uint64_t offset, int flags) override;
  CallId write(std::uint64_t file, std::string_view bytes, std::uint64_t offset,
               int flags) override;
  CallId ioctl(std::uint64_t file, std::uint32_t number, std::string_view in,
               const device::Caller& caller) override;
  CallId poll(std::uint64_t file, unsigned events, bool wake) override;
  CallId release(std::uint64_t file) override;
  void interrupt(CallId call) override;
  std::optional<Answer> take_answer(CallId call) override;
  std::uint64_t wake_ups(std::uint64_t file) override;
  bool pass_time() override;

  // What no real kernel does.
  /// A request with these arguments, whatever they are.
  CallId send(std::uint32_t opcode, std::string_view arguments);
  /// Bytes that need not be a request, and until they are handled.
  void send_raw(std::string_view bytes);
  /// The unique number that the next request will have.
  CallId next_call() const { return last_call_ + kStep; }
  /// The next answer to this number is one to such a request.
  void expect_answer(CallId call, std::uint32_t opcode) { opcodes_[call] = opcode; }
  std::uint64_t bad_requests() { return daemon_.device().bad_requests(); }
  Daemon& daemon() { return daemon_; }
  const cuse_init_out& init() const { return init_; }
  const std::string& device_info() const { return device_info_; }
  bool is_ready() const { return ready_; }
  /// Ends the connection as an abort does; returns whether the door noticed.
  bool hang_up();

 private:
  /// Counts what the door has handled.
  class Counter;
  /// The kernel numbers its requests evenly; an interrupt has the odd number
  /// behind that of its request.
  static constexpr CallId kStep = 2;

  CallId request(std::uint32_t opcode, const std::string& arguments, const device::Caller& caller);
  void shake_hands();
  void run_until_handled();
  void run_round(TimeNs until);
  void collect();
  void take_reply(std::string_view reply);

  void on_door_ready() override { ready_ = true; }
  void on_door_closed(int) override { closed_ = true; }
  void on_round_begin(const Clock& clock) override;
  void on_round_end() override {}

  Daemon daemon_;
  std::unique_ptr<Counter> counter_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<device::FuseDoor> door_;
  int socket_ = -1;
  cuse_init_out init_{};
  std::string device_info_;
  bool ready_ = false;
  bool closed_ = false;
  TimeNs now_ = 0;
  std::uint64_t sent_ = 0;
  CallId last_call_ = 0;
  device::Caller nobody_;
  std::map<CallId, std::uint32_t> opcodes_;
  std::map<CallId, Answer> answers_;
  std::map<std::uint64_t, std::uint64_t> wake_ups_;
};

}  // namespace ipn::scenarios
