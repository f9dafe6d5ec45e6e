// SPDX-License-Identifier: MIT
#include "ipnctl/errors.h"

#include <array>
#include <cerrno>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

namespace ipnctl {
namespace {

TEST(Errors, HaveObjectReasonAndRemedyInOneSentence) {
  EXPECT_EQ(sentence({"chat", EPERM, "you are not its owner", "ask root", false}),
            "chat: you are not its owner (ask root)");
  EXPECT_EQ(sentence({"chat", EPERM, "not yours", "", false}), "chat: not yours");
  EXPECT_EQ(sentence({"", EINVAL, "unknown option --foo", "see: ipnctl --help", false}),
            "unknown option --foo (see: ipnctl --help)");
}

TEST(Errors, TakeTheDaemonsExplanationApart) {
  const Failure failure =
      explained(EACCES, "chat: mode 0700 gives you nothing (ask alice (uid 7))", "object");
  EXPECT_EQ(failure.object, "chat");
  EXPECT_EQ(failure.code, EACCES);
  EXPECT_EQ(failure.reason, "mode 0700 gives you nothing");
  EXPECT_EQ(failure.remedy, "ask alice (uid 7)");
  EXPECT_FALSE(failure.is_usage);
}

TEST(Errors, SurviveExplanationsOfOtherForms) {
  EXPECT_EQ(sentence(explained(EPERM, "no", "chat")), "chat: no");
  EXPECT_EQ(sentence(explained(EPERM, "chat: closing ) only)", "x")), "chat: closing ) only)");
  EXPECT_EQ(sentence(explained(EPERM, "(all a remedy)", "chat")), "chat: (all a remedy)");
  EXPECT_EQ(sentence(explained(EPERM, "a:b: names may have colons", "x")),
            "a:b: names may have colons");
}

TEST(Errors, UseTheErrnoWithoutAnExplanation) {
  EXPECT_EQ(sentence(explained(ENOENT, "", "chat")), "chat: No such file or directory");
}

TEST(Errors, SuggestTheNetworkThatWasMeant) {
  const std::array<std::string, 3> visible{"backup", "chat", "lab"};
  EXPECT_EQ(sentence(no_network("chatt", "/dev/ipn", visible)),
            "chatt: no such network on /dev/ipn; did you mean \"chat\"? "
            "(make it: ipnctl net add chatt)");
  EXPECT_EQ(sentence(no_network("video", "/dev/ipn", visible)),
            "video: no such network on /dev/ipn (make it: ipnctl net add video)");
}

TEST(Errors, AreObjectsInJson) {
  const auto form = nlohmann::json::parse(error_json({"chat", ENOENT, "none", "make it", false}));
  EXPECT_EQ(form.size(), 1U);
  EXPECT_EQ(form["error"]["object"], "chat");
  EXPECT_EQ(form["error"]["errno"], ENOENT);
  EXPECT_EQ(form["error"]["reason"], "none");
  EXPECT_EQ(form["error"]["remedy"], "make it");
}

TEST(Errors, StayValidJsonForNamesThatAreNotUtf8) {
  const std::string text = error_json({"\xff\xfe", EINVAL, "bad", "", false});
  EXPECT_TRUE(nlohmann::json::accept(text)) << text;
}

TEST(Errors, PointToTheHelpOfTheVerb) {
  EXPECT_EQ(sentence(usage_failure("net add", "what")),
            "net add: what (see: ipnctl net add --help)");
  EXPECT_EQ(sentence(usage_failure("", "what")), "what (see: ipnctl --help)");
  EXPECT_TRUE(usage_failure("", "what").is_usage);
}

}  // namespace
}  // namespace ipnctl
