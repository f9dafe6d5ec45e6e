// SPDX-License-Identifier: MIT
#include "ipnctl/command_line.h"

#include <gtest/gtest.h>
#include <initializer_list>
#include <string>
#include <vector>

namespace ipnctl {
namespace {

CommandLine::Outcome parse(CommandLine& line, std::initializer_list<const char*> words) {
  std::vector<const char*> argv{"ipnctl"};
  argv.insert(argv.end(), words);
  return line.parse(static_cast<int>(argv.size()), argv.data());
}

/// What is wrong with a command line; "right" if nothing is.
std::string complaint(std::initializer_list<const char*> words) {
  CommandLine line;
  const auto outcome = parse(line, words);
  if (!outcome.failure.is_usage) return "right";
  return outcome.failure.object + ": " + outcome.failure.reason;
}

TEST(CommandLine, AcceptsEveryVerb) {
  EXPECT_EQ(complaint({}), "right");
  EXPECT_EQ(complaint({"version"}), "right");
  EXPECT_EQ(complaint({"stats", "--interval", "0.5"}), "right");
  EXPECT_EQ(
      complaint({"net",        "add",  "chat",        "--policy", "broadcast",      "--lossless",
                 "--mtu",      "9000", "--nodes",     "8",        "--pool",         "64",
                 "--mode",     "0770", "--owner",     "0",        "--group",        "0",
                 "--deadline", "1.5",  "--log-bytes", "2M",       "--confidential", "--temporary"}),
      "right");
  EXPECT_EQ(complaint({"net", "list"}), "right");
  EXPECT_EQ(complaint({"net", "show", "chat"}), "right");
  EXPECT_EQ(complaint({"net", "set", "chat", "--mtu", "9000", "--persistent"}), "right");
  EXPECT_EQ(complaint({"net", "del", "chat"}), "right");
  EXPECT_EQ(complaint({"node", "list", "chat"}), "right");
  EXPECT_EQ(complaint({"node", "show", "chat", "0"}), "right");
  EXPECT_EQ(complaint({"node", "set", "chat", "3", "--overflow", "drop-newest"}), "right");
  EXPECT_EQ(complaint({"node", "set", "chat", "--id", "7", "--overflow", "latest"}), "right");
  EXPECT_EQ(complaint({"node", "kick", "chat", "--id", "7"}), "right");
  EXPECT_EQ(complaint({"send", "chat", "--raw", "--wait", "1", "--timeout", "3"}), "right");
  EXPECT_EQ(complaint({"send", "chat", "--raw", "file"}), "right");
  EXPECT_EQ(complaint({"send", "chat", "-m", "--not-an-option"}), "right");
  EXPECT_EQ(complaint({"recv", "chat", "--verbose", "--hex", "--count", "3"}), "right");
}

TEST(CommandLine, TakesItsOwnOptionsAnywhere) {
  CommandLine line;
  EXPECT_TRUE(parse(line, {"net", "--json", "list", "--device", "/tmp/x", "--human"}).action);
  EXPECT_TRUE(line.globals().json);
  EXPECT_TRUE(line.globals().human);
  EXPECT_EQ(line.globals().device, "/tmp/x");
}

TEST(CommandLine, KnowsThatErrorsShallBeJsonAlsoIfItIsWrong) {
  CommandLine line;
  EXPECT_TRUE(parse(line, {"net", "add", "--json"}).failure.is_usage);
  EXPECT_TRUE(line.globals().json);
}

TEST(CommandLine, LetsNetworksHaveTheNamesOfVerbs) {
  EXPECT_EQ(complaint({"net", "show", "list"}), "right");
  EXPECT_EQ(complaint({"recv", "version"}), "right");
}

TEST(CommandLine, NamesTheVerbThatWasMeant) {
  EXPECT_EQ(complaint({"nett"}), ": unknown verb \"nett\"; did you mean \"net\"?");
  EXPECT_EQ(complaint({"net", "ad"}), "net: unknown verb \"ad\"; did you mean \"add\"?");
  EXPECT_EQ(complaint({"net"}), "net: a verb is missing: add, list, show, set, del");
}

TEST(CommandLine, RefusesOptionsOfLaterVersions) {
  for (const char* option : {"--overflow", "--evict", "--retain"}) {
    EXPECT_EQ(complaint({"net", "add", "chat", option, "1"}),
              std::string("net add: unknown option ") + option);
  }
  EXPECT_EQ(complaint({"net", "kill", "chat"}).substr(0, 24), "net: unknown verb \"kill\"");
}

TEST(CommandLine, RefusesValuesThatHaveNotTheirForm) {
  EXPECT_EQ(complaint({"net", "add", "chat", "--mtu", "9k"}),
            "net add: --mtu: \"9k\" is not a number");
  EXPECT_EQ(complaint({"net", "add", "chat", "--mode", "0999"}),
            "net add: --mode: \"0999\" is not an octal mode from 0 to 0777");
  EXPECT_EQ(complaint({"net", "add", "chat", "--mtu"}), "net add: --mtu needs a value");
  EXPECT_EQ(complaint({"node", "set", "chat", "3", "--overflow", "block"}),
            "node set: --overflow: \"block\" is not one of network, drop-newest, latest");
}

TEST(CommandLine, RefusesWordsThatAreMissingOrTooMany) {
  EXPECT_EQ(complaint({"net", "add"}), "net add: NAME is required");
  EXPECT_EQ(complaint({"net", "del", "a", "b"}), "net del: one word too many: \"b\"");
}

TEST(CommandLine, RefusesTwoFormsOfInputAtOnce) {
  EXPECT_EQ(complaint({"send", "chat", "--hex", "-m", "00"}), "send: --message excludes --hex");
  EXPECT_EQ(complaint({"recv", "chat", "--hex", "--raw"}), "recv: --raw excludes --hex");
  EXPECT_EQ(complaint({"net", "set", "chat", "--temporary", "--persistent"}),
            "net set: --persistent excludes --temporary");
}

TEST(CommandLine, HelpsWithEveryVerb) {
  CommandLine line;
  const std::string text = parse(line, {"net", "add", "--help"}).text;
  EXPECT_NE(text.find("Usage: ipnctl net add [OPTIONS] NAME"), std::string::npos) << text;
  EXPECT_NE(text.find("ipnctl net add backup --lossless"), std::string::npos) << text;
}

TEST(CommandLine, KeepsEveryHelpWithin80Columns) {
  const std::initializer_list<std::initializer_list<const char*>> verbs{{"--help"},
                                                                        {"net", "--help"},
                                                                        {"net", "add", "-h"},
                                                                        {"net", "list", "-h"},
                                                                        {"net", "show", "-h"},
                                                                        {"net", "set", "-h"},
                                                                        {"net", "del", "-h"},
                                                                        {"node", "-h"},
                                                                        {"node", "list", "-h"},
                                                                        {"node", "show", "-h"},
                                                                        {"node", "set", "-h"},
                                                                        {"node", "kick", "-h"},
                                                                        {"stats", "-h"},
                                                                        {"version", "-h"},
                                                                        {"send", "-h"},
                                                                        {"recv", "-h"}};
  for (const auto& words : verbs) {
    CommandLine line;
    std::string text = parse(line, words).text;
    EXPECT_FALSE(text.empty());
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      EXPECT_LE(end, 80U) << text.substr(0, end);
      text.erase(0, end + 1);
    }
  }
}

TEST(CommandLine, TellsItsVersionWithoutADaemon) {
  CommandLine line;
  const auto outcome = parse(line, {"--version"});
  EXPECT_FALSE(outcome.action);
  EXPECT_EQ(outcome.text.substr(0, 7), "ipnctl ");
  EXPECT_NE(outcome.text.find("ABI 0."), std::string::npos);
}

}  // namespace
}  // namespace ipnctl
