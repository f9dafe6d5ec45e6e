// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/core/node.h"

namespace ipn::device {

/// Who makes a system call, as the kernel says with the request.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t tid = 0;  ///< thread id in our pid namespace, 0 if invisible
};

/// A handle of an open file: index and generation, never a pointer.
struct FileHandle {
  std::uint64_t value = 0;
};

/// Is told that the program does not want to wait any longer.
class Interruptible {
 public:
  /// Answers its call with EINTR; may destroy itself.
  virtual void on_interrupt() = 0;

 protected:
  ~Interruptible() = default;
};

/// The way back to the program: one per door. `token` is what the door knows the
/// call by. Every call is answered once.
class Transport {
 public:
  virtual void reply_error(void* token, int error) = 0;
  virtual void reply_opened(void* token, FileHandle file) = 0;
  virtual void reply_data(void* token, std::span<const std::byte> first,
                          std::span<const std::byte> second) = 0;
  virtual void reply_written(void* token, std::size_t bytes) = 0;
  virtual void reply_ioctl(void* token, int result, std::span<const std::byte> first,
                           std::span<const std::byte> second) = 0;
  virtual void reply_poll(void* token, unsigned events) = 0;
  virtual void reply_done(void* token) = 0;
  /// From now on `waiter` hears of an interrupt (at once if there was one);
  /// null: nobody does.
  virtual void watch_interrupt(void* token, Interruptible* waiter) = 0;

  /// Wakes those who sleep in poll; the handle is used up.
  virtual void notify_poll(void* poll_handle) = 0;
  virtual void drop_poll(void* poll_handle) = 0;

  virtual Door door() const = 0;

 protected:
  ~Transport() = default;
};

/// One system call that waits for its answer. Move-only; has to be answered.
class Call {
 public:
  Call(Transport& transport, void* token) : transport_(&transport), token_(token) {}
  Call(Call&& other) noexcept
      : transport_(other.transport_), token_(std::exchange(other.token_, nullptr)) {}
  Call& operator=(Call&&) = delete;
  ~Call() { IPN_ASSERT(token_ == nullptr); }

  void error(int error) { transport_->reply_error(take(), error); }
  void opened(FileHandle file) { transport_->reply_opened(take(), file); }
  void data(std::span<const std::byte> first, std::span<const std::byte> second = {}) {
    transport_->reply_data(take(), first, second);
  }
  void written(std::size_t bytes) { transport_->reply_written(take(), bytes); }
  void ioctl(int result, std::span<const std::byte> first = {},
             std::span<const std::byte> second = {}) {
    transport_->reply_ioctl(take(), result, first, second);
  }
  void poll(unsigned events) { transport_->reply_poll(take(), events); }
  void done() { transport_->reply_done(take()); }

  void watch_interrupt(Interruptible* waiter) { transport_->watch_interrupt(token_, waiter); }
  Transport& transport() const { return *transport_; }

 private:
  void* take() {
    IPN_ASSERT(token_ != nullptr);
    return std::exchange(token_, nullptr);
  }

  Transport* transport_;
  void* token_;
};

/// What a program does with the device, for whoever implements one.
class RequestHandler {
 public:
  /// `flags` are those of open(2).
  virtual void open(Call call, const Caller& caller, int flags) = 0;
  /// `nonblocking`: O_NONBLOCK is set on the file now.
  virtual void read(Call call, FileHandle file, std::size_t size, std::uint64_t offset,
                    bool nonblocking) = 0;
  /// `data` is good until the function returns.
  virtual void write(Call call, FileHandle file, std::span<const std::byte> data,
                     std::uint64_t offset, bool nonblocking) = 0;
  virtual void ioctl(Call call, FileHandle file, const Caller& caller, std::uint32_t command,
                     std::span<const std::byte> in, std::size_t out_size, bool nonblocking) = 0;
  /// `poll_handle` is null if nobody is going to sleep; else it now belongs to
  /// the handler, until notify_poll() or drop_poll().
  virtual void poll(Call call, FileHandle file, unsigned events, void* poll_handle) = 0;
  /// The last close.
  virtual void release(Call call, FileHandle file) = 0;
  /// The door is gone: files that came by it are closed, nothing can be answered.
  virtual void door_closed(Transport& door) = 0;
  /// A request that made no sense was refused by the door.
  virtual void count_bad_request() = 0;
  /// Called after each request, interrupts included: the time to tell others what
  /// it changed for them.
  virtual void finish_request() = 0;

 protected:
  ~RequestHandler() = default;
};

}  // namespace ipn::device
