// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuse_dev/call.h"
#include "cuse_dev/identity.h"
#include "cuse_dev/open_file.h"
#include "switchcore/base/time.h"
#include "switchcore/core/switch.h"

namespace ipn::device {

/// What the device tells about the daemon (IPN_IOC_VERSION, IPN_IOC_STATS).
struct DeviceInfo {
  std::string version;                     ///< in words, "ipnd 0.1.0"
  std::array<std::uint8_t, 16> boot_id{};  ///< random, new at each start
  std::string loop;                        ///< backend and why
  std::string device;                      ///< kind of device and why
};

/// /dev/ipn as programs see it: the table of open files, and what each request
/// means. Serves any number of doors, which all lead to the same switch.
///
/// Knows neither FUSE nor the loop. All calls come from one thread; the owner
/// calls begin_round() on the Switch before and expire() when next_timer() says.
class Device final : public RequestHandler, private OpenFileHost {
 public:
  /// `ports`: where nodes attach; null: messages travel by calls only.
  Device(Switch& core, Identify identify, DeviceInfo info, io::RingPorts* ports = nullptr);
  ~Device();

  /// No new opens (ENODEV), all networks end: reads give what is left and then
  /// end-of-file.
  void stop();
  /// Time for calls that wait with a timeout; both clocks of the round.
  void begin_round(const Clock& clock);
  std::optional<TimeNs> next_timer() const;
  void expire();
  /// Closes files whose last messages are delivered now. True: there were some.
  bool close_released();

  // RequestHandler
  void open(Call call, const Caller& caller, int flags) override;
  void read(Call call, FileHandle file, std::size_t size, std::uint64_t offset,
            bool nonblocking) override;
  void write(Call call, FileHandle file, std::span<const std::byte> data, std::uint64_t offset,
             bool nonblocking) override;
  void ioctl(Call call, FileHandle file, const Caller& caller, std::uint32_t command,
             std::span<const std::byte> in, std::size_t out_size, bool nonblocking) override;
  void poll(Call call, FileHandle file, unsigned events, void* poll_handle) override;
  void release(Call call, FileHandle file) override;
  void door_closed(Transport& door) override;
  void count_bad_request() override { ++bad_requests_; }
  void finish_request() override {
    core_.dispatch();
    close_released();
  }

  // For the commands.
  Switch& core() { return core_; }
  const DeviceInfo& info() const { return info_; }
  Credentials identify(const Caller& caller) const { return identify_(caller); }
  const io::RingPorts* ports() const { return ports_; }
  TimeNs uptime() const { return clock_.monotonic - started_; }
  std::uint64_t requests() const { return requests_; }
  std::uint64_t bad_requests() const { return bad_requests_; }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::uint32_t uid = 0;  ///< who opened the file
    std::unique_ptr<OpenFile> file;
  };

  OpenFile* find(FileHandle handle);
  FileHandle free_handle();
  void close(FileHandle handle);
  bool may_open(std::uint32_t uid) const;

  // OpenFileHost
  TimeNs now() const override { return clock_.monotonic; }
  Timeout add(TimeNs at, FileHandle file) override { return timeouts_.emplace(at, file); }
  void remove(Timeout timeout) override { timeouts_.erase(timeout); }
  void close_soon(FileHandle file) override { to_close_.push_back(file); }
  io::RingPorts* ring_ports() override { return ports_; }

  Switch& core_;
  const Identify identify_;
  const DeviceInfo info_;
  io::RingPorts* const ports_;
  Clock clock_;
  TimeNs started_ = 0;
  bool stopping_ = false;
  std::multimap<TimeNs, FileHandle> timeouts_;  ///< outlives the files, which remove theirs
  std::vector<FileHandle> to_close_;            ///< released, and nothing of theirs is left
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::unordered_map<std::uint32_t, std::uint32_t> open_files_;  ///< by uid
  std::uint64_t requests_ = 0;
  std::uint64_t bad_requests_ = 0;
};

}  // namespace ipn::device
