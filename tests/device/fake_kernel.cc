// SPDX-License-Identifier: MIT
#include "tests/device/fake_kernel.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <linux/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <utility>

#include "switchcore/base/assert.h"

namespace ipn::scenarios {
namespace {

constexpr TimeNs kPatience = 30 * kSecond;

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
T take(std::string_view& bytes) {
  T value{};
  EXPECT_GE(bytes.size(), sizeof value) << "a reply is too short";
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  bytes.remove_prefix(std::min(bytes.size(), sizeof value));
  return value;
}

TimeNs monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

class FakeKernel::Counter final : public device::RequestHandler {
 public:
  explicit Counter(device::RequestHandler& next) : next_(next) {}
  std::uint64_t handled() const { return handled_; }

  void open(device::Call call, const device::Caller& caller, int flags) override {
    next_.open(std::move(call), caller, flags);
  }
  void read(device::Call call, device::FileHandle file, std::size_t size, std::uint64_t offset,
            bool nonblocking) override {
    next_.read(std::move(call), file, size, offset, nonblocking);
  }
  void write(device::Call call, device::FileHandle file, std::span<const std::byte> data,
             std::uint64_t offset, bool nonblocking) override {
    next_.write(std::move(call), file, data, offset, nonblocking);
  }
  void ioctl(device::Call call, device::FileHandle file, const device::Caller& caller,
             std::uint32_t command, std::span<const std::byte> in, std::size_t out_size,
             bool nonblocking) override {
    next_.ioctl(std::move(call), file, caller, command, in, out_size, nonblocking);
  }
  void poll(device::Call call, device::FileHandle file, unsigned events, void* handle) override {
    next_.poll(std::move(call), file, events, handle);
  }
  void release(device::Call call, device::FileHandle file) override {
    next_.release(std::move(call), file);
  }
  void door_closed(device::Transport& door) override { next_.door_closed(door); }
  void count_bad_request() override { next_.count_bad_request(); }
  void finish_request() override {
    next_.finish_request();
    ++handled_;
  }

 private:
  device::RequestHandler& next_;
  std::uint64_t handled_ = 0;
};

FakeKernel::FakeKernel() : counter_(std::make_unique<Counter>(daemon_.device())) {
  auto loop = io::make_loop();
  IPN_ASSERT(loop.has_value());
  loop_ = std::move(*loop);
  std::array<int, 2> pair{};
  const int made =
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data());
  IPN_ASSERT(made == 0);
  const int bytes = 1 << 20;
  for (const int fd : pair) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  socket_ = pair[0];
  auto door = device::open_cuse_door(pair[1], {"fake", 0, 0}, *loop_, *counter_, *this);
  IPN_ASSERT(door.has_value());
  door_ = std::move(*door);
  nobody_ = enrol({});
  shake_hands();
}

FakeKernel::~FakeKernel() {
  door_.reset();
  if (socket_ >= 0) close(socket_);
}

bool FakeKernel::hang_up() {
  close(std::exchange(socket_, -1));
  const TimeNs until = monotonic_now() + kPatience;
  while (!closed_ && monotonic_now() < until) run_round(until);
  return closed_;
}

device::Caller FakeKernel::enrol(const Identity& who) {
  return {who.uid, who.gid, daemon_.enrol(who)};
}

void FakeKernel::shake_hands() {
  cuse_init_in in{};
  in.major = FUSE_KERNEL_VERSION;
  in.minor = FUSE_KERNEL_MINOR_VERSION;
  in.flags = CUSE_UNRESTRICTED_IOCTL;
  const auto answer = take_answer(send(CUSE_INIT, bytes_of(in)));
  IPN_ASSERT(answer.has_value());
  EXPECT_EQ(answer->error, 0);
  std::string_view body = answer->data;
  init_ = take<cuse_init_out>(body);
  device_info_ = body.substr(0, body.find('\0'));
}

// Requests --------------------------------------------------------------------

FakeKernel::CallId FakeKernel::request(std::uint32_t opcode, const std::string& arguments,
                                       const device::Caller& caller) {
  last_call_ += kStep;
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + arguments.size());
  header.opcode = opcode;
  header.unique = last_call_;
  header.nodeid = FUSE_ROOT_ID;
  header.uid = caller.uid;
  header.gid = caller.gid;
  header.pid = caller.tid;
  opcodes_[last_call_] = opcode;
  send_raw(bytes_of(header) + arguments);
  return last_call_;
}

FakeKernel::CallId FakeKernel::send(std::uint32_t opcode, std::string_view arguments) {
  return request(opcode, std::string(arguments), nobody_);
}

void FakeKernel::send_raw(std::string_view bytes) {
  const ssize_t written = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ASSERT_EQ(written, static_cast<ssize_t>(bytes.size())) << std::strerror(errno);
  ++sent_;
  run_until_handled();
}

FakeKernel::CallId FakeKernel::open(int flags, const device::Caller& caller) {
  fuse_open_in in{};
  in.flags = static_cast<std::uint32_t>(flags);
  return request(FUSE_OPEN, bytes_of(in), caller);
}

FakeKernel::CallId FakeKernel::read(std::uint64_t file, std::size_t size, std::uint64_t offset,
                                    int flags) {
  fuse_read_in in{};
  in.fh = file;
  in.offset = offset;
  in.size = static_cast<std::uint32_t>(size);
  in.flags = static_cast<std::uint32_t>(flags);
  return request(FUSE_READ, bytes_of(in), nobody_);
}

FakeKernel::CallId FakeKernel::write(std::uint64_t file, std::string_view bytes,
                                     std::uint64_t offset, int flags) {
  fuse_write_in in{};
  in.fh = file;
  in.offset = offset;
  in.size = static_cast<std::uint32_t>(bytes.size());
  in.flags = static_cast<std::uint32_t>(flags);
  return request(FUSE_WRITE, bytes_of(in).append(bytes), nobody_);
}

FakeKernel::CallId FakeKernel::ioctl(std::uint64_t file, std::uint32_t number, std::string_view in,
                                     const device::Caller& caller) {
  fuse_ioctl_in arguments{};
  arguments.fh = file;
  arguments.cmd = number;
  arguments.in_size = static_cast<std::uint32_t>(in.size());
  arguments.out_size = (_IOC_DIR(number) & _IOC_READ) != 0 ? _IOC_SIZE(number) : 0;
  return request(FUSE_IOCTL, bytes_of(arguments).append(in), caller);
}

FakeKernel::CallId FakeKernel::poll(std::uint64_t file, unsigned events, bool wake) {
  fuse_poll_in in{};
  in.fh = file;
  in.kh = file;
  in.flags = wake ? FUSE_POLL_SCHEDULE_NOTIFY : 0;
  in.events = events;
  return request(FUSE_POLL, bytes_of(in), nobody_);
}

FakeKernel::CallId FakeKernel::release(std::uint64_t file) {
  fuse_release_in in{};
  in.fh = file;
  return request(FUSE_RELEASE, bytes_of(in), {0, 0, 0});
}

void FakeKernel::interrupt(CallId call) {
  if (answers_.contains(call)) return;
  fuse_interrupt_in in{};
  in.unique = call;
  fuse_in_header header{};
  header.len = sizeof header + sizeof in;
  header.opcode = FUSE_INTERRUPT;
  header.unique = call | 1;
  opcodes_[header.unique] = FUSE_INTERRUPT;
  send_raw(bytes_of(header) + bytes_of(in));
}

// Replies ---------------------------------------------------------------------

std::optional<Answer> FakeKernel::take_answer(CallId call) {
  collect();
  const auto found = answers_.find(call);
  if (found == answers_.end()) return std::nullopt;
  std::optional<Answer> answer = std::move(found->second);
  answers_.erase(found);
  return answer;
}

std::uint64_t FakeKernel::wake_ups(std::uint64_t file) {
  collect();
  return wake_ups_[file];
}

void FakeKernel::collect() {
  std::array<char, 262144> buffer;
  for (;;) {
    const ssize_t got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return;
    take_reply({buffer.data(), static_cast<std::size_t>(got)});
  }
}

void FakeKernel::take_reply(std::string_view reply) {
  const std::size_t size = reply.size();
  const auto header = take<fuse_out_header>(reply);
  EXPECT_EQ(header.len, size) << "the length in the reply is not that of the reply";
  if (header.unique == 0) {
    EXPECT_EQ(header.error, FUSE_NOTIFY_POLL);
    ++wake_ups_[take<fuse_notify_poll_wakeup_out>(reply).kh];
    return;
  }
  EXPECT_FALSE(answers_.contains(header.unique)) << "answered twice";
  EXPECT_TRUE(opcodes_.contains(header.unique)) << "the answer to no request";
  const std::uint32_t opcode = opcodes_[header.unique];
  opcodes_.erase(header.unique);
  Answer answer = failure(-header.error);
  if (header.error != 0) {
    EXPECT_TRUE(reply.empty()) << "an error comes alone";
  } else if (opcode == FUSE_OPEN) {
    answer = value(static_cast<long>(take<fuse_open_out>(reply).fh));
  } else if (opcode == FUSE_WRITE) {
    answer = value(take<fuse_write_out>(reply).size);
  } else if (opcode == FUSE_POLL) {
    answer = value(take<fuse_poll_out>(reply).revents);
  } else if (opcode == FUSE_IOCTL) {
    const auto out = take<fuse_ioctl_out>(reply);
    EXPECT_EQ(out.flags, 0U) << "not a restricted ioctl";
    answer = {0, out.result, std::string(reply)};
  } else {
    answer = message(reply);
  }
  answers_[header.unique] = std::move(answer);
}

// Time ------------------------------------------------------------------------

void FakeKernel::on_round_begin(const Clock& clock) {
  now_ = clock.monotonic;
  daemon_.device().begin_round(clock);
  const auto timer = daemon_.device().next_timer();
  if (timer && *timer <= clock.monotonic) daemon_.device().expire();
}

void FakeKernel::run_round(TimeNs until) {
  const auto timer = daemon_.device().next_timer();
  auto done = loop_->run_round(*this, std::min(until, timer.value_or(until)));
  ASSERT_TRUE(done.has_value()) << done.error().text;
}

void FakeKernel::run_until_handled() {
  const TimeNs until = monotonic_now() + kPatience;
  while (counter_->handled() < sent_) {
    ASSERT_LT(monotonic_now(), until) << "a request is not handled";
    run_round(until);
    collect();  // a socket holds less than a kernel does
  }
}

bool FakeKernel::pass_time() {
  const auto timer = daemon_.device().next_timer();
  if (!timer) return false;
  run_round(*timer);
  return true;
}

std::unique_ptr<Engine> make_fake_kernel() { return std::make_unique<FakeKernel>(); }

}  // namespace ipn::scenarios
