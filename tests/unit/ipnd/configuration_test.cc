// SPDX-License-Identifier: MIT
#include "ipnd/configuration.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "switchcore/policy/broadcast.h"
#include "tests/unit/ipnd/temporary_directory.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

ConfigurationRules rules() { return {{broadcast_policy()}, 027, Uid{1}, Gid{2}}; }

LoadedConfiguration read(std::string_view text) {
  LoadedConfiguration loaded;
  read_toml(text, "f.toml", rules(), loaded);
  return loaded;
}

TEST(Configuration, AnEmptyFileChangesNothing) {
  const LoadedConfiguration loaded = read("");
  EXPECT_TRUE(loaded.errors.empty());
  EXPECT_EQ(loaded.configuration.limits.networks_per_uid, Limits{}.networks_per_uid);
  EXPECT_TRUE(loaded.configuration.networks.empty());
  EXPECT_FALSE(loaded.configuration.daemon.name);
}

TEST(Configuration, TakesEveryKeyOfTheDaemon) {
  const auto loaded = read(R"(
    [daemon]
    name = "ipn2"
    device = "cuse"
    path = ["/a", "/b"]
    group = 7
    mode = 0o640
    major = 42
    log_level = "warning"
  )");
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  const DaemonSettings& daemon = loaded.configuration.daemon;
  EXPECT_EQ(daemon.name, "ipn2");
  EXPECT_EQ(daemon.device, "cuse");
  EXPECT_EQ(daemon.paths, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(daemon.group, Gid{7});
  EXPECT_EQ(daemon.mode, 0640U);
  EXPECT_EQ(daemon.major, 42U);
  EXPECT_EQ(daemon.log_level, "warning");
}

TEST(Configuration, TakesEveryLimit) {
  const auto loaded = read(R"(
    [limits]
    networks = 1
    nodes = 2
    log_bytes = "3 MiB"
    parked_bytes = 4096
    open_files = 5
    half_open_attaches = 6
  )");
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  const Limits& limits = loaded.configuration.limits;
  EXPECT_EQ(limits.networks_per_uid, 1U);
  EXPECT_EQ(limits.nodes_per_uid, 2U);
  EXPECT_EQ(limits.log_bytes_per_uid, 3U << 20);
  EXPECT_EQ(limits.parked_bytes_per_node, 4096U);
  EXPECT_EQ(limits.open_nodes, 5U);
  EXPECT_EQ(limits.half_open_per_uid, 6U);
}

TEST(Configuration, TakesEveryKeyOfANetwork) {
  const auto loaded = read(R"(
    [[network]]
    name = "chat"
    policy = "broadcast"
    lossless = true
    mtu = 9000
    nodes = 64
    pool = 128
    mode = "0770"
    owner = "root"
    group = 3
    deadline = 2.5
    log_bytes = 1048576
    confidential = true
  )");
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  ASSERT_EQ(loaded.configuration.networks.size(), 1U);
  const NetworkConfig& network = loaded.configuration.networks.front();
  EXPECT_EQ(network.name, "chat");
  EXPECT_EQ(network.policy, static_cast<unsigned>(IPN_BROADCAST));
  EXPECT_EQ(network.flags, IPN_NET_PERSISTENT | IPN_NET_LOSSLESS | IPN_NET_CONFIDENTIAL);
  EXPECT_EQ(network.mtu, 9000U);
  EXPECT_EQ(network.ports, 64U);
  EXPECT_EQ(network.pool, 128U);
  EXPECT_EQ(network.mode, 0770U);
  EXPECT_EQ(network.owner, Uid{0});
  EXPECT_EQ(network.group, Gid{3});
  EXPECT_EQ(network.deadline_ms, 2500U);
  EXPECT_EQ(network.log_bytes, 1048576U);
}

TEST(Configuration, ANetworkNeedsOnlyAName) {
  const auto loaded = read("[[network]]\nname = \"a\"\n[[network]]\nname = \"b\"\nlossless = true");
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  const auto& networks = loaded.configuration.networks;
  EXPECT_EQ(networks[0].policy, static_cast<unsigned>(IPN_BROADCAST));
  EXPECT_EQ(networks[0].flags, IPN_NET_PERSISTENT);
  EXPECT_EQ(networks[0].mode, 0750U);
  EXPECT_EQ(networks[0].owner, Uid{1});
  EXPECT_EQ(networks[0].group, Gid{2});
  EXPECT_EQ(networks[0].deadline_ms, 0U);
  EXPECT_EQ(networks[1].deadline_ms, kDefaultDeadlineMs);
}

struct Mistake {
  const char* text;
  const char* place;
  const char* says;
};

TEST(Configuration, TellsThePlaceOfAMistakeAndWhatIsAllowed) {
  const std::vector<Mistake> mistakes = {
      {"colour = 1", "1:1",
       "unknown key \"colour\" in the file (allowed: daemon, limits, network)"},
      {"[daemon]\n  nme = 1", "2:3", "unknown key \"nme\" in [daemon] (allowed: name,"},
      {"[limits]\nfoo = 1", "2:1", "unknown key \"foo\" in [limits]"},
      {"[[network]]\nname = \"a\"\nmtuu = 1", "3:1", "unknown key \"mtuu\" in [[network]]"},
      {"daemon = 3", "1:10", "daemon must be a table"},
      {"[network]\nname = \"a\"", "1:1", "network must be tables, each headed [[network]]"},
      {"[daemon]\nname = \"a/b\"", "2:8", "name must be a name below /dev"},
      {"[daemon]\nname = 3", "2:8", "name must be"},
      {"[daemon]\ndevice = \"usb\"", "2:10", "one of auto, cuse, fuse"},
      {"[daemon]\npath = \"relative\"", "2:8", "path must be the full name of a file"},
      {"[daemon]\npath = [\"/a\", 3]", "2:8", "path must be the full name of a file"},
      {"[daemon]\nmode = 660", "2:8", "octal, 0o660 or \"0660\""},
      {"[daemon]\nmode = 0o1777", "2:8", "octal"},
      {"[daemon]\ngroup = \"no-such-group\"", "2:9", "group \"no-such-group\" is not known here"},
      {"[daemon]\ngroup = -1", "2:9", "group must be a name or a number"},
      {"[daemon]\nmajor = 4096", "2:9", "a number from 0 to 4095"},
      {"[daemon]\nlog_level = \"loud\"", "2:13", "one of debug, info, warning, error, off"},
      {"[limits]\nnodes = true", "2:9", "nodes must be a number from 0 to"},
      {"[limits]\nopen_files = 0", "2:14", "open_files must be a number from 1 to"},
      {"[limits]\nlog_bytes = \"5 Q\"", "2:13", "log_bytes must be bytes from 0"},
      {"[limits]\nlog_bytes = -1", "2:13", "log_bytes must be bytes from 0"},
      {"[[network]]\nmtu = 3", "1:1", "[[network]] has no name"},
      {"[[network]]\nname = \"a b\"", "2:8", "name must be 1 to 107 of"},
      {"[[network]]\nname = \"a\"\n[[network]]\nname = \"a\"", "4:8", "\"a\" is there already"},
      {"[[network]]\nname = \"a\"\npolicy = \"hub\"", "3:10", "one that this ipnd has: broadcast"},
      {"[[network]]\nname = \"a\"\npolicy = 2", "3:10", "one that this ipnd has: broadcast"},
      {"[[network]]\nname = \"a\"\nlossless = 1", "3:12", "lossless must be true or false"},
      {"[[network]]\nname = \"a\"\nmtu = 65537", "3:7", "mtu must be a number from 1 to 65536"},
      {"[[network]]\nname = \"a\"\npool = 0", "3:8", "pool must be a number from 1 to 65535"},
      {"[[network]]\nname = \"a\"\nnodes = 1.5", "3:9", "nodes must be a number from 1 to 65535"},
      {"[[network]]\nname = \"a\"\nowner = true", "3:9", "owner must be a name or a number"},
      {"[[network]]\nname = \"a\"\ndeadline = -1", "3:12", "deadline must be seconds from 0"},
      {"[[network]]\nname = \"a\"\nlog_bytes = \"2G\"", "3:13", "log_bytes must be bytes from 0"},
      {"[daemon\n", "1:8", ""},
      {"a = 1\na = 2", "2:5", ""},
  };
  for (const Mistake& mistake : mistakes) {
    const auto loaded = read(mistake.text);
    ASSERT_EQ(loaded.errors.size(), 1U) << mistake.text;
    const std::string& error = loaded.errors.front();
    EXPECT_TRUE(error.starts_with(std::string("f.toml:") + mistake.place + ": ")) << error;
    EXPECT_NE(error.find(mistake.says), std::string::npos) << error;
  }
}

TEST(Configuration, TellsAllMistakesAtOnce) {
  EXPECT_EQ(read("a = 1\nb = 2\n[daemon]\nmode = 1").errors.size(), 3U);
}

TEST(Configuration, ReadsTheFileThenTheDirectoryInOrder) {
  const TemporaryDirectory directory;
  directory.write("ipnd.toml",
                  "[daemon]\nname = \"one\"\nmode = 0o600\n[[network]]\nname = \"n1\"");
  directory.write("ipnd.d/20.toml", "[daemon]\nname = \"three\"");
  directory.write("ipnd.d/10.toml", "[daemon]\nname = \"two\"\n[[network]]\nname = \"n2\"");
  directory.write("ipnd.d/ignored.toml~", "nonsense");
  const auto loaded = load_configuration({"", directory / ""}, rules());
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  EXPECT_EQ(loaded.configuration.files.size(), 3U);
  EXPECT_EQ(loaded.configuration.daemon.name, "three");
  EXPECT_EQ(loaded.configuration.daemon.mode, 0600U);
  ASSERT_EQ(loaded.configuration.networks.size(), 2U);
  EXPECT_EQ(loaded.configuration.networks[1].name, "n2");
}

TEST(Configuration, ADirectoryMayBeMissingButANamedFileMayNot) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(load_configuration({"", directory / "none"}, rules()).errors.empty());
  EXPECT_TRUE(load_configuration({"", ""}, rules()).errors.empty());
  const auto loaded = load_configuration({directory / "none.toml", ""}, rules());
  ASSERT_EQ(loaded.errors.size(), 1U);
  EXPECT_EQ(loaded.errors.front(), (directory / "none.toml") + ": no such file or directory");
}

TEST(Configuration, ANetworkOfTwoFilesIsAMistakeOfTheSecond) {
  const TemporaryDirectory directory;
  directory.write("ipnd.toml", "[[network]]\nname = \"n\"");
  const std::string second = directory.write("ipnd.d/a.toml", "\n[[network]]\nname = \"n\"");
  const auto loaded = load_configuration({"", directory / ""}, rules());
  ASSERT_EQ(loaded.errors.size(), 1U);
  EXPECT_TRUE(loaded.errors.front().starts_with(second + ":3:8: ")) << loaded.errors.front();
}

std::string example() {
  const auto root = std::filesystem::path(__FILE__).parent_path() / "../../..";
  std::ifstream file(root / "packaging/ipnd.toml");
  EXPECT_TRUE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Configuration, TheExampleChangesNothing) {
  const auto loaded = read(example());
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  EXPECT_TRUE(loaded.configuration.networks.empty());
  EXPECT_FALSE(loaded.configuration.daemon.name);
}

TEST(Configuration, WhatTheExampleCommentsIsGoodAndTheDefault) {
  std::string text = std::regex_replace(example(), std::regex("(^|\n)#(?=[a-z[])"), "$1");
  // Not every machine has that group.
  text = std::regex_replace(text, std::regex("group = \"ipn\""), "group = \"root\"");
  const auto loaded = read(text);
  ASSERT_TRUE(loaded.errors.empty()) << loaded.errors.front();
  const Configuration& configuration = loaded.configuration;
  EXPECT_EQ(configuration.daemon.name, "ipn");
  EXPECT_EQ(configuration.daemon.mode, 0660U);
  EXPECT_EQ(configuration.daemon.log_level, "info");
  const Limits defaults;
  EXPECT_EQ(configuration.limits.networks_per_uid, defaults.networks_per_uid);
  EXPECT_EQ(configuration.limits.nodes_per_uid, defaults.nodes_per_uid);
  EXPECT_EQ(configuration.limits.log_bytes_per_uid, defaults.log_bytes_per_uid);
  EXPECT_EQ(configuration.limits.parked_bytes_per_node, defaults.parked_bytes_per_node);
  EXPECT_EQ(configuration.limits.open_nodes, defaults.open_nodes);
  ASSERT_EQ(configuration.networks.size(), 1U);
  const NetworkConfig& network = configuration.networks.front();
  const NetworkConfig standard;
  EXPECT_EQ(network.flags, IPN_NET_PERSISTENT);
  EXPECT_EQ(network.mtu, standard.mtu);
  EXPECT_EQ(network.ports, standard.ports);
  EXPECT_EQ(network.pool, standard.pool);
  EXPECT_EQ(network.log_bytes, standard.log_bytes);
  EXPECT_EQ(network.deadline_ms, kDefaultDeadlineMs);
}

}  // namespace
}  // namespace ipn
