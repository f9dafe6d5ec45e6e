// SPDX-License-Identifier: MIT
#include "ipnd/file_text.h"

#include <cerrno>
#include <filesystem>
#include <gtest/gtest.h>

#include "tests/unit/ipnd/temporary_directory.h"

namespace ipn {
namespace {

TEST(FileText, ReadsAWholeFileAndNoMore) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("f", std::string(100'000, 'x'));
  EXPECT_EQ(read_text(path, 100'000)->size(), 100'000U);
  EXPECT_EQ(read_text(path, 99'999).error().code, EFBIG);
  EXPECT_EQ(read_text(directory / "none", 9).error().code, ENOENT);
  EXPECT_EQ(read_text(directory / "", 9).error().code, EISDIR);
}

TEST(FileText, ReplacesAFileWithoutTouchingTheOldOne) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("f", "old");
  std::filesystem::create_hard_link(path, directory / "link");
  ASSERT_TRUE(replace_text(path, "new"));
  EXPECT_EQ(*read_text(path, 9), "new");
  EXPECT_EQ(*read_text(directory / "link", 9), "old");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(FileText, FollowsNoLinkThatSomebodyHasPut) {
  const TemporaryDirectory directory;
  const std::string target = directory.write("target", "precious");
  std::filesystem::create_symlink(target, directory / "f.new");
  ASSERT_TRUE(replace_text(directory / "f", "new"));
  EXPECT_EQ(*read_text(target, 64), "precious");
  EXPECT_EQ(*read_text(directory / "f", 64), "new");
}

TEST(FileText, MemoryIsReadFromItsBeginning) {
  const auto memory = text_in_memory("hello");
  ASSERT_TRUE(memory);
  EXPECT_EQ(*read_text(memory->get(), "memory", 64), "hello");
  EXPECT_EQ(*read_text(memory->get(), "memory", 64), "hello");
}

}  // namespace
}  // namespace ipn
