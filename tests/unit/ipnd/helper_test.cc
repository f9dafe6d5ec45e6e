// SPDX-License-Identifier: MIT
#include "ipnd/helper.h"

#include <cerrno>
#include <filesystem>
#include <gtest/gtest.h>
#include <optional>

#include "ipnd/file_text.h"
#include "switchcore/policy/broadcast.h"
#include "tests/unit/ipnd/temporary_directory.h"

namespace ipn {
namespace {

/// A helper for one FUSE file and one character device, neither of which it is
/// asked to serve here.
class HelperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    task_.plan.doors = {{DoorPlan::Kind::kFile, directory_ / "file"},
                        {DoorPlan::Kind::kCuse, directory_ / "device"}};
    task_.plan.state_path = directory_ / "state";
    task_.source.file = directory_ / "ipnd.toml";
    task_.rules.policies = {broadcast_policy()};
    auto lock = InstanceLock::acquire(lock_path_, "d", "r");
    ASSERT_TRUE(lock);
    lock_.emplace(std::move(*lock));
    auto helper = Helper::start(task_, *lock_);
    ASSERT_TRUE(helper) << helper.error().text;
    helper_ = std::move(*helper);
  }

  const TemporaryDirectory directory_;
  const std::string lock_path_ = directory_ / "lock";
  HelperTask task_;
  std::optional<InstanceLock> lock_;
  std::unique_ptr<Helper> helper_;
};

TEST_F(HelperTest, DoesNothingThatWasNotPlanned) {
  const auto refused = [this](HelperCall call, std::uint32_t door) {
    const auto done = helper_->call(call, door);
    return done ? 0 : done.error().code;
  };
  EXPECT_EQ(refused(HelperCall::kMount, 2), EINVAL);
  EXPECT_EQ(refused(HelperCall::kMount, 0xffffffff), EINVAL);
  EXPECT_EQ(refused(HelperCall::kOpenCuse, 0), EPERM);
  EXPECT_EQ(refused(HelperCall::kSetMode, 0), EPERM);
  EXPECT_EQ(refused(HelperCall::kWaitUdev, 0), EPERM);
  EXPECT_EQ(refused(HelperCall::kMount, 1), EPERM);
  EXPECT_EQ(refused(HelperCall{}, 0), EINVAL);
  EXPECT_EQ(refused(static_cast<HelperCall>(99), 0), EINVAL);
  EXPECT_EQ(refused(HelperCall::kStat, 0), ENOENT);
  EXPECT_TRUE(std::filesystem::exists(lock_path_));
}

TEST_F(HelperTest, AStateWithoutMemoryIsNoState) {
  directory_.write("state", "old");
  EXPECT_FALSE(helper_->call(HelperCall::kSaveState, 0));
  EXPECT_EQ(*read_text(directory_ / "state", 64), "old");
}

TEST_F(HelperTest, ReadsTheConfigurationOrNamesTheMistake) {
  directory_.write("ipnd.toml", "[limits]\nnodes = 7");
  auto good = helper_->call(HelperCall::kReload, 0);
  ASSERT_TRUE(good) << good.error().text;
  const auto text = read_text(good->get(), "memory", 1 << 20);
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("\"nodes_per_uid\":7"), std::string::npos) << *text;

  directory_.write("ipnd.toml", "a = 1\nb = 1");
  const auto bad = helper_->call(HelperCall::kReload, 0);
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().text.starts_with(directory_ / "ipnd.toml:1:1: unknown key \"a\""))
      << bad.error().text;
  EXPECT_TRUE(bad.error().text.ends_with("(and 1 more: ipnd --check)")) << bad.error().text;
}

TEST_F(HelperTest, CleansUpAndGoesWithTheLoop) {
  helper_.reset();
  EXPECT_FALSE(std::filesystem::exists(lock_path_));
}

}  // namespace
}  // namespace ipn
