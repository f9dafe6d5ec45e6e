// SPDX-License-Identifier: MIT
#include "cuse_dev/identity.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace ipn::device {
namespace {

constexpr Caller kCaller{1000, 1001, 77};

const std::string kStatus =
    "Name:\tchat server\n"
    "Umask:\t0027\n"
    "State:\tS (sleeping)\n"
    "Tgid:\t4242\n"
    "Ngid:\t0\n"
    "Pid:\t77\n"
    "PPid:\t1\n"
    "Uid:\t5\t6\t7\t8\n"
    "Gid:\t5\t6\t7\t8\n"
    "FDSize:\t64\n"
    "Groups:\t4 24 27 1001 \n"
    "NStgid:\t4242\n";

std::vector<Gid> groups(std::initializer_list<std::uint32_t> values) {
  std::vector<Gid> result;
  for (const std::uint32_t value : values) result.push_back(Gid{value});
  return result;
}

TEST(Identity, ReadsProcessNameUmaskAndGroups) {
  const Credentials who = parse_status(kCaller, kStatus);
  EXPECT_EQ(who.pid, 4242U);
  EXPECT_EQ(who.program, "chat server");
  EXPECT_EQ(who.umask, 0027U);
  EXPECT_EQ(who.groups, groups({4, 24, 27, 1001}));
}

TEST(Identity, TakesUidAndGidFromTheRequestAndNotFromTheFile) {
  const Credentials who = parse_status(kCaller, kStatus);
  EXPECT_EQ(who.uid, Uid{1000});
  EXPECT_EQ(who.gid, Gid{1001});
}

TEST(Identity, OfAnInvisibleCallerIsTheLeast) {
  const Credentials who = parse_status(kCaller, "");
  EXPECT_EQ(who.uid, Uid{1000});
  EXPECT_EQ(who.gid, Gid{1001});
  EXPECT_EQ(who.pid, 0U);
  EXPECT_EQ(who.umask, 0077U);
  EXPECT_TRUE(who.groups.empty());
  EXPECT_EQ(who.program, "");
}

TEST(Identity, WithoutGroupsHasNone) {
  EXPECT_TRUE(parse_status(kCaller, "Groups:\t\n").groups.empty());
  EXPECT_TRUE(parse_status(kCaller, "Groups:\n").groups.empty());
  EXPECT_TRUE(parse_status(kCaller, "Groups: \n").groups.empty());
}

TEST(Identity, MissingFieldsHaveTheirSafeValue) {
  const Credentials who = parse_status(kCaller, "Name:\tx\nTgid:\t9\n");
  EXPECT_EQ(who.program, "x");
  EXPECT_EQ(who.pid, 9U);
  EXPECT_EQ(who.umask, 0077U) << "before Linux 4.7";
}

TEST(Identity, AFieldThatIsNoNumberHasItsSafeValue) {
  const Credentials who = parse_status(kCaller, "Umask:\tx\nTgid:\t-3\nGroups:\t5 six 7\n");
  EXPECT_EQ(who.umask, 0077U);
  EXPECT_EQ(who.pid, 0U);
  EXPECT_EQ(who.groups, groups({5}));
}

TEST(Identity, ALineThatIsCutCountsForNothing) {
  for (std::size_t length = 0; length < kStatus.size(); ++length) {
    const Credentials who = parse_status(kCaller, kStatus.substr(0, length));
    EXPECT_TRUE(who.pid == 0 || who.pid == 4242) << length;
    EXPECT_TRUE(who.umask == 0077 || who.umask == 0027) << length;
    EXPECT_TRUE(who.groups.empty() || who.groups.size() == 4) << length;
  }
}

TEST(Identity, ReadsLongListsOfGroups) {
  std::string status = "Groups:\t";
  for (std::uint32_t i = 0; i < 1000; ++i) status += std::to_string(100'000 + i) + " ";
  const Credentials who = parse_status(kCaller, status + "\nTgid:\t5\n");
  ASSERT_EQ(who.groups.size(), 1000U);
  EXPECT_EQ(who.groups.back(), Gid{100'999});
  EXPECT_EQ(who.pid, 5U);
}

TEST(Identity, ANameCannotPassForAnotherField) {
  // The kernel writes a newline in a name as \n, in two characters.
  const Credentials who = parse_status(kCaller, "Name:\tx\\nGroups:\t0\nGroups:\t8 \n");
  EXPECT_EQ(who.program, "x\\nGroups:?0");
  EXPECT_EQ(who.groups, groups({8}));
}

TEST(Identity, ANameIsPrintableWhateverItsProgramChose) {
  const Credentials who = parse_status(kCaller,
                                       "Name:\t\x1b[31mEV\x9b"
                                       "2J\n");
  EXPECT_EQ(who.program, "?[31mEV?2J");
}

TEST(Identity, AFieldWhoseNameOnlyBeginsAlikeIsAnother) {
  const Credentials who = parse_status(kCaller, "TgidX:\t1\nTgi:\t2\nTgid:\t3\n");
  EXPECT_EQ(who.pid, 3U);
}

TEST(Identity, OfThisProcessComesFromProc) {
  const mode_t before = umask(0123);
  const auto tid = static_cast<std::uint32_t>(syscall(SYS_gettid));
  const Credentials who = identify_by_proc({42, 43, tid});
  umask(before);
  EXPECT_EQ(who.uid, Uid{42});
  EXPECT_EQ(who.gid, Gid{43});
  EXPECT_EQ(who.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(who.umask, 0123U);
  std::array<char, 16> name{};
  prctl(PR_GET_NAME, name.data());
  EXPECT_EQ(who.program, name.data());
}

TEST(Identity, WithoutAThreadNothingIsLookedUp) {
  const Credentials who = identify_by_proc({42, 43, 0});
  EXPECT_EQ(who.uid, Uid{42});
  EXPECT_EQ(who.pid, 0U);
  EXPECT_EQ(who.umask, 0077U);
}

}  // namespace
}  // namespace ipn::device
