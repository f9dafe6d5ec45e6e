// SPDX-License-Identifier: MIT
#include "cuse_dev/device.h"

#include <cerrno>
#include <fcntl.h>
#include <utility>

#include "cuse_dev/commands.h"

namespace ipn::device {
namespace {

std::uint32_t index_of(FileHandle handle) { return static_cast<std::uint32_t>(handle.value >> 32); }
std::uint32_t generation_of(FileHandle handle) {
  return static_cast<std::uint32_t>(handle.value & 0xffffffffU);
}

}  // namespace

Device::Device(Switch& core, Identify identify, DeviceInfo info, io::RingPorts* ports)
    : core_(core), identify_(std::move(identify)), info_(std::move(info)), ports_(ports) {}

Device::~Device() = default;

void Device::begin_round(const Clock& clock) {
  if (started_ == 0) started_ = clock.monotonic;
  clock_ = clock;
  core_.begin_round(clock);
}

void Device::stop() {
  stopping_ = true;
  core_.end_all();
  core_.dispatch();
}

std::optional<TimeNs> Device::next_timer() const {
  std::optional<TimeNs> next = core_.next_timer();
  if (!timeouts_.empty()) {
    const TimeNs first = timeouts_.begin()->first;
    next = std::min(next.value_or(first), first);
  }
  return next;
}

void Device::expire() {
  core_.run_timers();
  while (!timeouts_.empty() && timeouts_.begin()->first <= clock_.monotonic) {
    OpenFile* file = find(timeouts_.begin()->second);
    IPN_ASSERT(file != nullptr);
    file->expire(clock_.monotonic);  // which removes its timeouts
  }
  core_.dispatch();
  close_released();
}

bool Device::close_released() {
  const bool some = !to_close_.empty();
  while (!to_close_.empty()) {
    const FileHandle handle = to_close_.back();
    to_close_.pop_back();
    if (find(handle) != nullptr) close(handle);
    core_.dispatch();
  }
  return some;
}

// The table of open files -----------------------------------------------------

OpenFile* Device::find(FileHandle handle) {
  const std::uint32_t index = index_of(handle);
  if (index >= slots_.size() || slots_[index].generation != generation_of(handle)) return nullptr;
  return slots_[index].file.get();
}

FileHandle Device::free_handle() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  return {std::uint64_t{index} << 32 | slots_[index].generation};
}

void Device::close(FileHandle handle) {
  Slot& slot = slots_[index_of(handle)];
  slot.file.reset();
  ++slot.generation;
  if (--open_files_[slot.uid] == 0) open_files_.erase(slot.uid);
  free_slots_.push_back(index_of(handle));
}

/// A free node costs little and is charged to nobody, so their number is bounded:
/// half of all for one user, and the last ones are root's, who has to be able to
/// look.
bool Device::may_open(std::uint32_t uid) const {
  if (Accounts::is_exempt(Uid{uid})) return true;
  const std::uint32_t all = core_.limits().open_nodes;
  const auto own = open_files_.find(uid);
  const bool has_share = own == open_files_.end() || own->second < all / 2;
  return has_share && slots_.size() - free_slots_.size() < all - all / 64;
}

// Requests --------------------------------------------------------------------

void Device::open(Call call, const Caller& caller, int flags) {
  ++requests_;
  if (stopping_) return call.error(ENODEV);
  if (!may_open(caller.uid)) return call.error(ENFILE);
  const FileHandle handle = free_handle();
  Slot& slot = slots_[index_of(handle)];
  // The file is the sink of its node, and needs the node to be made.
  slot.file = std::make_unique<OpenFile>(core_, handle, call.transport(),
                                         static_cast<OpenFileHost&>(*this));
  if (auto ok = slot.file->attach_node(); !ok) {
    slot.file.reset();
    return call.error(ok.error().code);
  }
  free_slots_.pop_back();
  slot.uid = caller.uid;
  ++open_files_[caller.uid];
  const int access = flags & O_ACCMODE;
  if (auto ok = core_.shutdown(slot.file->node(), access == O_WRONLY, access == O_RDONLY); !ok) {
    close(handle);
    return call.error(ok.error().code);
  }
  call.opened(handle);
}

void Device::read(Call call, FileHandle handle, std::size_t size, std::uint64_t offset,
                  bool nonblocking) {
  ++requests_;
  OpenFile* file = find(handle);
  if (file == nullptr) return call.error(EBADF);
  file->read(std::move(call), size, offset, nonblocking);
}

void Device::write(Call call, FileHandle handle, std::span<const std::byte> data,
                   std::uint64_t offset, bool nonblocking) {
  ++requests_;
  OpenFile* file = find(handle);
  if (file == nullptr) return call.error(EBADF);
  file->write(std::move(call), data, offset, nonblocking);
}

void Device::ioctl(Call call, FileHandle handle, const Caller& caller, std::uint32_t command,
                   std::span<const std::byte> in, std::size_t out_size, bool nonblocking) {
  ++requests_;
  OpenFile* file = find(handle);
  if (file == nullptr) return call.error(EBADF);
  run_command(*this, *file, std::move(call), {caller, command, in, out_size, nonblocking});
}

void Device::poll(Call call, FileHandle handle, unsigned events, void* poll_handle) {
  ++requests_;
  OpenFile* file = find(handle);
  if (file == nullptr) {
    if (poll_handle != nullptr) call.transport().drop_poll(poll_handle);
    return call.error(EBADF);
  }
  file->poll(std::move(call), events, poll_handle);
}

void Device::release(Call call, FileHandle handle) {
  ++requests_;
  call.done();  // whoever closes waits for this, and cannot be killed meanwhile
  OpenFile* file = find(handle);
  if (file != nullptr && file->release()) close(handle);
}

void Device::door_closed(Transport& door) {
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    const Slot& slot = slots_[index];
    if (slot.file && &slot.file->door() == &door) {
      close({std::uint64_t{index} << 32 | slot.generation});
    }
  }
  core_.dispatch();
}

}  // namespace ipn::device
