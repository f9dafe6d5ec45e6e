// SPDX-License-Identifier: MIT
//
// Messages that are written and read where they lie, and what became of those
// that were sent. All of it works by the device as well; suites named Fast... are
// about what only shared memory does.
#include <array>
#include <cstring>
#include <vector>

#include "tests/libipn/support.h"

namespace ipn::library_tests {
namespace {

/// Sends in place.
ssize_t write_message(ipn_node* node, std::string_view text, unsigned flags = 0) {
  void* room = nullptr;
  const int error = ipn_reserve(node, text.size(), &room, flags & IPN_MSG_DONTWAIT);
  if (error != 0) return error;
  if (!text.empty()) std::memcpy(room, text.data(), text.size());
  return ipn_commit(node, text.size(), flags);
}

/// What is shown now, at most n; waits for the first.
std::vector<std::string> show(ipn_node* node, unsigned n) {
  std::vector<ipn_view> views(n);
  const int shown = ipn_peekmany(node, views.data(), n, 0);
  EXPECT_GE(shown, 1) << explain(node);
  std::vector<std::string> texts;
  for (int i = 0; i < shown; ++i) {
    const ipn_view& view = views[static_cast<unsigned>(i)];
    texts.emplace_back(static_cast<const char*>(view.data), view.len);
  }
  return texts;
}

using Texts = std::vector<std::string>;

// Sending in place -------------------------------------------------------------

TEST(Reserving, SendsWhatWasCommitted) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  EXPECT_EQ(write_message(a, "whole"), 5) << explain(a);
  EXPECT_EQ(write_message(a, ""), 0) << explain(a);
  void* room = nullptr;
  ASSERT_EQ(ipn_reserve(a, 1000, &room, 0), 0) << explain(a);
  std::memcpy(room, "part", 4);
  EXPECT_EQ(ipn_commit(a, 4, 0), 4) << explain(a);
  EXPECT_EQ(receive(b), "whole");
  EXPECT_EQ(receive(b), "");
  EXPECT_EQ(receive(b), "part");
}

TEST(Reserving, IsForgottenByTheNextSend) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  void* room = nullptr;
  EXPECT_EQ(ipn_commit(a, 0, 0), -EINVAL) << "nothing was reserved";
  ASSERT_EQ(ipn_reserve(a, 3, &room, 0), 0) << explain(a);
  EXPECT_EQ(ipn_commit(a, 4, 0), -EINVAL) << "more than was reserved";
  EXPECT_NE(explain(a).find("no reservation that large"), std::string::npos) << explain(a);
  std::memcpy(room, "abc", 3);
  EXPECT_EQ(ipn_commit(a, 3, 0), 3) << "the reservation is still there: " << explain(a);
  EXPECT_EQ(ipn_commit(a, 0, 0), -EINVAL);
  ASSERT_EQ(ipn_reserve(a, 3, &room, 0), 0) << explain(a);
  send(a, "other");
  EXPECT_EQ(ipn_commit(a, 3, 0), -EINVAL);
  EXPECT_EQ(receive(b), "abc");
  EXPECT_EQ(receive(b), "other");
}

TEST(Reserving, IsRefusedForItsReason) {
  const std::string net = new_name();
  const Node a = member(net), free_node;
  void* room = nullptr;
  EXPECT_EQ(ipn_reserve(a, IPN_MSG_MAX + 1, &room, 0), -EMSGSIZE);
  EXPECT_EQ(ipn_reserve(a, 1, nullptr, 0), -EINVAL);
  EXPECT_EQ(ipn_reserve(a, 1, &room, IPN_MORE), -EINVAL);
  EXPECT_EQ(ipn_reserve(free_node, 1, &room, 0), -ENOTCONN);
  const std::string too_long(1515, 'x');
  EXPECT_EQ(write_message(a, too_long), -EMSGSIZE);
  ASSERT_EQ(ipn_shutdown(a, IPN_SHUT_WR), 0) << explain(a);
  EXPECT_EQ(write_message(a, "x"), -EPIPE);
}

TEST(Reserving, GoesWithWhatComesLaterIfThereIsMore) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  for (const char* last : {"commit", "send", "flush"}) {
    EXPECT_EQ(write_message(a, "one", IPN_MORE), 3) << explain(a);
    EXPECT_EQ(write_message(a, "two", IPN_MORE), 3) << explain(a);
    if (is_fast(a)) {
      char text[4];
      EXPECT_EQ(ipn_recv(b, text, sizeof text, IPN_MSG_DONTWAIT), -EAGAIN);
    }
    const std::string how = last;
    if (how == "commit") {
      EXPECT_EQ(write_message(a, how), 6);
    } else if (how == "send") {
      send(a, how);
    } else {
      EXPECT_EQ(ipn_flush(a), 0) << explain(a);
    }
    EXPECT_EQ(receive(b), "one");
    EXPECT_EQ(receive(b), "two");
    if (how != "flush") {
      EXPECT_EQ(receive(b), how);
    }
  }
}

TEST(Reserving, MoreThanTheRingHoldsGoesByItself) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 8), b = member(net);
  constexpr unsigned kMessages = 10'000;
  Call call([&a] {
    for (unsigned i = 0; i < kMessages; ++i) {
      const ssize_t sent = write_message(a, "f", IPN_MORE);
      if (sent != 1) return sent;
    }
    return static_cast<ssize_t>(ipn_flush(a));
  });
  char byte = 0;
  for (unsigned i = 0; i < kMessages; ++i) {
    ASSERT_EQ(ipn_recv(b, &byte, 1, 0), 1) << explain(b);
    ASSERT_EQ(byte, 'f');
  }
  EXPECT_EQ(call.result(), 0);
}

/// Sends these texts by as few reservations as there have to be.
void write_messages(ipn_node* node, const std::vector<std::string>& texts) {
  std::vector<ipn_buf> bufs;
  for (const std::string& text : texts) bufs.push_back({nullptr, text.size(), 0, nullptr});
  for (unsigned done = 0; done < texts.size();) {
    const auto left = static_cast<unsigned>(texts.size() - done);
    const int reserved = ipn_reservemany(node, bufs.data() + done, left, 0);
    ASSERT_GT(reserved, 0) << explain(node);
    const auto count = static_cast<unsigned>(reserved);
    for (unsigned i = done; i < done + count; ++i) {
      std::memcpy(bufs[i].data, texts[i].data(), texts[i].size());
    }
    ASSERT_EQ(ipn_commitmany(node, count, 0), reserved) << explain(node);
    done += count;
  }
}

TEST(ReservingMany, SendsThemInOrder) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 100), b = member(net);
  std::vector<std::string> texts;
  for (unsigned i = 0; i < 100; ++i) texts.push_back(std::string(i * 13 % 300, 'x') + '.');
  write_messages(a, texts);
  for (const std::string& text : texts) ASSERT_EQ(receive(b), text);
}

TEST(ReservingMany, MoreThanTheRingHoldsWaits) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 8), b = member(net);
  std::vector<std::string> texts;
  for (unsigned i = 0; i < 5000; ++i)
    texts.push_back(std::string(35, 'm') + std::to_string(10'000 + i));
  Call call([&] {
    write_messages(a, texts);
    return 0;
  });
  char text[41];
  for (unsigned i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(ipn_recv(b, text, sizeof text, 0), 40) << explain(b);
    ASSERT_EQ(texts[i], std::string(text, 40));
  }
  EXPECT_EQ(call.result(), 0);
}

TEST(ReservingMany, CommitsTheFirstAndGivesUpTheOthers) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  ipn_buf bufs[3] = {{nullptr, 1, 0, nullptr}, {nullptr, 1, 0, nullptr}, {nullptr, 1, 0, nullptr}};
  const int reserved = ipn_reservemany(a, bufs, 3, 0);
  ASSERT_GE(reserved, 1) << explain(a);
  EXPECT_EQ(reserved, is_fast(a) ? 3 : 1);
  EXPECT_EQ(ipn_commit(a, 1, 0), -EINVAL) << "that is for ipn_reserve()";
  EXPECT_EQ(ipn_commitmany(a, static_cast<unsigned>(reserved) + 1, 0), -EINVAL);
  EXPECT_NE(explain(a).find("no reservation that large"), std::string::npos) << explain(a);
  std::memcpy(bufs[0].data, "1", 1);
  EXPECT_EQ(ipn_commitmany(a, 1, 0), 1) << explain(a);
  EXPECT_EQ(ipn_commitmany(a, 1, 0), -EINVAL) << "the others are given up";
  void* room = nullptr;
  ASSERT_EQ(ipn_reserve(a, 1, &room, 0), 0) << explain(a);
  EXPECT_EQ(ipn_commitmany(a, 1, 0), -EINVAL) << "that is for ipn_reservemany()";
  std::memcpy(room, "2", 1);
  EXPECT_EQ(ipn_commit(a, 1, 0), 1) << explain(a);
  ASSERT_EQ(ipn_reserve(a, 1, &room, 0), 0) << explain(a);
  EXPECT_EQ(ipn_commitmany(a, 0, 0), 0) << "gives up any of them";
  EXPECT_EQ(ipn_commit(a, 1, 0), -EINVAL);
  EXPECT_EQ(receive(b), "1");
  EXPECT_EQ(receive(b), "2");
}

TEST(ReservingMany, IsRefusedForItsReasonAndEndsBeforeWhatDoesNotFit) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net), free_node;
  ipn_buf bufs[2] = {{nullptr, 1, 0, nullptr}, {nullptr, 1515, 0, nullptr}};
  EXPECT_EQ(ipn_reservemany(a, nullptr, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_reservemany(a, bufs, 1, IPN_MORE), -EINVAL);
  EXPECT_EQ(ipn_reservemany(a, bufs, 0, 0), 0);
  EXPECT_EQ(ipn_reservemany(free_node, bufs, 1, 0), -ENOTCONN);
  EXPECT_EQ(ipn_reservemany(a, bufs, 2, 0), 1) << "the second is longer than the mtu";
  std::memcpy(bufs[0].data, "1", 1);
  EXPECT_EQ(ipn_commitmany(a, 1, 0), 1) << explain(a);
  EXPECT_EQ(receive(b), "1");
  if (is_fast(a)) {
    EXPECT_EQ(ipn_reservemany(a, bufs + 1, 1, 0), -EMSGSIZE);
  }
  ASSERT_EQ(ipn_shutdown(a, IPN_SHUT_WR), 0) << explain(a);
  if (is_fast(a)) {
    EXPECT_EQ(ipn_reservemany(a, bufs, 1, 0), -EPIPE);
  }
}

TEST(ReservingMany, GoesWithWhatComesLaterIfThereIsMore) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  ipn_buf buf{nullptr, 3, 0, nullptr};
  ASSERT_EQ(ipn_reservemany(a, &buf, 1, 0), 1) << explain(a);
  std::memcpy(buf.data, "one", 3);
  EXPECT_EQ(ipn_commitmany(a, 1, IPN_MORE), 1) << explain(a);
  if (is_fast(a)) {
    char text[4];
    EXPECT_EQ(ipn_recv(b, text, sizeof text, IPN_MSG_DONTWAIT), -EAGAIN);
  }
  EXPECT_EQ(ipn_flush(a), 0) << explain(a);
  EXPECT_EQ(receive(b), "one");
}

// Receiving in place -----------------------------------------------------------

/// Lossless, where messages are shown in place, and lossy, where copies are.
class Showing : public ::testing::TestWithParam<bool> {
 protected:
  Showing() : a(GetParam() ? lossless_member(net, 100) : member(net)), b(member(net)) {}

  const std::string net = new_name();
  Node a, b;
};
INSTANTIATE_TEST_SUITE_P(Networks, Showing, ::testing::Bool(), [](const auto& instance) {
  return instance.param ? "Lossless" : "Lossy";
});

TEST_P(Showing, TellsOfEachMessageWhatItsHeaderWould) {
  send(a, "hello");
  drained(a);
  ipn_view view{};
  ASSERT_EQ(ipn_peekmany(b, &view, 1, 0), 1) << explain(b);
  EXPECT_EQ(std::string(static_cast<const char*>(view.data), view.len), "hello");
  EXPECT_EQ(view.peer, info_of(a).node);
  EXPECT_EQ(static_cast<int>(view.port), info_of(a).port);
  EXPECT_EQ(view.count, 0U);
  ipn_msg header{};
  char text[8];
  ASSERT_EQ(ipn_recvmsg(b, &header, text, sizeof text, 0), 5) << explain(b);
  EXPECT_EQ(header.seq, view.seq);
  EXPECT_EQ(static_cast<std::uint32_t>(header.time / 1000), view.time_us);
}

TEST_P(Showing, ShowsTheSameAgainUntilTheyAreReleased) {
  for (const char* text : {"1", "2", "3", "4"}) send(a, text);
  drained(a);
  EXPECT_EQ(show(b, 2), (Texts{"1", "2"}));
  EXPECT_EQ(show(b, 1), (Texts{"1"}));
  EXPECT_EQ(ipn_release(b, 3), -EINVAL) << "only two were shown";
  EXPECT_EQ(show(b, 3), (Texts{"1", "2", "3"})) << "and more";
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  EXPECT_EQ(show(b, 2), (Texts{"2", "3"}));
  EXPECT_EQ(ipn_release(b, 2), 0) << explain(b);
  EXPECT_EQ(show(b, 9), (Texts{"4"}));
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  EXPECT_EQ(ipn_release(b, 1), -EINVAL);
  ipn_view view;
  EXPECT_EQ(ipn_peekmany(b, &view, 1, IPN_MSG_DONTWAIT), -EAGAIN);
}

TEST_P(Showing, ReceivingTakesTheFirstThatWasNotReleased) {
  for (const char* text : {"1", "2", "3", "4"}) send(a, text);
  drained(a);
  EXPECT_EQ(show(b, 3).size(), 3U);
  EXPECT_EQ(receive(b), "1");
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  EXPECT_EQ(receive(b), "3");
  EXPECT_EQ(ipn_release(b, 1), -EINVAL);
  EXPECT_EQ(receive(b), "4");
}

TEST_P(Showing, WhatIsShownStaysValid) {
  std::vector<std::string> sent;
  for (unsigned i = 0; i < 20; ++i) sent.emplace_back(i * 70, static_cast<char>('a' + i));
  for (const std::string& text : sent) send(a, text);
  drained(a);
  std::array<ipn_view, 20> views{};
  const int shown = ipn_peekmany(b, views.data(), views.size(), 0);
  ASSERT_GE(shown, 1) << explain(b);
  for (int i = 0; i < 60; ++i) {
    const std::string more(1000, 'z');
    ASSERT_EQ(ipn_send(a, more.data(), more.size(), IPN_MSG_DONTWAIT), 1000) << explain(a);
  }
  drained(a);
  for (int i = 0; i < shown; ++i) {
    const auto n = static_cast<unsigned>(i);
    EXPECT_TRUE(std::string(static_cast<const char*>(views[n].data), views[n].len) == sent[n]) << i;
  }
}

TEST_P(Showing, WaitsForTheFirstOnly) {
  Call call([this] {
    ipn_view views[4];
    return ipn_peekmany(b, views, 4, 0);
  });
  EXPECT_FALSE(call.is_done());
  send(a, "only");
  EXPECT_EQ(call.result(), 1);
  EXPECT_EQ(receive(b), "only");
}

TEST_P(Showing, TellsTheEndAfterWhatIsLeft) {
  send(a, "left");
  drained(a);
  end_network_of(a);
  EXPECT_EQ(show(b, 2), (Texts{"left"}));
  EXPECT_EQ(ipn_release(b, 1), 0) << explain(b);
  ipn_view view;
  EXPECT_EQ(ipn_peekmany(b, &view, 1, 0), -ENODATA);
}

TEST_P(Showing, RefusesNonsense) {
  ipn_view view;
  EXPECT_EQ(ipn_peekmany(b, nullptr, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_peekmany(b, &view, 1, IPN_MSG_PEEK), -EINVAL);
  EXPECT_EQ(ipn_peekmany(b, &view, 0, 0), 0);
  EXPECT_EQ(ipn_release(b, 0), 0);
}

TEST(FastShowing, TakesRoomInALosslessNetwork) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 2), b = member(net);
  const unsigned sent = fill(a);
  EXPECT_EQ(show(b, 2).size(), 2U);
  EXPECT_EQ(ipn_send(a, "x", 1, IPN_MSG_DONTWAIT), -EAGAIN);
  EXPECT_EQ(ipn_release(b, 2), 0) << explain(b);
  drain(b, sent - 2);
}

// Completions ------------------------------------------------------------------

ssize_t send_reported(ipn_node* node, std::uint64_t cookie, std::string_view text = "x") {
  ipn_msg header{};
  header.flags = IPN_MSG_REPORT;
  header.cookie = cookie;
  return ipn_sendmsg(node, &header, text.data(), text.size(), IPN_MSG_DONTWAIT);
}

TEST(Completions, TellInOrderWhatBecameOfMessages) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net), c = member(net);
  ipn_completion done[4]{};
  EXPECT_EQ(ipn_completions(a, done, 4, 0), 0) << "none is outstanding";
  EXPECT_EQ(send_reported(a, 1), 1) << explain(a);
  send(a, "not reported");
  EXPECT_EQ(send_reported(a, 2), 1) << explain(a);
  ASSERT_EQ(ipn_completions(a, done, 1, 0), 1) << explain(a);
  ASSERT_EQ(ipn_completions(a, done + 1, 3, 0), 1) << explain(a);
  for (unsigned i = 0; i < 2; ++i) {
    EXPECT_EQ(done[i].cookie, i + 1U);
    EXPECT_EQ(done[i].error, 0);
    EXPECT_EQ(done[i].receivers, 2U);
  }
  EXPECT_EQ(done[1].seq, done[0].seq + 2);
  EXPECT_EQ(ipn_completions(a, done, 4, 0), 0);
}

TEST(Completions, AreAsManyAsThereIsRoomFor) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  for (std::uint64_t i = 0; i < 512; ++i) ASSERT_EQ(send_reported(a, i), 1) << explain(a);
  EXPECT_EQ(send_reported(a, 512), -ENOBUFS);
  EXPECT_NE(explain(a).find("512 reports are outstanding"), std::string::npos) << explain(a);
  ipn_completion done[512];
  int got = ipn_completions(a, done, 1, 0);
  EXPECT_EQ(got, 1) << explain(a);
  EXPECT_EQ(send_reported(a, 512), 1) << explain(a);
  std::uint64_t next = 1;
  while ((got = ipn_completions(a, done, 512, 0)) > 0) {
    for (int i = 0; i < got; ++i) EXPECT_EQ(done[i].cookie, next++);
  }
  EXPECT_EQ(got, 0) << explain(a);
  EXPECT_EQ(next, 513U);
}

TEST(FastCompletions, AreWaitedForUntilTheReceiverHasRoom) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  send(a, "1");
  EXPECT_EQ(send_reported(a, 7), 1) << explain(a);
  ipn_completion done{};
  EXPECT_EQ(ipn_completions(a, &done, 1, IPN_MSG_DONTWAIT), -EAGAIN);
  Call call([&] { return ipn_completions(a, &done, 1, 0); });
  EXPECT_FALSE(call.is_done());
  EXPECT_EQ(receive(b), "1");
  EXPECT_EQ(call.result(), 1);
  EXPECT_EQ(done.cookie, 7U);
  EXPECT_EQ(receive(b), "x");
}

TEST(FastCompletions, EndWithTheNode) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  send(a, "1");
  EXPECT_EQ(send_reported(a, 7), 1) << explain(a);
  ipn_completion done{};
  Call call([&] { return ipn_completions(a, &done, 1, 0); });
  EXPECT_FALSE(call.is_done());
  kick(a);
  const ssize_t result = call.result();
  EXPECT_TRUE(result == -ECONNRESET || (result == 1 && done.error == ECONNRESET)) << result;
}

TEST(Completions, RefuseHeadersThatMakeNoSense) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  ipn_msg header{};
  header.flags = IPN_MSG_TRUNC;
  EXPECT_EQ(ipn_sendmsg(a, &header, "x", 1, 0), -EINVAL);
  header.flags = 0;
  header.seq = 1;
  EXPECT_EQ(ipn_sendmsg(a, &header, "x", 1, 0), -EINVAL);
  header.seq = 0;
  header.peer = info_of(b).node;
  EXPECT_EQ(ipn_sendmsg(a, &header, "x", 1, 0), -EOPNOTSUPP);
  header.peer = 0;
  EXPECT_EQ(ipn_sendmsg(a, &header, "x", 1, 0), 1) << explain(a);
  EXPECT_EQ(receive(b), "x");
  EXPECT_EQ(ipn_completions(a, nullptr, 1, 0), -EINVAL);
  ipn_completion done;
  EXPECT_EQ(ipn_completions(a, &done, 1, IPN_MSG_PEEK), -EINVAL);
}

// Nodes that look instead of sleeping, and the other way round ----------------------

TEST(Spinning, ChangesNothingButTheTime) {
  for (const unsigned flags : {IPN_NOSPIN, IPN_BUSY}) {
    const std::string net = new_name();
    const Node a = lossless_member(net, 4, flags), b = member(net, 0, flags);
    std::thread echo([&b] {
      char text[8];
      for (int i = 0; i < 1000; ++i) {
        const ssize_t length = ipn_recv(b, text, sizeof text, 0);
        ASSERT_GE(length, 0) << explain(b);
        ASSERT_EQ(ipn_send(b, text, static_cast<std::size_t>(length), 0), length) << explain(b);
      }
    });
    for (int i = 0; i < 1000; ++i) {
      const std::string text = std::to_string(i);
      send(a, text);
      char back[8];
      ASSERT_EQ(ipn_recv(a, back, sizeof back, 0), static_cast<ssize_t>(text.size())) << explain(a);
      ASSERT_EQ(std::string(back, text.size()), text);
    }
    echo.join();
  }
}

}  // namespace
}  // namespace ipn::library_tests
