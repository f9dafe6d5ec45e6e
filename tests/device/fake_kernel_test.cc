// SPDX-License-Identifier: MIT
//
// What only a kernel can do to the device, and what no kernel does.
#include "tests/device/fake_kernel.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <random>

#include "tests/device/client.h"
#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A kernel with files that are already in a network.
class Kernel {
 public:
  FakeKernel* operator->() { return &kernel_; }

  Answer now(FakeKernel::CallId call) {
    const auto answer = kernel_.take_answer(call);
    EXPECT_TRUE(answer.has_value()) << "not answered at once";
    return answer.value_or(Answer{});
  }
  /// Whether there is something to read, with a handle for news.
  bool polls_readable(std::uint64_t file) {
    return (now(kernel_.poll(file, POLLIN, true)).value & POLLIN) != 0;
  }
  bool sleeps(FakeKernel::CallId call) { return !kernel_.take_answer(call).has_value(); }

  std::uint64_t open(int flags = O_RDWR) {
    return static_cast<std::uint64_t>(now(kernel_.open(flags, me_)).value);
  }
  template <typename T>
  Answer ioctl(std::uint64_t file, unsigned long number, const T& argument) {
    return now(kernel_.ioctl(file, static_cast<std::uint32_t>(number), bytes_of(argument), me_));
  }
  /// An open file in the network, which is made when needed.
  std::uint64_t member(std::uint32_t flags = 0) {
    const std::uint64_t file = open();
    auto option = sized<ipn_opt>();
    option.size += 4;
    option.name = IPN_OPT_FLAGS;
    option.len = 4;
    std::string argument = bytes_of(option) + bytes_of(flags);
    EXPECT_EQ(
        now(kernel_.ioctl(file, static_cast<std::uint32_t>(IPN_IOC_SETOPT(4)), argument, me_)),
        value(0));
    EXPECT_EQ(ioctl(file, IPN_IOC_BIND, join_of("net")).error, 0);
    EXPECT_EQ(ioctl(file, IPN_IOC_CONNECT, join_of({})).error, 0);
    return file;
  }
  ipn_stats stats() {
    const std::uint64_t file = open();
    const Answer answer = ioctl(file, IPN_IOC_STATS, sized<ipn_stats>());
    ipn_stats stats{};
    std::memcpy(&stats, answer.data.data(), std::min(sizeof stats, answer.data.size()));
    EXPECT_EQ(now(kernel_.release(file)), message(""));
    return stats;
  }

 private:
  FakeKernel kernel_;
  const device::Caller me_ = kernel_.enrol({});
};

TEST_F(FakeKernelDoor, InitTellsTheNameAndRoomForTheLongestMessage) {
  Kernel kernel;
  EXPECT_TRUE(kernel->is_ready());
  EXPECT_EQ(kernel->device_info(), "DEVNAME=fake");
  EXPECT_EQ(kernel->init().major, std::uint32_t{FUSE_KERNEL_VERSION});
  EXPECT_EQ(kernel->init().flags & CUSE_UNRESTRICTED_IOCTL, 0U);
  EXPECT_GE(kernel->init().max_write, std::uint32_t{IPN_MSG_MAX + IPN_MSG_HDR});
  EXPECT_GE(kernel->init().max_read, std::uint32_t{IPN_MSG_MAX + IPN_MSG_HDR});
}

TEST_F(FakeKernelDoor, ASecondInitIsRefused) {
  Kernel kernel;
  cuse_init_in in{};
  in.major = FUSE_KERNEL_VERSION;
  in.minor = FUSE_KERNEL_MINOR_VERSION;
  EXPECT_NE(kernel.now(kernel->send(CUSE_INIT, bytes_of(in))).error, 0);
  EXPECT_NE(kernel.open(), 0xffffffffU);
}

TEST_F(FakeKernelDoor, UnknownOpcodesAreRefusedAndNothingElseHappens) {
  Kernel kernel;
  const std::uint64_t file = kernel.open();
  for (const std::uint32_t opcode :
       {0U,  1U,  3U,  7U,  11U, 19U, 24U, 28U,  31U,   33U,        34U,
        35U, 37U, 43U, 45U, 47U, 48U, 60U, 999U, 4095U, 0xffffffffU}) {
    const Answer answer = kernel.now(kernel->send(opcode, std::string(64, '\0')));
    EXPECT_TRUE(answer.error == ENOSYS || answer.error == EIO) << opcode << ": " << answer;
  }
  EXPECT_EQ(kernel.ioctl(file, IPN_IOC_BIND, join_of("net")).error, 0);
}

TEST_F(FakeKernelDoor, RequestsThatAreTooShortAreRefused) {
  Kernel kernel;
  const std::uint64_t before = kernel->bad_requests();
  const struct {
    std::uint32_t opcode;
    std::size_t size;
  } rows[] = {
      {FUSE_OPEN, sizeof(fuse_open_in)},           {FUSE_READ, sizeof(fuse_read_in)},
      {FUSE_WRITE, sizeof(fuse_write_in)},         {FUSE_IOCTL, sizeof(fuse_ioctl_in)},
      {FUSE_POLL, sizeof(fuse_poll_in)},           {FUSE_RELEASE, sizeof(fuse_release_in)},
      {FUSE_INTERRUPT, sizeof(fuse_interrupt_in)},
  };
  std::uint64_t refused = 0;
  for (const auto& row : rows) {
    for (std::size_t size = 0; size < row.size; ++size, ++refused) {
      EXPECT_EQ(kernel.now(kernel->send(row.opcode, std::string(size, '\x01'))), failure(EINVAL))
          << row.opcode << " with " << size;
    }
  }
  EXPECT_EQ(kernel->bad_requests(), before + refused);
}

TEST_F(FakeKernelDoor, SizesThatReachBehindTheRequestAreRefused) {
  Kernel kernel;
  const std::uint64_t file = kernel.member();
  fuse_write_in write{};
  write.fh = file;
  fuse_ioctl_in ioctl{};
  ioctl.fh = file;
  ioctl.cmd = static_cast<std::uint32_t>(IPN_IOC_STATS);
  for (const std::uint32_t claim : {11U, 4096U, 0x7fffffffU, 0xffffffffU}) {
    write.size = claim;
    EXPECT_EQ(kernel.now(kernel->send(FUSE_WRITE, bytes_of(write) + "ten bytes.")),
              failure(EINVAL));
    ioctl.in_size = claim;
    EXPECT_EQ(kernel.now(kernel->send(FUSE_IOCTL, bytes_of(ioctl) + "ten bytes.")),
              failure(EINVAL));
  }
  write.size = 10;
  EXPECT_EQ(kernel.now(kernel->send(FUSE_WRITE, bytes_of(write) + "ten bytes.")), value(10));
}

TEST_F(FakeKernelDoor, AnIoctlWhoseSizesAreNotThoseOfItsNumberIsRefused) {
  Kernel kernel;
  const std::uint64_t file = kernel.open();
  const std::string argument = bytes_of(sized<ipn_stats>());
  fuse_ioctl_in in{};
  in.fh = file;
  in.cmd = static_cast<std::uint32_t>(IPN_IOC_STATS);
  const struct {
    std::size_t in, out;
  } rows[] = {{0, argument.size()},
              {argument.size() - 1, argument.size()},
              {argument.size(), 0},
              {argument.size(), argument.size() - 1},
              {argument.size(), 0xffffffff}};
  for (const auto& row : rows) {
    in.in_size = static_cast<std::uint32_t>(row.in);
    in.out_size = static_cast<std::uint32_t>(row.out);
    EXPECT_EQ(kernel.now(kernel->send(FUSE_IOCTL, bytes_of(in) + argument.substr(0, row.in))),
              failure(ENOTTY));
  }
}

TEST_F(FakeKernelDoor, CorruptHeadersAreRefusedOrIgnored) {
  Kernel kernel;
  const std::uint64_t file = kernel.member();
  const std::uint64_t before = kernel->bad_requests();
  for (std::size_t size = 1; size < sizeof(fuse_in_header); ++size) {
    kernel->send_raw(std::string(size, '\x7f'));
  }
  EXPECT_EQ(kernel->bad_requests(), before + sizeof(fuse_in_header) - 1);
  for (const std::uint32_t length : {0U, 39U, 41U, 0xffffffffU}) {
    fuse_in_header header{};
    header.len = length;
    header.opcode = FUSE_OPEN;
    header.unique = 1'000'001;
    fuse_open_in in{};
    kernel->expect_answer(header.unique, FUSE_OPEN);
    kernel->send_raw(bytes_of(header) + bytes_of(in));
    EXPECT_EQ(kernel.now(header.unique), failure(EINVAL)) << length;
  }
  EXPECT_EQ(kernel.now(kernel->write(file, "still there", 0, O_RDWR)), value(11));
}

TEST_F(FakeKernelDoor, AStaleHandleIsNoFile) {
  Kernel kernel;
  const std::uint64_t old = kernel.open();
  EXPECT_EQ(kernel.now(kernel->release(old)), message(""));
  const std::uint64_t young = kernel.open();
  EXPECT_NE(old, young);
  for (const std::uint64_t handle :
       {old, young + 1, ~std::uint64_t{0}, std::uint64_t{1} << 32, std::uint64_t{12345} << 32}) {
    SCOPED_TRACE(handle);
    EXPECT_EQ(kernel.now(kernel->read(handle, 10, 0, O_RDWR)), failure(EBADF));
    EXPECT_EQ(kernel.now(kernel->write(handle, "x", 0, O_RDWR)), failure(EBADF));
    EXPECT_EQ(kernel.ioctl(handle, IPN_IOC_STATS, sized<ipn_stats>()), failure(EBADF));
    EXPECT_EQ(kernel.now(kernel->poll(handle, POLLIN, false)), failure(EBADF));
    EXPECT_EQ(kernel.now(kernel->poll(handle, POLLIN, true)), failure(EBADF));
    EXPECT_EQ(kernel.now(kernel->release(handle)), message(""));
  }
  EXPECT_EQ(kernel.now(kernel->poll(young, POLLIN, false)), value(0));
}

// A long read or write comes in pieces ------------------------------------------

TEST_F(FakeKernelDoor, TheRestOfALongReadIsEmptyAndTakesNoMessage) {
  Kernel kernel;
  const std::uint64_t a = kernel.member();
  const std::uint64_t b = kernel.member();
  ASSERT_EQ(kernel.now(kernel->write(a, "one", 0, O_RDWR)), value(3));
  ASSERT_EQ(kernel.now(kernel->write(a, "two", 0, O_RDWR)), value(3));
  EXPECT_EQ(kernel.now(kernel->read(b, 131072, 0, O_RDWR)), message("one"));
  EXPECT_EQ(kernel.now(kernel->read(b, 131072, 3, O_RDWR)), message(""));
  EXPECT_EQ(kernel.now(kernel->read(b, 131072, 131072, O_RDWR)), message(""));
  EXPECT_EQ(kernel.now(kernel->read(b, 131072, 0, O_RDWR)), message("two"));
  EXPECT_EQ(kernel.now(kernel->read(b, 131072, 1, O_RDWR)), message("")) << "must not sleep";
}

TEST_F(FakeKernelDoor, APieceOfALongWriteIsNoMessage) {
  Kernel kernel;
  const std::uint64_t a = kernel.member();
  const std::uint64_t b = kernel.member();
  EXPECT_EQ(kernel.now(kernel->write(a, std::string(126976, 'a'), 0, O_RDWR)), failure(EMSGSIZE));
  EXPECT_EQ(kernel.now(kernel->write(a, "rest", 126976, O_RDWR)), failure(EMSGSIZE));
  EXPECT_EQ(kernel.now(kernel->read(b, 100, 0, O_RDWR | O_NONBLOCK)), failure(EAGAIN));
}

// Interrupts --------------------------------------------------------------------

TEST_F(FakeKernelDoor, AnInterruptThatComesFirstIsRemembered) {
  Kernel kernel;
  const std::uint64_t file = kernel.member();
  const FakeKernel::CallId next = kernel->next_call();
  kernel->interrupt(next);
  const FakeKernel::CallId read = kernel->read(file, 100, 0, O_RDWR);
  ASSERT_EQ(read, next);
  EXPECT_EQ(kernel.now(read), failure(EINTR));
  EXPECT_TRUE(kernel.sleeps(kernel->read(file, 100, 0, O_RDWR))) << "it was for that one only";
}

TEST_F(FakeKernelDoor, AnInterruptForACallThatCanBeAnsweredIsTooLate) {
  Kernel kernel;
  const std::uint64_t a = kernel.member();
  const std::uint64_t b = kernel.member();
  ASSERT_EQ(kernel.now(kernel->write(a, "there", 0, O_RDWR)), value(5));
  kernel->interrupt(kernel->next_call());
  EXPECT_EQ(kernel.now(kernel->read(b, 100, 0, O_RDWR)), message("there"));
}

TEST_F(FakeKernelDoor, AnInterruptForNobodyIsHandedBack) {
  Kernel kernel;
  const std::uint64_t file = kernel.member();
  const FakeKernel::CallId read = kernel->read(file, 100, 0, O_RDWR);
  ASSERT_TRUE(kernel.sleeps(read));
  kernel->interrupt(read);
  EXPECT_EQ(kernel.now(read), failure(EINTR));
  // The answer and the interrupt have crossed: the kernel may ask once more.
  kernel->interrupt(read);
  EXPECT_EQ(kernel.ioctl(file, IPN_IOC_SHUTDOWN, sized<ipn_shutdown>()).error, 0);
}

TEST_F(FakeKernelDoor, AnInterruptTwiceIsAnsweredOnce) {
  Kernel kernel;
  const std::uint64_t file = kernel.member();
  const FakeKernel::CallId first = kernel->read(file, 100, 0, O_RDWR);
  const FakeKernel::CallId second = kernel->read(file, 100, 0, O_RDWR);
  kernel->interrupt(second);
  kernel->interrupt(second);
  EXPECT_EQ(kernel.now(second), failure(EINTR));
  EXPECT_TRUE(kernel.sleeps(first));
  kernel->interrupt(first);
  EXPECT_EQ(kernel.now(first), failure(EINTR));
}

// The end -----------------------------------------------------------------------

TEST_F(FakeKernelDoor, ReleaseAnswersWhatStillSleeps) {
  Kernel kernel;
  const std::uint64_t a = kernel.member(IPN_NET_LOSSLESS);
  const std::uint64_t b = kernel.member();
  while (kernel.now(kernel->write(a, "x", 0, O_RDWR | O_NONBLOCK)).error == 0) {
  }
  const FakeKernel::CallId write = kernel->write(a, "y", 0, O_RDWR);
  const FakeKernel::CallId read = kernel->read(a, 100, 0, O_RDWR);
  const FakeKernel::CallId wait = kernel->ioctl(a, static_cast<std::uint32_t>(IPN_IOC_WAIT_PEERS),
                                                bytes_of(wait_peers_of(9, 60'000)), {});
  EXPECT_FALSE(kernel.polls_readable(a));
  ASSERT_TRUE(kernel.sleeps(write));
  ASSERT_TRUE(kernel.sleeps(read));
  ASSERT_TRUE(kernel.sleeps(wait));
  EXPECT_EQ(kernel.stats().uid_parked_bytes, 1 + kParkedOverhead);

  EXPECT_EQ(kernel.now(kernel->release(a)), message(""));
  EXPECT_EQ(kernel.now(write), failure(ECONNABORTED));
  EXPECT_EQ(kernel.now(read), failure(ECONNABORTED));
  EXPECT_EQ(kernel.now(wait), failure(ECONNABORTED));
  EXPECT_EQ(kernel.stats().uid_parked_bytes, 0U);
  EXPECT_EQ(kernel.stats().nodes, 1U);
  EXPECT_EQ(kernel.now(kernel->release(b)), message(""));
  EXPECT_EQ(kernel.stats().networks, 0U);
}

TEST_F(FakeKernelDoor, APollHandleIsUsedOnceAndRenewedByTheNextPoll) {
  Kernel kernel;
  const std::uint64_t a = kernel.member();
  const std::uint64_t b = kernel.member();
  EXPECT_FALSE(kernel.polls_readable(b));
  EXPECT_FALSE(kernel.polls_readable(b)) << "replaces the first";
  ASSERT_EQ(kernel.now(kernel->write(a, "1", 0, O_RDWR)), value(1));
  EXPECT_EQ(kernel->wake_ups(b), 1U);
  ASSERT_EQ(kernel.now(kernel->write(a, "2", 0, O_RDWR)), value(1));
  EXPECT_EQ(kernel->wake_ups(b), 1U) << "nobody has asked again";
  EXPECT_TRUE(kernel.polls_readable(b));
  ASSERT_EQ(kernel.now(kernel->write(a, "3", 0, O_RDWR)), value(1));
  EXPECT_EQ(kernel->wake_ups(b), 2U) << "edge-triggered epoll hears of every new message";
  EXPECT_EQ(kernel->wake_ups(a), 0U);
}

TEST_F(FakeKernelDoor, APollerForRoomIsNotWokenByMessages) {
  Kernel kernel;
  const std::uint64_t a = kernel.member();
  const std::uint64_t b = kernel.member();
  EXPECT_NE(kernel.now(kernel->poll(b, POLLOUT, true)).value & POLLOUT, 0);
  ASSERT_EQ(kernel.now(kernel->write(a, "1", 0, O_RDWR)), value(1));
  EXPECT_EQ(kernel->wake_ups(b), 0U);
}

/// Edge-triggered epoll asks while there is room, and not again when a write fails.
TEST_F(FakeKernelDoor, APollerForRoomIsWokenAfterAWriteThatFoundNone) {
  Kernel kernel;
  const std::uint64_t a = kernel.member(IPN_NET_LOSSLESS);
  const std::uint64_t b = kernel.member();
  EXPECT_NE(kernel.now(kernel->poll(a, POLLOUT, true)).value & POLLOUT, 0);
  while (kernel.now(kernel->write(a, "x", 0, O_RDWR | O_NONBLOCK)).error == 0) {
  }
  EXPECT_EQ(kernel->wake_ups(a), 0U);
  EXPECT_EQ(kernel.now(kernel->read(b, 9, 0, O_RDWR)), message("x"));
  EXPECT_EQ(kernel->wake_ups(a), 1U);
}

TEST_F(FakeKernelDoor, WhenTheDeviceIsAbortedAllFilesAreClosed) {
  Kernel kernel;
  const std::uint64_t a = kernel.member(IPN_NET_LOSSLESS);
  const std::uint64_t b = kernel.member();
  ASSERT_TRUE(kernel.sleeps(kernel->read(a, 100, 0, O_RDWR)));
  EXPECT_FALSE(kernel.polls_readable(b));
  EXPECT_TRUE(kernel->hang_up());
  EXPECT_EQ(kernel->daemon().core().totals().open_nodes, 0U);
  EXPECT_EQ(kernel->daemon().core().totals().networks, 0U);
}

TEST_F(FakeKernelDoor, ADaemonThatStopsTakesNoNewFilesAndDrains) {
  Kernel kernel;
  const std::uint64_t a = kernel.member(IPN_NET_LOSSLESS);
  const std::uint64_t b = kernel.member();
  ASSERT_EQ(kernel.now(kernel->write(a, "last", 0, O_RDWR)), value(4));
  const FakeKernel::CallId read = kernel->read(a, 100, 0, O_RDWR);
  EXPECT_FALSE(kernel.polls_readable(a));
  kernel->daemon().device().stop();
  EXPECT_EQ(kernel.now(read), end_of_file());
  EXPECT_EQ(kernel->wake_ups(a), 1U);
  EXPECT_EQ(kernel.now(kernel->open(O_RDWR, kernel->enrol({}))), failure(ENODEV));
  EXPECT_EQ(kernel.now(kernel->read(b, 100, 0, O_RDWR)), message("last"));
  EXPECT_EQ(kernel.now(kernel->read(b, 100, 0, O_RDWR)), end_of_file());
  EXPECT_EQ(kernel.now(kernel->write(b, "x", 0, O_RDWR)), failure(ECONNRESET));
}

TEST_F(FakeKernelDoor, TheDaemonHasSoManyOpenFiles) {
  Kernel kernel;
  const std::uint64_t first = kernel.open();
  kernel.open();
  Limits limits = kernel->daemon().core().limits();
  limits.open_nodes = 2;
  kernel->daemon().core().set_limits(limits);
  EXPECT_EQ(kernel.now(kernel->open(O_RDWR, kernel->enrol({}))), failure(ENFILE));
  EXPECT_EQ(kernel.now(kernel->release(first)), message(""));
  EXPECT_EQ(kernel.now(kernel->open(O_RDWR, kernel->enrol({}))).error, 0);
}

TEST_F(FakeKernelDoor, OneUserCannotTakeAllOpenFiles) {
  Kernel kernel;
  Limits limits = kernel->daemon().core().limits();
  limits.open_nodes = 8;
  kernel->daemon().core().set_limits(limits);
  const auto open_as = [&](std::uint32_t uid) {
    return kernel.now(kernel->open(O_RDWR, kernel->enrol({.uid = uid})));
  };
  const Answer first = open_as(5);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(open_as(5).error, 0);
  EXPECT_EQ(open_as(5), failure(ENFILE)) << "half of all";
  EXPECT_EQ(open_as(6).error, 0);
  EXPECT_EQ(open_as(0).error, 0);
  EXPECT_EQ(kernel.now(kernel->release(static_cast<std::uint64_t>(first.value))), message(""));
  EXPECT_EQ(open_as(5).error, 0);
}

TEST_F(FakeKernelDoor, RandomRequestsBreakNothing) {
  std::random_device device;
  const unsigned seed = device();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  Kernel kernel;
  std::vector<std::uint64_t> files = {kernel.member(), kernel.member(), 0};
  const std::uint32_t opcodes[] = {FUSE_OPEN, FUSE_READ,    FUSE_WRITE,     FUSE_IOCTL,
                                   FUSE_POLL, FUSE_RELEASE, FUSE_INTERRUPT, FUSE_FSYNC};
  for (int i = 0; i < 3'000; ++i) {
    // A plausible beginning, noise behind it.
    std::string arguments = bytes_of(files[below(3)]);
    const std::uint32_t more = below(400);
    for (std::uint32_t k = 0; k < more; ++k) {
      arguments += static_cast<char>(below(4) == 0 ? below(256) : 0);
    }
    const std::uint32_t opcode = opcodes[below(8)];
    if (opcode == FUSE_IOCTL && arguments.size() >= sizeof(fuse_ioctl_in)) {
      fuse_ioctl_in in{};
      in.fh = files[below(3)];
      const auto size = static_cast<std::uint32_t>(arguments.size() - sizeof in);
      in.cmd = static_cast<std::uint32_t>(
          _IOC(_IOC_READ | _IOC_WRITE, IPN_IOC_MAGIC, below(0x80), size));
      in.in_size = size;
      in.out_size = size;
      arguments.replace(0, sizeof in, bytes_of(in));
    }
    kernel->send(opcode, arguments);
    if (::testing::Test::HasFailure()) return;
  }
  const std::uint64_t a = kernel.open();
  EXPECT_EQ(kernel.ioctl(a, IPN_IOC_STATS, sized<ipn_stats>()).error, 0);
}

}  // namespace
}  // namespace ipn::scenarios
