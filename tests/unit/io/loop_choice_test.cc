// SPDX-License-Identifier: MIT
// Which backend it is, and what a kernel that refuses io_uring gets as an answer.
#include "switchcore/io/uring_refusal.h"
#include "tests/unit/io/loop_fixture.h"
#include "tests/unit/io/system_call_filter.h"

namespace ipn::io {
namespace {

/// Runs in a thread of its own where a system call fails with `code`.
void where_it_fails(long call, int code, const std::function<void()>& test) {
  std::thread thread([&] {
    ASSERT_TRUE(forbid_system_call(call, code));
    test();
  });
  thread.join();
}

std::string description_of(Backend backend) {
  const Result<std::unique_ptr<Loop>> made = make_loop(backend);
  return made ? std::string((*made)->description()) : made.error().text;
}

TEST(LoopChoice, IsIoUringWhereItIsAllowed) {
  EXPECT_EQ(description_of(Backend::kAuto), "io_uring (single issuer, deferred task work)");
  EXPECT_EQ(description_of(Backend::kUring), description_of(Backend::kAuto));
}

TEST(LoopChoice, IsEpollWhereThatIsAskedFor) {
  EXPECT_EQ(description_of(Backend::kEpoll), "epoll (asked for)");
}

TEST(LoopChoice, FallsBackToEpollAndSaysWhy) {
  struct Case {
    int code;
    std::string why;
  };
  for (const Case& expected :
       {Case{EACCES, "forbidden by seccomp or the like"},
        Case{ENOSYS, "not in the kernel, or hidden by seccomp"},
        Case{ENOMEM, "no memory for the ring"}, Case{EINVAL, "Invalid argument"}}) {
    where_it_fails(__NR_io_uring_setup, expected.code, [&] {
      EXPECT_EQ(description_of(Backend::kAuto), "epoll (io_uring: " + expected.why + ")");
    });
  }
}

TEST(LoopChoice, FallsBackWhicheverCallIsForbidden) {
  for (const long call : {__NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register}) {
    where_it_fails(call, EPERM, [] {
      EXPECT_EQ(description_of(Backend::kAuto).substr(0, 27), "epoll (io_uring: forbidden ");
    });
  }
}

TEST(LoopChoice, ServesOnEpollWhereIoUringIsForbidden) {
  where_it_fails(__NR_io_uring_setup, EPERM, [] {
    Result<std::unique_ptr<Loop>> loop = make_loop();
    ASSERT_TRUE(loop.has_value()) << loop.error().text;
    const Wire wire = make_wire();
    Messages messages;
    ASSERT_TRUE((*loop)->add_messages(wire.ours.get(), kBufferBytes, messages).has_value());
    ASSERT_TRUE(wire.send("hello"));
    Rounds rounds;
    const TimeNs deadline = now() + kPatience;
    while (messages.texts.empty() && now() < deadline) {
      ASSERT_TRUE((*loop)->run_round(rounds, deadline).has_value());
    }
    EXPECT_EQ(messages.texts, std::vector<std::string>{"hello"});
  });
}

TEST(LoopChoice, NamesTheCallAndTheRemedyWhereIoUringIsAMust) {
  struct Case {
    int code;
    std::string remedy;
  };
  for (const Case& expected : {Case{EPERM, "seccomp"}, Case{ENOSYS, "CONFIG_IO_URING"},
                               Case{ENOMEM, "LimitMEMLOCK"}, Case{EINVAL, "6.1"}}) {
    where_it_fails(__NR_io_uring_setup, expected.code, [&] {
      const Result<std::unique_ptr<Loop>> made = make_loop(Backend::kUring);
      ASSERT_FALSE(made.has_value());
      const Error& error = made.error();
      EXPECT_EQ(error.code, expected.code);
      EXPECT_EQ(error.text.find("io_uring: io_uring_setup: "), 0U) << error.text;
      EXPECT_NE(error.text.find(expected.remedy), std::string::npos) << error.text;
    });
  }
}

TEST(LoopChoice, BlamesTheSysctlWhereItIsSet) {
  const std::string set = uring_refused("io_uring_setup", EPERM, 2).text;
  const std::string clear = uring_refused("io_uring_setup", EPERM, 0).text;
  EXPECT_NE(set.find("sysctl -w kernel.io_uring_disabled=0"), std::string::npos) << set;
  EXPECT_EQ(clear.find("sysctl"), std::string::npos) << clear;
}

TEST(LoopChoice, FitsItsReasonIntoTheAnswerForPrograms) {
  for (const int code : {EPERM, EACCES, ENOSYS, ENOMEM, EINVAL, EMFILE, ENFILE}) {
    EXPECT_LT(("epoll (io_uring: " + uring_reason(code, 2) + ")").size(), 64U);
  }
}

TEST(LoopChoice, WaitsLongEnoughOnAKernelThatCountsMilliseconds) {
  for (const int code : {ENOSYS, EPERM}) {
    where_it_fails(__NR_epoll_pwait2, code, [] {
      Result<std::unique_ptr<Loop>> loop = make_loop(Backend::kEpoll);
      ASSERT_TRUE(loop.has_value()) << loop.error().text;
      Rounds rounds;
      const TimeNs wake_at = now() + kMillisecond + 1;
      ASSERT_TRUE((*loop)->run_round(rounds, wake_at).has_value());
      EXPECT_GE(rounds.begun.back().monotonic, wake_at);
      const Wire wire = make_wire();
      ASSERT_TRUE(wire.send("ready"));
      Messages messages;
      ASSERT_TRUE((*loop)->add_messages(wire.ours.get(), kBufferBytes, messages).has_value());
      ASSERT_TRUE((*loop)->run_round(rounds, now() + 365 * 86'400 * kSecond).has_value());
      EXPECT_EQ(messages.texts.size(), 1U);
    });
  }
}

}  // namespace
}  // namespace ipn::io
