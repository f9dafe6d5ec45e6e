// SPDX-License-Identifier: MIT
#include "bench/team.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

/// Says in each run that it received seven.
Member counting_member() {
  Member member;
  member.work = [](std::vector<Desk>& desks) -> Result<void> {
    Seen seen;
    desks[0].ready();
    while (desks[0].next_run()) {
      seen.deliveries += 7;
      desks[0].note(seen);
      desks[0].rest();
    }
    return {};
  };
  return member;
}

Member member_that(std::function<Result<void>(std::vector<Desk>&)> work) {
  Member member;
  member.work = std::move(work);
  return member;
}

TEST(Team, SumsWhatItsMembersDidInEachRun) {
  auto team = Team::start("counters", {counting_member(), counting_member()});
  ASSERT_TRUE(team) << team.error().text;
  EXPECT_EQ(team->pids().size(), 2u);
  for (int i = 0; i < 3; i++) {
    const auto run = team->run(milliseconds(1));
    ASSERT_TRUE(run) << run.error().text;
    EXPECT_EQ(run->seen.deliveries, 14u);
    EXPECT_GT(run->wall.count(), 0);
  }
}

TEST(Team, EndsItsProcesses) {
  std::vector<pid_t> pids;
  {
    Member servant = member_that([](std::vector<Desk>& desks) -> Result<void> {
      desks[0].ready();
      for (;;) pause();
    });
    servant.serves = true;
    auto team = Team::start("two", {std::move(servant), counting_member()});
    ASSERT_TRUE(team) << team.error().text;
    pids = team->pids();
    ASSERT_TRUE(team->run(milliseconds(1)));
  }
  for (const pid_t pid : pids) EXPECT_EQ(kill(pid, 0), -1) << pid;
}

TEST(Team, TellsWhyAMemberCouldNotStart) {
  const auto team = Team::start("openers", {member_that([](std::vector<Desk>&) -> Result<void> {
                                  return Failure{"/nowhere: no such device"};
                                })});
  ASSERT_FALSE(team);
  EXPECT_EQ(team.error().text, "openers: /nowhere: no such device");
}

TEST(Team, TellsThatAMemberDied) {
  const auto team = Team::start("mortals", {member_that([](std::vector<Desk>&) -> Result<void> {
                                  raise(SIGKILL);
                                  return {};
                                })});
  ASSERT_FALSE(team);
  EXPECT_EQ(team.error().text, "mortals: one of its processes was killed by signal 9");
}

TEST(Team, TellsWhyARunFailed) {
  auto team = Team::start("runners", {member_that([](std::vector<Desk>& desks) -> Result<void> {
                            desks[0].ready();
                            desks[0].next_run();
                            return Failure{"the line is cut"};
                          })});
  ASSERT_TRUE(team) << team.error().text;
  const auto run = team->run(milliseconds(1));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().text, "runners: the line is cut");
}

}  // namespace
}  // namespace ipn_bench
