// SPDX-License-Identifier: MIT
#include "ipnd/plan.h"

#include <cerrno>
#include <gtest/gtest.h>

namespace ipn {
namespace {

using Kind = DoorPlan::Kind;

Environment root() {
  Environment environment;
  environment.is_root = true;
  environment.working_directory = "/work";
  return environment;
}

Environment user() {
  Environment environment;
  environment.uid = Uid{1000};
  environment.gid = Gid{1000};
  environment.runtime_directory = "/run/user/1000";
  environment.config_directory = "/home/u/.config";
  environment.working_directory = "/home/u";
  return environment;
}

Plan plan_of(const Options& options, const Environment& environment, DaemonSettings settings = {}) {
  Configuration configuration;
  configuration.daemon = std::move(settings);
  auto plan = make_plan(options, configuration, environment);
  EXPECT_TRUE(plan) << plan.error().text;
  return plan ? *plan : Plan{};
}

TEST(Plan, RootServesDevIpnAndKeepsItsFilesInRun) {
  const Plan plan = plan_of({}, root());
  ASSERT_EQ(plan.doors.size(), 1U);
  EXPECT_EQ(plan.doors[0].kind, Kind::kAuto);
  EXPECT_EQ(plan.doors[0].path, "/dev/ipn");
  EXPECT_EQ(plan.directory, "/run/ipn");
  EXPECT_EQ(plan.lock_path, "/run/ipn/ipn.lock");
  EXPECT_EQ(plan.state_path, "/run/ipn/ipn.state");
  EXPECT_EQ(plan.log_path, "/run/ipn/ipn.log");
}

TEST(Plan, ANameNamesTheDeviceAndTheFiles) {
  Options options;
  options.name = "ipn2";
  const Plan plan = plan_of(options, root());
  EXPECT_EQ(plan.doors[0].path, "/dev/ipn2");
  EXPECT_EQ(plan.lock_path, "/run/ipn/ipn2.lock");
}

TEST(Plan, AKindOfDeviceIsTaken) {
  Options options;
  options.device = "cuse";
  EXPECT_EQ(plan_of(options, root()).doors[0].kind, Kind::kCuse);
  options.device = "fuse";
  const Plan plan = plan_of(options, root());
  EXPECT_EQ(plan.doors[0].kind, Kind::kFile);
  EXPECT_EQ(plan.doors[0].path, "/dev/ipn");
}

TEST(Plan, WithoutRootTheFileIsInTheRuntimeDirectoryWithItsFilesBeside) {
  const Plan plan = plan_of({}, user());
  ASSERT_EQ(plan.doors.size(), 1U);
  EXPECT_EQ(plan.doors[0].kind, Kind::kFile);
  EXPECT_EQ(plan.doors[0].path, "/run/user/1000/ipn");
  EXPECT_EQ(plan.lock_path, "/run/user/1000/ipn.lock");
  EXPECT_TRUE(plan.directory.empty());
  EXPECT_EQ(plan.access.mode, 0600U);
  EXPECT_EQ(plan.access.owner, Uid{1000});
}

TEST(Plan, WithoutRootAndRuntimeDirectoryThereIsNothingToServe) {
  Environment environment = user();
  environment.runtime_directory.clear();
  const auto plan = make_plan({}, {}, environment);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ENOENT);
  EXPECT_NE(plan.error().text.find("XDG_RUNTIME_DIR: not set"), std::string::npos);
  EXPECT_NE(plan.error().text.find("--path FILE"), std::string::npos);
}

TEST(Plan, OnlyRootMayAskForCuse) {
  Options options;
  options.device = "cuse";
  const auto plan = make_plan(options, {}, user());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, EPERM);
}

TEST(Plan, PathsAloneAreAPrivateInstance) {
  Options options;
  options.paths = {"a/../b", "/c"};
  const Plan plan = plan_of(options, root());
  ASSERT_EQ(plan.doors.size(), 2U);
  EXPECT_EQ(plan.doors[0].path, "/work/b");
  EXPECT_EQ(plan.doors[1].path, "/c");
  EXPECT_EQ(plan.doors[1].kind, Kind::kFile);
  EXPECT_EQ(plan.lock_path, "/work/b.lock");
  EXPECT_EQ(plan.state_path, "/work/b.state");
  EXPECT_TRUE(plan.directory.empty());
  EXPECT_TRUE(is_private(options));
  EXPECT_TRUE(configuration_source(options, root()).directory.empty());
}

TEST(Plan, PathsWithCuseOrANameComeBesideTheDevice) {
  Options options;
  options.paths = {"/f"};
  options.device = "cuse";
  Plan plan = plan_of(options, root());
  ASSERT_EQ(plan.doors.size(), 2U);
  EXPECT_EQ(plan.doors[0].kind, Kind::kCuse);
  EXPECT_EQ(plan.doors[1].path, "/f");
  EXPECT_EQ(plan.lock_path, "/run/ipn/ipn.lock");

  options.device.reset();
  options.name = "x";
  plan = plan_of(options, root());
  ASSERT_EQ(plan.doors.size(), 2U);
  EXPECT_EQ(plan.doors[0].path, "/dev/x");
}

TEST(Plan, TheSystemsConfigurationDoesNotReachAPrivateInstance) {
  Options options;
  options.paths = {"/f"};
  DaemonSettings settings;
  settings.name = "system";
  settings.paths = {"/g"};
  const Plan plan = plan_of(options, root(), settings);
  ASSERT_EQ(plan.doors.size(), 1U);
  EXPECT_EQ(plan.doors[0].path, "/f");
}

TEST(Plan, TheConfigurationSaysWhatTheCommandLineLeavesOpen) {
  DaemonSettings settings;
  settings.name = "system";
  settings.device = "fuse";
  settings.paths = {"/g"};
  settings.mode = 0666;
  settings.group = Gid{5};
  settings.log_level = "error";
  settings.major = 9;
  Options options;
  options.mode = 0640;
  const Plan plan = plan_of(options, root(), settings);
  ASSERT_EQ(plan.doors.size(), 2U);
  EXPECT_EQ(plan.doors[0].path, "/dev/system");
  EXPECT_EQ(plan.doors[0].kind, Kind::kFile);
  EXPECT_EQ(plan.access.mode, 0640U);
  EXPECT_EQ(plan.access.group, Gid{5});
  EXPECT_TRUE(plan.access.told);
  EXPECT_EQ(plan.log_level, "error");
  EXPECT_FALSE(plan.log_level_told);
  EXPECT_EQ(plan.major, 9U);
}

TEST(Plan, AGroupMeansThatItsMembersMayOpen) {
  Options options;
  options.group = "12";
  const Plan plan = plan_of(options, user());
  EXPECT_EQ(plan.access.mode, 0660U);
  EXPECT_EQ(plan.access.group, Gid{12});
}

TEST(Plan, RefusesAnUnknownGroupAndAPathTwice) {
  Options options;
  options.group = "no-such-group";
  EXPECT_FALSE(make_plan(options, {}, root()));
  options.group.reset();
  options.paths = {"/a", "/b/../a"};
  const auto plan = make_plan(options, {}, root());
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().text.find("/a: given twice"), std::string::npos);
}

TEST(Plan, TheConfigurationComesFromWhereTheUserKeepsIt) {
  EXPECT_EQ(configuration_source({}, root()).directory, "/etc/ipn");
  EXPECT_EQ(configuration_source({}, user()).directory, "/home/u/.config/ipn");
  Options options;
  options.config = "c.toml";
  EXPECT_EQ(configuration_source(options, user()).file, "/home/u/c.toml");
  EXPECT_TRUE(configuration_source(options, user()).directory.empty());
}

TEST(Plan, DescribesItself) {
  Configuration configuration;
  NetworkConfig network;
  network.name = "chat";
  configuration.networks.push_back(network);
  const std::string text = describe(plan_of({}, root()), configuration, {});
  for (const char* part : {"/dev/ipn", "CUSE", "/run/ipn/ipn.lock", "network chat", "limits: 64"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

}  // namespace
}  // namespace ipn
