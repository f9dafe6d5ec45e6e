// SPDX-License-Identifier: MIT
#include "ipnd/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "ipnd/file_text.h"
#include "tests/unit/ipnd/temporary_directory.h"

namespace ipn {
namespace {

TEST(Journal, WritesEverythingBeforeItGoes) {
  const TemporaryDirectory directory;
  const std::string path = directory / "log";
  {
    Journal journal(std::move(*open_log_file(path)));
    for (int line = 0; line < 100; ++line) journal.info("line " + std::to_string(line) + ".");
  }
  const auto text = read_text(path, 1 << 20);
  ASSERT_TRUE(text);
  EXPECT_NE(text->find(" info line 0.\n"), std::string::npos);
  EXPECT_NE(text->find(" info line 99.\n"), std::string::npos);
}

TEST(Journal, KeepsToItsLevel) {
  const TemporaryDirectory directory;
  const std::string path = directory / "log";
  {
    Journal journal(std::move(*open_log_file(path)));
    journal.debug("one");
    journal.set_level("debug");
    journal.debug("two");
    journal.set_level("nonsense");
    journal.debug("three");
    journal.set_level("error");
    journal.warning("four");
    journal.error("five");
    journal.set_level("off");
    journal.error("six");
  }
  const auto text = read_text(path, 1 << 20);
  ASSERT_TRUE(text);
  std::string words;
  for (const char* word : {"one", "two", "three", "four", "five", "six"}) {
    if (text->find(word) != std::string::npos) words += std::string(word) + ' ';
  }
  EXPECT_EQ(words, "two three five ");
}

TEST(Journal, NeverWaitsForAReaderThatSleeps) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  Journal journal{UniqueFd(ends[1])};
  // Far more than the pipe and the queue hold; the end has to come, too.
  for (int line = 0; line < 50'000; ++line) journal.info(std::string(200, 'x'));
}

}  // namespace
}  // namespace ipn
