// SPDX-License-Identifier: MIT
#include "bench/daemons.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLong = seconds(30);

Result<Daemon> start_shell(const ScratchFolder& folder, const std::string& script) {
  return Daemon::start({"/bin/sh", "-c", script}, folder.path_of("device"), folder.path_of("log"));
}

auto exists(const std::string& path) {
  return [path]() -> Result<bool> { return access(path.c_str(), F_OK) == 0; };
}

bool is_alive(pid_t pid) { return kill(pid, 0) == 0; }

TEST(ScratchFolder, GoesWithAllThatIsInIt) {
  std::string path;
  {
    const auto folder = ScratchFolder::make();
    ASSERT_TRUE(folder) << folder.error().text;
    path = folder->path_of("a file");
    std::ofstream(path) << "text";
    ASSERT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
}

TEST(Daemon, IsReadyWhenTheProbeSaysSoAndEndsWithItsObject) {
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder);
  const std::string sign = folder->path_of("sign");
  pid_t pid = 0;
  {
    auto daemon = start_shell(*folder, "touch " + sign + "; exec sleep 1000");
    ASSERT_TRUE(daemon) << daemon.error().text;
    const auto ready = daemon->wait_until_ready(exists(sign), kLong);
    ASSERT_TRUE(ready) << ready.error().text;
    pid = daemon->pid();
    EXPECT_TRUE(is_alive(pid));
    EXPECT_TRUE(daemon->is_running());
  }
  EXPECT_FALSE(is_alive(pid));
}

TEST(Daemon, ThatEndsTooEarlyIsQuoted) {
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder);
  auto daemon = start_shell(*folder, "echo one >&2; echo two; exit 3");
  ASSERT_TRUE(daemon) << daemon.error().text;
  const auto ready = daemon->wait_until_ready(exists(folder->path_of("never")), kLong);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().text, "/bin/sh: ended with status 3 before it served " +
                                    folder->path_of("device") + "; it said: one | two");
  EXPECT_FALSE(daemon->is_running());
}

TEST(Daemon, ThatIsNotReadyInTimeIsQuoted) {
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder);
  auto daemon = start_shell(*folder, "exec sleep 1000");
  ASSERT_TRUE(daemon) << daemon.error().text;
  const auto ready = daemon->wait_until_ready(exists(folder->path_of("never")), milliseconds(0));
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().text, "/bin/sh: did not serve " + folder->path_of("device") +
                                    " within 0 s; it printed nothing");
}

TEST(Daemon, WhoseProbeFailsIsNotWaitedFor) {
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder);
  auto daemon = start_shell(*folder, "exec sleep 1000");
  ASSERT_TRUE(daemon) << daemon.error().text;
  const auto fails = []() -> Result<bool> { return Failure{"another ABI"}; };
  const auto ready = daemon->wait_until_ready(fails, kLong);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().text, "/bin/sh: another ABI; it printed nothing");
}

TEST(Daemon, ThatCannotBeExecutedIsSaidSo) {
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder);
  auto daemon = Daemon::start({"/nonexistent"}, folder->path_of("device"), folder->path_of("log"));
  ASSERT_TRUE(daemon) << daemon.error().text;
  const auto ready = daemon->wait_until_ready(exists(folder->path_of("never")), kLong);
  ASSERT_FALSE(ready);
  EXPECT_NE(ready.error().text.find("cannot be executed"), std::string::npos) << ready.error().text;
}

TEST(Daemon, LastWordsAreTheEndOfALongOutput) {
  const auto folder = ScratchFolder::make();
  ASSERT_TRUE(folder);
  auto daemon =
      start_shell(*folder, "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; exit 1");
  ASSERT_TRUE(daemon) << daemon.error().text;
  ASSERT_FALSE(daemon->wait_until_ready(exists(folder->path_of("never")), kLong));
  const std::string words = daemon->last_words();
  EXPECT_TRUE(words.starts_with("line ")) << words;
  EXPECT_TRUE(words.ends_with("line 498 | line 499")) << words;
  EXPECT_LT(words.size(), 1000u);
}

TEST(FindProgram, LooksInPath) {
  const auto shell = find_program("sh");
  ASSERT_TRUE(shell) << shell.error().text;
  EXPECT_TRUE(shell->ends_with("/sh")) << *shell;
}

TEST(FindProgram, SaysWhereItLooked) {
  const auto none = find_program("ipn-no-such-program");
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().text.starts_with("ipn-no-such-program: no such program beside"))
      << none.error().text;
}

}  // namespace
}  // namespace ipn_bench
