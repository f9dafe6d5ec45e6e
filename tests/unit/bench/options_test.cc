// SPDX-License-Identifier: MIT
#include "bench/options.h"

#include <gtest/gtest.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

CommandLine parse(std::vector<const char*> words) {
  words.insert(words.begin(), "ipn-bench");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST(CommandLine, MeasuresFivePairsOfTwoSecondsUnlessTold) {
  const auto line = parse({"device"});
  ASSERT_TRUE(line.run) << line.text;
  ASSERT_EQ(line.options.works.size(), 1u);
  EXPECT_EQ(line.options.works[0].name, "device");
  EXPECT_TRUE(line.options.sizes.empty());
  EXPECT_EQ(line.options.method.pairs, 5u);
  EXPECT_EQ(line.options.method.run, milliseconds(2000));
  EXPECT_EQ(line.options.method.warm_up, milliseconds(500));
  EXPECT_FALSE(line.options.json);
  EXPECT_FALSE(line.options.progress);
  EXPECT_FALSE(line.options.device.has_value());
  EXPECT_FALSE(line.options.null_device.has_value());
}

TEST(CommandLine, TakesItsOptions) {
  const auto line = parse({"device", "--size", "1500", "--seconds", "0.25", "--runs", "3",
                           "--warm-up", "0.1", "--json", "--progress", "--device", "/dev/ipn",
                           "--device-pid", "7", "--null-device", "/n", "--null-pid", "8"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.sizes, std::vector<std::size_t>{1500});
  EXPECT_EQ(line.options.method.run, milliseconds(250));
  EXPECT_EQ(line.options.method.pairs, 3u);
  EXPECT_EQ(line.options.method.warm_up, milliseconds(100));
  EXPECT_TRUE(line.options.json);
  EXPECT_TRUE(line.options.progress);
  EXPECT_EQ(line.options.device, "/dev/ipn");
  EXPECT_EQ(line.options.device_pid, 7);
  EXPECT_EQ(line.options.null_device, "/n");
  EXPECT_EQ(line.options.null_pid, 8);
}

TEST(CommandLine, TakesListsAsOneWordOrRepeated) {
  const auto line = parse({"p2p", "--size", "64,1500", "--size", "65536", "--receivers", "1,16",
                           "--door", "fast,device", "--peer", "ring,vde"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.sizes, (std::vector<std::size_t>{64, 1500, 65536}));
  EXPECT_EQ(line.options.receivers, (std::vector<unsigned>{1, 16}));
  EXPECT_EQ(line.options.doors, (std::vector<Door>{Door::kFast, Door::kDevice}));
  EXPECT_TRUE(wants_peer(line.options, "vde"));
  EXPECT_FALSE(wants_peer(line.options, "zeromq"));
}

TEST(CommandLine, MeasuresTheFastDoorLosslessInBothModesAgainstAllUnlessTold) {
  const auto line = parse({"p2p"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.doors, std::vector<Door>{Door::kFast});
  EXPECT_EQ(line.options.lossless, std::vector<bool>{true});
  EXPECT_EQ(line.options.modes, (std::vector<Mode>{Mode::kInPlace, Mode::kCopy}));
  EXPECT_TRUE(line.options.spins.empty());
  EXPECT_EQ(line.options.pool, 4096u);
  EXPECT_TRUE(wants_peer(line.options, "zeromq"));
}

TEST(CommandLine, FlagsChooseAmongVariants) {
  const auto line = parse({"p2p", "--lossy", "--copy", "--busy", "--no-spin"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.lossless, std::vector<bool>{false});
  EXPECT_EQ(line.options.modes, std::vector<Mode>{Mode::kCopy});
  EXPECT_EQ(line.options.spins, (std::vector<Spin>{Spin::kNever, Spin::kBusy}));
}

TEST(CommandLine, ListsTheSystemsIfOneIsUnknown) {
  EXPECT_EQ(parse({"p2p", "--peer", "pigeon"}).text,
            "--peer: pigeon: no such system; there is: ring, unix-dgram, unix-seqpacket, "
            "udp-multicast, vde, iceoryx, zeromq (see: ipn-bench --help)");
}

TEST(CommandLine, AllIsEveryWork) {
  const auto line = parse({"all"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.works.size(), all_works().size());
}

TEST(CommandLine, RefusesAnUnknownWorkAndListsWhatThereIs) {
  const auto line = parse({"fan"});
  EXPECT_FALSE(line.run);
  EXPECT_EQ(line.status, 2);
  EXPECT_EQ(line.text,
            "fan: no such work; there is: device, p2p, fanout, mesh, pingpong, idle, scale, all "
            "(see: ipn-bench --help)");
}

TEST(CommandLine, AsksForAWork) {
  const auto line = parse({});
  EXPECT_EQ(line.status, 2);
  EXPECT_EQ(line.text,
            "no work was named; there is: device, p2p, fanout, mesh, pingpong, idle, scale, all "
            "(see: ipn-bench --help)");
}

TEST(CommandLine, RefusesValuesOutOfRange) {
  const std::vector<std::vector<const char*>> wrong{
      {"device", "--size", "0"},
      {"device", "--size", "65537"},
      {"device", "--size", "-1"},
      {"device", "--size", "many"},
      {"device", "--seconds", "0"},
      {"device", "--seconds", "nan"},
      {"device", "--runs", "0"},
      {"device", "--warm-up", "-1"},
      {"device", "--seconds"},
      {"device", "--unknown"},
      {"device", "--device-pid", "1"},
      {"device", "--null-pid", "1"},
      {"device", "--device", "/d", "--device-pid", "0"},
      {"p2p", "--device", "/d"},
      {"p2p", "--receivers", "0"},
      {"p2p", "--senders", "65"},
      {"p2p", "--pool", "65536"},
      {"p2p", "--door", "back"},
      {"p2p", "--peer", "pigeon"},
      {"p2p", "--nodes", "-1"},
      {"p2p", "--svg"},
      {"device", "device"}};
  for (const auto& words : wrong) {
    const auto line = parse(words);
    EXPECT_FALSE(line.run) << words.back();
    EXPECT_EQ(line.status, 2) << words.back();
    EXPECT_NE(line.text, "") << words.back();
  }
}

TEST(CommandLine, PrintsHelpAndVersionWithSuccess) {
  for (const char* word : {"--help", "--version"}) {
    const auto line = parse({word});
    EXPECT_FALSE(line.run);
    EXPECT_EQ(line.status, 0);
    EXPECT_NE(line.text.find("ipn-bench"), std::string::npos);
  }
}

}  // namespace
}  // namespace ipn_bench
