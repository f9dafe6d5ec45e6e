// SPDX-License-Identifier: MIT
#include "cuse_dev/errors.h"

#include <algorithm>
#include <cerrno>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

namespace ipn::device {
namespace {

ipn_explain explained(const LastError& error) {
  ipn_explain answer{};
  // Whatever was in the buffer before must not come through.
  std::fill(std::begin(answer.text), std::end(answer.text), '#');
  error.explain(answer);
  return answer;
}

TEST(LastError, IsNothingAtFirst) {
  const ipn_explain answer = explained(LastError{});
  EXPECT_EQ(answer.error, 0);
  EXPECT_EQ(answer.nr, 0U);
  EXPECT_STREQ(answer.text, "");
}

TEST(LastError, RepeatsTheWordsOfTheCore) {
  LastError error;
  EXPECT_EQ(error.set(2, Error{ENOENT, "chat: no such network (make it)"}), ENOENT);
  const ipn_explain answer = explained(error);
  EXPECT_EQ(answer.error, ENOENT);
  EXPECT_EQ(answer.nr, 2U);
  EXPECT_STREQ(answer.text, "chat: no such network (make it)");
}

TEST(LastError, HasWordsForEveryErrnoOfTheMessagePath) {
  for (const int code : {EAGAIN, EMSGSIZE, ENOTCONN, EPIPE, ECONNRESET, ENOBUFS, EOPNOTSUPP, EINVAL,
                         EINTR, ENOTTY, E2BIG, ETIMEDOUT, EIO}) {
    LastError error;
    EXPECT_EQ(error.set(kCallRead, code), code);
    const std::string text = explained(error).text;
    EXPECT_EQ(text.rfind("this open file: ", 0), 0U) << text;
    EXPECT_NE(text.find('('), std::string::npos) << "no remedy: " << text;
    EXPECT_EQ(text.back(), ')') << "cut: " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

TEST(LastError, HasSomethingToSayAboutAnyOtherErrno) {
  LastError error;
  EXPECT_EQ(error.set(kCallWrite, ENOSPC), ENOSPC);
  EXPECT_GT(std::string(explained(error).text).size(), 20U);
}

TEST(LastError, OfAFullNetworkIsEagain) {
  LastError error;
  SendOutcome sent;
  sent.kind = SendOutcome::Kind::kWouldBlock;
  EXPECT_EQ(error.set(kCallWrite, sent), EAGAIN);
  RecvOutcome received;
  received.kind = RecvOutcome::Kind::kWouldBlock;
  EXPECT_EQ(error.set(kCallRead, received), EAGAIN);
  received.kind = RecvOutcome::Kind::kRefused;
  received.error = ENOTCONN;
  EXPECT_EQ(error.set(kCallRead, received), ENOTCONN);
  sent.kind = SendOutcome::Kind::kRefused;
  sent.error = EPIPE;
  EXPECT_EQ(error.set(kCallWrite, sent), EPIPE);
}

TEST(LastError, ForgetsOldWords) {
  LastError error;
  error.set(1, Error{EACCES, "chat: permission denied (ask its owner)"});
  error.set(kCallRead, EAGAIN);
  const ipn_explain answer = explained(error);
  EXPECT_EQ(answer.error, EAGAIN);
  EXPECT_EQ(std::string(answer.text).find("chat"), std::string::npos);
}

TEST(LastError, CutsLongWordsAndEndsThemWithANul) {
  LastError error;
  const std::string words(1000, 'w');
  error.set(1, Error{EINVAL, words});
  const ipn_explain answer = explained(error);
  EXPECT_EQ(answer.text, words.substr(0, sizeof answer.text - 1));
}

}  // namespace
}  // namespace ipn::device
