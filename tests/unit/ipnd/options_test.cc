// SPDX-License-Identifier: MIT
#include "ipnd/options.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include <ipn/ioctl.h>

namespace ipn {
namespace {

CommandLine parse(std::vector<const char*> words) {
  words.insert(words.begin(), "ipnd");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST(Options, AreAllUnsetWithoutAWord) {
  const CommandLine line = parse({});
  ASSERT_TRUE(line.run);
  EXPECT_FALSE(line.options.device || line.options.name || line.options.mode ||
               line.options.group || line.options.config || line.options.log_level ||
               line.options.loop || line.options.null_device);
  EXPECT_TRUE(line.options.paths.empty());
  EXPECT_FALSE(line.options.check || line.options.fresh || line.options.log_file);
}

TEST(Options, TakeEveryValue) {
  const CommandLine line = parse({"--device", "fuse",    "--name",   "ipn2",       "--path",
                                  "a",        "--path",  "b",        "--mode",     "0640",
                                  "--group",  "staff",   "--config", "c",          "--log-level",
                                  "debug",    "--check", "--fresh",  "--log-file", "--null-device",
                                  "n",        "--loop",  "epoll"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.device, "fuse");
  EXPECT_EQ(line.options.name, "ipn2");
  EXPECT_EQ(line.options.paths, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(line.options.mode, 0640U);
  EXPECT_EQ(line.options.group, "staff");
  EXPECT_EQ(line.options.config, "c");
  EXPECT_EQ(line.options.log_level, "debug");
  EXPECT_EQ(line.options.null_device, "n");
  EXPECT_EQ(line.options.loop, "epoll");
  EXPECT_TRUE(line.options.check && line.options.fresh && line.options.log_file);
}

struct BadLine {
  std::vector<const char*> words;
  const char* says;
};

TEST(Options, RefuseWhatMakesNoSenseAndSayWhatDoes) {
  const std::vector<BadLine> lines = {
      {{"--device", "usb"}, "none of auto, cuse, fuse"},
      {{"--mode", "0888"}, "0 to 0777"},
      {{"--mode", "1777"}, "0 to 0777"},
      {{"--name", "a/b"}, "not a name for a device"},
      {{"--name", ""}, "not a name for a device"},
      {{"--loop", "poll"}, "none of auto, io_uring, epoll"},
      {{"--log-level", "loud"}, "debug, info, warning, error, off"},
      {{"--path"}, "--path"},
      {{"--path", ""}, "empty"},
      {{"--unknown"}, "--unknown"},
      {{"word"}, "word"},
  };
  for (const BadLine& bad : lines) {
    const CommandLine line = parse(bad.words);
    EXPECT_FALSE(line.run);
    EXPECT_EQ(line.status, 2);
    EXPECT_NE(line.text.find(bad.says), std::string::npos) << line.text;
    EXPECT_TRUE(line.text.starts_with("ipnd: ")) << line.text;
    EXPECT_TRUE(line.text.ends_with("(see: ipnd --help)\n")) << line.text;
  }
}

TEST(Options, HelpNamesEveryOption) {
  const CommandLine line = parse({"--help"});
  EXPECT_FALSE(line.run);
  EXPECT_EQ(line.status, 0);
  for (const char* option :
       {"--device", "--name", "--path", "--mode", "--group", "--config", "--log-level",
        "--log-file", "--fresh", "--check", "--null-device", "--version"}) {
    EXPECT_NE(line.text.find(option), std::string::npos) << option;
  }
}

TEST(Options, VersionNamesTheAbi) {
  const CommandLine line = parse({"--version"});
  EXPECT_EQ(line.status, 0);
  EXPECT_TRUE(line.text.starts_with("ipnd ")) << line.text;
  EXPECT_TRUE(line.text.ends_with(", ABI 0." + std::to_string(IPN_ABI) + "\n")) << line.text;
}

}  // namespace
}  // namespace ipn
