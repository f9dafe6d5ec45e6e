// SPDX-License-Identifier: MIT
#include "ipnd/lock.h"

#include <cerrno>
#include <filesystem>
#include <gtest/gtest.h>
#include <optional>
#include <thread>
#include <unistd.h>

#include "ipnd/file_text.h"
#include "tests/unit/ipnd/temporary_directory.h"

namespace ipn {
namespace {

TEST(InstanceLock, RefusesASecondOneByNameAndProcess) {
  const TemporaryDirectory directory;
  const std::string path = directory / "ipn.lock";
  auto first = InstanceLock::acquire(path, "/dev/ipn", "stop it");
  ASSERT_TRUE(first) << first.error().text;
  ASSERT_TRUE(first->sign());
  const auto second = InstanceLock::acquire(path, "/dev/ipn", "stop it");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EBUSY);
  EXPECT_EQ(second.error().text, path + ": another ipnd (pid " + std::to_string(::getpid()) +
                                     ") serves /dev/ipn (stop it)");
}

TEST(InstanceLock, WaitsForOneThatIsJustEnding) {
  const TemporaryDirectory directory;
  const std::string path = directory / "ipn.lock";
  auto acquired = InstanceLock::acquire(path, "d", "r");
  ASSERT_TRUE(acquired);
  std::optional<InstanceLock> first(std::move(*acquired));
  // Whatever the order of the two, the second has to get it.
  std::thread ending([&first] {
    first->remove();
    first.reset();
  });
  const auto second = InstanceLock::acquire(path, "d", "r");
  ending.join();
  EXPECT_TRUE(second) << second.error().text;
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(InstanceLock, TakesTheFileOfOneThatWasKilled) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("ipn.lock", "1\n");
  auto lock = InstanceLock::acquire(path, "d", "r");
  ASSERT_TRUE(lock) << lock.error().text;
  ASSERT_TRUE(lock->sign());
  EXPECT_EQ(*read_text(path, 64), std::to_string(::getpid()) + '\n');
}

TEST(InstanceLock, IsGoneWithItsFileWhenRemoved) {
  const TemporaryDirectory directory;
  const std::string path = directory / "ipn.lock";
  auto lock = InstanceLock::acquire(path, "d", "r");
  ASSERT_TRUE(lock);
  lock->remove();
  EXPECT_FALSE(std::filesystem::exists(path));
  // A file of the same name that somebody else has made since is not ours.
  directory.write("ipn.lock", "other");
  lock->remove();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(InstanceLock, FollowsNoLinkAndTakesNoDirectory) {
  const TemporaryDirectory directory;
  const std::string target = directory.write("target", "precious");
  std::filesystem::create_symlink(target, directory / "link");
  EXPECT_FALSE(InstanceLock::acquire(directory / "link", "d", "r"));
  std::filesystem::create_directory(directory / "directory");
  EXPECT_FALSE(InstanceLock::acquire(directory / "directory", "d", "r"));
  EXPECT_FALSE(InstanceLock::acquire(directory / "none/ipn.lock", "d", "r"));
  EXPECT_EQ(*read_text(target, 64), "precious");
}

}  // namespace
}  // namespace ipn
