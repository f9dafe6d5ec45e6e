// SPDX-License-Identifier: MIT
//
// Things that can be done to a regular file, and must do no harm to a device.
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

/// Runs a program and returns its exit status.
int run(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << words[0];
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WEXITSTATUS(status);
}

/// No write(2) is longer.
constexpr off_t kLongestWrite = 0x7ffff000;

TEST_F(FuseFile, IsARegularFileThatNoWriteExtendsAndEveryProgramCanOpen) {
  struct stat st {};
  ASSERT_EQ(stat(settings().device.c_str(), &st), 0);
  EXPECT_TRUE(S_ISREG(st.st_mode));
  EXPECT_GE(st.st_size, kLongestWrite);
  EXPECT_LE(st.st_size, off_t{0x7fffffff}) << "32-bit programs get EOVERFLOW";
}

TEST_F(FuseFile, TouchingAMappingFaultsAndTakesNoMessage) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("still there"), value(11));
  void* map = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, b->descriptor(), 0);
  if (map != MAP_FAILED) {
    // The fault is a child's.
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGBUS, SIG_DFL);
      _exit(*static_cast<const volatile char*>(map));
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "read " << WEXITSTATUS(status) << " out of a mapping";
    EXPECT_EQ(WTERMSIG(status), SIGBUS);
    munmap(map, 4096);
  }
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, b->descriptor(), 0), MAP_FAILED);
  EXPECT_EQ(b->read(100), message("still there"));
}

TEST_F(FuseFile, TruncatingDoesNothing) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("still there"), value(11));
  EXPECT_EQ(ftruncate(b->descriptor(), 0), 0);
  EXPECT_EQ(truncate(settings().device.c_str(), 5), 0);
  const auto c = open(O_RDWR | O_TRUNC);
  EXPECT_EQ(connect(*c, name()), 0);
  struct stat st {};
  EXPECT_EQ(fstat(b->descriptor(), &st), 0);
  EXPECT_GE(st.st_size, kLongestWrite);
  EXPECT_EQ(b->read(100), message("still there"));
  ASSERT_EQ(a->write("and on"), value(6));
  EXPECT_EQ(c->read(100), message("and on"));
}

TEST_F(FuseFile, ToolsForFilesDoNoHarm) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const ipn_stats before = stats(*a);
  const std::string& path = settings().device;
  run({"ls", "-l", path});
  run({"stat", path});
  run({"lsattr", path});
  run({"touch", path});
  EXPECT_NE(run({"cat", path}), 0) << "a free node reads nothing";
  EXPECT_NE(run({"cp", path, "/dev/null"}), 0);
  EXPECT_NE(run({"sh", "-c", "echo x > '" + path + "'"}), 0) << "and writes nothing";
  EXPECT_TRUE(world().eventually([&] { return stats(*a).open_files == before.open_files; }));
  EXPECT_EQ(stats(*a).nodes, before.nodes);
  EXPECT_EQ(stats(*a).msgs, before.msgs);
  ASSERT_EQ(a->write("x"), value(1));
  EXPECT_EQ(b->read(9), message("x"));
}

TEST_F(FuseFile, HasNoPosition) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  EXPECT_EQ(lseek(b->descriptor(), 0, SEEK_SET), -1);
  EXPECT_EQ(errno, ESPIPE);
  std::array<char, 9> buffer;
  ASSERT_EQ(a->write("x"), value(1));
  // A stream has no place to read at.
  EXPECT_EQ(pread(b->descriptor(), buffer.data(), buffer.size(), 100), -1);
  EXPECT_EQ(b->read(9), message("x"));
}

TEST_F(FuseFile, ASleepingReadHoldsUpNoOtherCallOnTheSameFile) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  const auto reader = sleeping(a->start_read(9));
  EXPECT_EQ(a->write("1"), value(1)) << "the position's lock";
  const auto writer = sleeping(a->start_write("2"));
  const auto other = network({.nflags = IPN_NET_LOSSLESS}, "Other");
  const auto c = member(*other);
  const auto d = member(*other);
  EXPECT_EQ(c->write("x"), value(1)) << "the inode's lock";
  EXPECT_EQ(d->read(9), message("x"));
  EXPECT_EQ(b->read(9), message("1"));
  EXPECT_EQ(writer->wait(), value(1));
  EXPECT_EQ(b->read(9), message("2"));
  ASSERT_EQ(b->write("3"), value(1));
  EXPECT_EQ(reader->wait(), message("3"));
}

}  // namespace
}  // namespace ipn::scenarios
