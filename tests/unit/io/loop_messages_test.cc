// SPDX-License-Identifier: MIT
#include <deque>

#include "tests/unit/io/loop_fixture.h"

namespace ipn::io {
namespace {

using LoopMessages = LoopTest;
IPN_ALL_ENGINES(LoopMessages);

TEST_P(LoopMessages, HandsOverEachMessageOnceAndInOrder) {
  constexpr std::size_t kMessages = 2000;
  const Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  std::vector<std::string> sent;
  while (sent.size() < kMessages) {
    for (int burst = 0; burst < 50; ++burst) {
      sent.push_back("message " + std::to_string(sent.size()));
      ASSERT_TRUE(wire.send(sent.back()));
    }
    run_until([&] { return messages.texts.size() == sent.size(); });
  }
  EXPECT_EQ(messages.texts, sent);
}

TEST_P(LoopMessages, HandsOverAMessageThatCameBeforeTheSource) {
  const Wire wire = make_wire();
  ASSERT_TRUE(wire.send("early"));
  Messages messages;
  add_messages(wire.ours.get(), messages);
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{"early"});
}

TEST_P(LoopMessages, HandsOverAMessageAsLongAsTheBuffer) {
  const Wire wire = make_wire();
  const std::string text(kBufferBytes, 'x');
  ASSERT_TRUE(wire.send(text));
  Messages messages;
  add_messages(wire.ours.get(), messages);
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts, std::vector<std::string>{text});
}

TEST_P(LoopMessages, KeepsTheMessagesOfManySourcesApart) {
  constexpr std::size_t kSources = 50;
  std::vector<Wire> wires;
  std::deque<Messages> messages(kSources);
  for (std::size_t i = 0; i < kSources; ++i) {
    wires.push_back(make_wire());
    add_messages(wires[i].ours.get(), messages[i]);
  }
  for (int turn = 0; turn < 20; ++turn) {
    for (std::size_t i = 0; i < kSources; ++i) {
      ASSERT_TRUE(wires[i].send(std::to_string(i)));
    }
  }
  for (std::size_t i = 0; i < kSources; ++i) {
    run_until([&] { return messages[i].texts.size() == 20; });
    EXPECT_EQ(messages[i].texts, std::vector<std::string>(20, std::to_string(i)));
  }
}

TEST_P(LoopMessages, LetsOtherSourcesHaveTheirTurnBesideABusyOne) {
  const Wire busy = make_wire();
  const Wire quiet = make_wire();
  Messages flood;
  flood.then = [&] { EXPECT_TRUE(busy.send("again")); };
  Messages single;
  add_messages(busy.ours.get(), flood);
  add_messages(quiet.ours.get(), single);
  ASSERT_TRUE(busy.send("again"));
  ASSERT_TRUE(quiet.send("once"));
  run_until([&] { return !single.texts.empty(); });
  EXPECT_EQ(single.texts, std::vector<std::string>{"once"});
  EXPECT_LE(flood.texts.size(), 100 * rounds_.ended);
}

TEST_P(LoopMessages, EndsARoundOfLargeMessagesAfterItsBudget) {
  constexpr std::size_t kLarge = 60'000;
  const Wire wire = make_wire();
  Messages messages;
  messages.then = [&] { EXPECT_TRUE(wire.send(std::string(kLarge, 'x'))); };
  ASSERT_TRUE(loop_->add_messages(wire.ours.get(), kLarge, messages).has_value());
  ASSERT_TRUE(wire.send(std::string(kLarge, 'x')));
  run_until([&] { return !messages.texts.empty(); });
  EXPECT_EQ(messages.texts.size(), 5U);  // the fifth passes 256 KiB
}

TEST_P(LoopMessages, ReportsEndOfFileOnce) {
  Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  ASSERT_TRUE(wire.send("last"));
  wire.theirs.reset();
  run_until([&] { return !messages.ends.empty(); });
  settle();
  EXPECT_EQ(messages.texts, std::vector<std::string>{"last"});
  EXPECT_EQ(messages.ends, std::vector<int>{0});
}

TEST_P(LoopMessages, ReportsAFailedReadWithItsErrno) {
  Wire wire = make_wire();
  Messages messages;
  add_messages(wire.ours.get(), messages);
  settle();
  // A peer that closes with something unread resets the connection.
  ASSERT_EQ(write(wire.ours.get(), "x", 1), 1);
  wire.theirs.reset();
  run_until([&] { return !messages.ends.empty(); });
  settle();
  EXPECT_EQ(messages.ends, std::vector<int>{ECONNRESET});
}

TEST_P(LoopMessages, RefusesMessagesFromADescriptorThatBlocks) {
  const Wire wire = make_wire();
  ASSERT_EQ(fcntl(wire.ours.get(), F_SETFL, 0), 0);
  Messages messages;
  const Result<SourceId> added = loop_->add_messages(wire.ours.get(), kBufferBytes, messages);
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code, EINVAL);
  EXPECT_NE(added.error().text.find("O_NONBLOCK"), std::string::npos);
}

TEST_P(LoopMessages, RefusesADescriptorThatIsNotOpen) {
  Messages messages;
  Readiness readiness;
  const Result<SourceId> read = loop_->add_messages(-1, kBufferBytes, messages);
  const Result<SourceId> polled = loop_->add_poll(-1, POLLIN, readiness);
  ASSERT_FALSE(read.has_value());
  ASSERT_FALSE(polled.has_value());
  EXPECT_EQ(read.error().code, EBADF);
  EXPECT_EQ(polled.error().code, EBADF);
}

}  // namespace
}  // namespace ipn::io
