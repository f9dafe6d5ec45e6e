// SPDX-License-Identifier: MIT
#include "switchcore/policy/broadcast.h"

#include <cerrno>
#include <gtest/gtest.h>

#include <ipn/ioctl.h>

namespace ipn {
namespace {

TEST(Broadcast, IsPolicyOne) {
  EXPECT_EQ(broadcast_policy().number, static_cast<unsigned>(IPN_BROADCAST));
  EXPECT_EQ(broadcast_policy().number, static_cast<unsigned>(IPN_HUB));
  EXPECT_EQ(broadcast_policy().name, "broadcast");
}

TEST(Broadcast, LooksAtNoByteAndSendsToAll) {
  const auto policy = broadcast_policy().make();
  EXPECT_EQ(policy->window(), 0u);
  EXPECT_TRUE(policy->sends_to_all());
  EXPECT_EQ(policy->timer_period(), 0);
  const Verdict verdict = policy->decide(Port{3}, {}, {0, 10, 0});
  EXPECT_EQ(verdict.action, Verdict::Action::kDeliver);
  EXPECT_TRUE(verdict.to.is_all());
  EXPECT_FALSE(verdict.include_self);
  EXPECT_FALSE(verdict.truncate);
}

TEST(Broadcast, RefusesAMessageForSomebodyInParticular) {
  const auto policy = broadcast_policy().make();
  const Verdict verdict = policy->decide(Port{3}, {}, {42, 10, 0});
  EXPECT_EQ(verdict.action, Verdict::Action::kRefuse);
  EXPECT_EQ(verdict.error, EOPNOTSUPP);
}

TEST(Broadcast, HasNeitherOptionsNorCommandsOfItsOwn) {
  const auto policy = broadcast_policy().make();
  EXPECT_EQ(policy->set_option(Port{0}, 1, {}).error().code, EOPNOTSUPP);
  EXPECT_EQ(policy->get_option(Port{0}, 1, {}).error().code, EOPNOTSUPP);
  EXPECT_EQ(policy->command(Port{0}, 0x80, {}).error().code, EOPNOTSUPP);
}

}  // namespace
}  // namespace ipn
