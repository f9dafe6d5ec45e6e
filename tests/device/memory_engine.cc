// SPDX-License-Identifier: MIT
#include <cerrno>
#include <gtest/gtest.h>
#include <linux/ioctl.h>
#include <map>
#include <utility>

#include "tests/device/daemon.h"
#include "tests/device/engine.h"

namespace ipn::scenarios {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(std::span<const std::byte> first, std::span<const std::byte> second) {
  std::string text(reinterpret_cast<const char*>(first.data()), first.size());
  return text.append(reinterpret_cast<const char*>(second.data()), second.size());
}

/// Hands calls to the device and keeps their answers. Its time stands still but
/// when somebody waits for it.
class MemoryEngine final : public Engine, private device::Transport {
 public:
  MemoryEngine() { begin_round(); }
  ~MemoryEngine() override {
    daemon_.device().door_closed(*this);
    EXPECT_TRUE(poll_handles_.empty()) << "poll handles were neither used nor dropped";
  }

  DoorKind kind() const override { return DoorKind::kMemory; }
  device::Caller enrol(const Identity& who) override {
    return {who.uid, who.gid, daemon_.enrol(who)};
  }

  CallId open(int flags, const device::Caller& caller) override {
    return make([&](device::Call call) { device().open(std::move(call), caller, flags); });
  }
  CallId read(std::uint64_t file, std::size_t size, std::uint64_t offset, int flags) override {
    return make([&](device::Call call) {
      device().read(std::move(call), {file}, size, offset, is_nonblocking(flags));
    });
  }
  CallId write(std::uint64_t file, std::string_view bytes, std::uint64_t offset,
               int flags) override {
    return make([&](device::Call call) {
      device().write(std::move(call), {file}, bytes_of(bytes), offset, is_nonblocking(flags));
    });
  }
  CallId ioctl(std::uint64_t file, std::uint32_t number, std::string_view in,
               const device::Caller& caller) override {
    const std::size_t out_size = (_IOC_DIR(number) & _IOC_READ) != 0 ? _IOC_SIZE(number) : 0;
    return make([&](device::Call call) {
      device().ioctl(std::move(call), {file}, caller, number, bytes_of(in), out_size, false);
    });
  }
  CallId poll(std::uint64_t file, unsigned events, bool wake) override {
    void* handle = nullptr;
    if (wake) {
      auto made = std::make_unique<PollHandle>(PollHandle{file});
      handle = made.get();
      poll_handles_.emplace(handle, std::move(made));
    }
    return make([&](device::Call call) { device().poll(std::move(call), {file}, events, handle); });
  }
  CallId release(std::uint64_t file) override {
    return make([&](device::Call call) { device().release(std::move(call), {file}); });
  }
  void interrupt(CallId id) override {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    found->second.interrupted = true;
    if (found->second.waiter != nullptr) found->second.waiter->on_interrupt();
    device().finish_request();
  }

  std::optional<Answer> take_answer(CallId id) override {
    const auto found = calls_.find(id);
    EXPECT_NE(found, calls_.end());
    if (!found->second.answer) return std::nullopt;
    std::optional<Answer> answer = std::move(found->second.answer);
    calls_.erase(found);
    return answer;
  }
  std::uint64_t wake_ups(std::uint64_t file) override { return wake_ups_[file]; }
  bool pass_time() override {
    const auto next = device().next_timer();
    if (!next) return false;
    clock_.realtime += *next - clock_.monotonic;
    clock_.monotonic = *next;
    begin_round();
    device().expire();
    return true;
  }

 private:
  struct Pending {
    std::optional<Answer> answer;
    device::Interruptible* waiter = nullptr;
    bool interrupted = false;
  };
  struct PollHandle {
    std::uint64_t file;
  };

  static bool is_nonblocking(int flags) { return (flags & O_NONBLOCK) != 0; }
  device::Device& device() { return daemon_.device(); }
  void begin_round() { device().begin_round(clock_); }

  template <typename F>
  CallId make(F&& f) {
    const CallId id = ++last_call_;
    Pending& pending = calls_[id];
    f(device::Call(*this, &pending));
    device().finish_request();
    return id;
  }

  static void answer(void* token, Answer answer) {
    auto& pending = *static_cast<Pending*>(token);
    EXPECT_FALSE(pending.answer.has_value()) << "answered twice";
    pending.waiter = nullptr;
    pending.answer = std::move(answer);
  }

  // device::Transport
  void reply_error(void* token, int error) override { answer(token, failure(error)); }
  void reply_opened(void* token, device::FileHandle file) override {
    answer(token, value(static_cast<long>(file.value)));
  }
  void reply_data(void* token, std::span<const std::byte> first,
                  std::span<const std::byte> second) override {
    answer(token, message(text_of(first, second)));
  }
  void reply_written(void* token, std::size_t bytes) override {
    answer(token, value(static_cast<long>(bytes)));
  }
  void reply_ioctl(void* token, int result, std::span<const std::byte> first,
                   std::span<const std::byte> second) override {
    answer(token, {0, result, text_of(first, second)});
  }
  void reply_poll(void* token, unsigned events) override { answer(token, value(events)); }
  void reply_done(void* token) override { answer(token, value(0)); }
  void watch_interrupt(void* token, device::Interruptible* waiter) override {
    auto& pending = *static_cast<Pending*>(token);
    pending.waiter = waiter;
    if (waiter != nullptr && pending.interrupted) waiter->on_interrupt();
  }
  void notify_poll(void* handle) override {
    ++wake_ups_[static_cast<PollHandle*>(handle)->file];
    drop_poll(handle);
  }
  void drop_poll(void* handle) override { EXPECT_EQ(poll_handles_.erase(handle), 1U); }
  Door door() const override { return Door::kDevice; }

  Daemon daemon_;
  Clock clock_{kSecond, 1'700'000'000 * kSecond};
  CallId last_call_ = 0;
  std::map<CallId, Pending> calls_;
  std::map<void*, std::unique_ptr<PollHandle>> poll_handles_;
  std::map<std::uint64_t, std::uint64_t> wake_ups_;
};

}  // namespace

std::unique_ptr<Engine> make_memory_engine() { return std::make_unique<MemoryEngine>(); }

}  // namespace ipn::scenarios
