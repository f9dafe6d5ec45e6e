// SPDX-License-Identifier: MIT
//
// Messages, one and many, and what is answered at once instead of a message.
#include <algorithm>
#include <vector>

#include "tests/libipn/support.h"

namespace ipn::library_tests {
namespace {

constexpr std::size_t kLongestMtu = 65536;

/// Bytes that differ from place to place.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 >> 3);
  return bytes;
}

/// The first member of a network with the longest messages.
Node long_member(const std::string& network) {
  Node node;
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_MTU, kLongestMtu), 0) << explain(node);
  EXPECT_EQ(ipn_bind(node, network.c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(ipn_connect(node, nullptr, IPN_ANY, 0), 0) << explain(node);
  return node;
}

ipn_buf buf_of(std::string& bytes) { return {bytes.data(), bytes.size(), 0, nullptr}; }

// One message -----------------------------------------------------------------

TEST(Messages, ComeWithTheirHeader) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  send(a, "hello");
  send(a, "again");
  char text[16];
  ipn_msg first{}, second{};
  ASSERT_EQ(ipn_recvmsg(b, &first, text, sizeof text, 0), 5) << explain(b);
  EXPECT_EQ(std::string(text, 5), "hello");
  EXPECT_EQ(first.len, 5U);
  EXPECT_EQ(first.flags, 0);
  EXPECT_EQ(first.peer, info_of(a).node);
  EXPECT_EQ(static_cast<int>(first.port), info_of(a).port);
  EXPECT_EQ(first.count, 0U);
  EXPECT_NE(first.time, 0U);
  ASSERT_EQ(ipn_recvmsg(b, &second, text, sizeof text, 0), 5) << explain(b);
  EXPECT_EQ(second.seq, first.seq + 1);
  EXPECT_GE(second.time, first.time);
  EXPECT_EQ(ipn_recv(a, text, sizeof text, IPN_MSG_DONTWAIT), -EAGAIN) << "not one's own";
}

TEST(Messages, MayBeEmpty) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  send(a, "");
  EXPECT_EQ(ipn_send(a, nullptr, 0, 0), 0) << explain(a);
  send(a, "end");
  char text[4];
  ipn_msg header{};
  header.len = 1;
  EXPECT_EQ(ipn_recvmsg(b, &header, text, sizeof text, IPN_MSG_PEEK), 0) << explain(b);
  EXPECT_EQ(ipn_recvmsg(b, &header, text, sizeof text, 0), 0) << explain(b);
  EXPECT_EQ(header.len, 0U);
  EXPECT_EQ(header.flags, 0);
  EXPECT_EQ(soon(b, [&] { return ipn_recv(b, nullptr, 0, IPN_MSG_DONTWAIT); }), 0) << explain(b);
  EXPECT_EQ(receive(b), "end");
}

TEST(Messages, OfEverySizeUpToTheMtuComeWhole) {
  const std::string net = new_name();
  const Node a = long_member(net), b = member(net);
  const std::string longest = pattern(kLongestMtu);
  for (const std::size_t size : {1UL, 4031UL, 4032UL, 4033UL, 16320UL, 65535UL, kLongestMtu}) {
    send(a, longest.substr(0, size));
    EXPECT_TRUE(receive(b) == longest.substr(0, size)) << size;
  }
}

TEST(Messages, LongerThanTheMtuAreRefused) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  const std::string bytes(IPN_MSG_MAX + 1, 'x');
  for (const std::size_t size : {1515UL, std::size_t{IPN_MSG_MAX}, bytes.size()}) {
    EXPECT_EQ(ipn_send(a, bytes.data(), size, 0), -EMSGSIZE) << size;
  }
  EXPECT_EQ(ipn_send(a, bytes.data(), 1514, 0), 1514) << explain(a);
  EXPECT_EQ(receive(b).size(), 1514U);
}

TEST(Messages, AreCutToTheRoomThereIs) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  send(a, "truncate");
  send(a, "truncate");
  send(a, "whole");
  char text[16] = "............";
  ipn_msg header{};
  EXPECT_EQ(ipn_recvmsg(b, &header, text, 4, 0), 4) << explain(b);
  EXPECT_EQ(std::string(text, 5), "trun.");
  EXPECT_EQ(header.len, 8U);
  EXPECT_EQ(header.flags, IPN_MSG_TRUNC);
  EXPECT_EQ(ipn_recv(b, nullptr, 0, 0), 0) << "without any room";
  EXPECT_EQ(ipn_recvmsg(b, &header, text, sizeof text, 0), 5) << explain(b);
  EXPECT_EQ(std::string(text, 5), "whole");
  EXPECT_EQ(header.flags, 0);
}

TEST(Messages, TellHowManyWereLostBeforeThem) {
  const std::string net = new_name();
  Node a;
  ASSERT_EQ(ipn_setopt(a, IPN_OPT_MSGPOOLSIZE, 4), 0) << explain(a);
  ASSERT_EQ(ipn_bind(a, net.c_str(), IPN_BROADCAST), 0) << explain(a);
  ASSERT_EQ(ipn_connect(a, nullptr, IPN_ANY, 0), 0) << explain(a);
  const Node b = member(net);
  for (int i = 0; i < 10; ++i) send(a, std::to_string(i));
  drained(a);
  char text[4];
  ipn_msg header{};
  ASSERT_EQ(ipn_recvmsg(b, &header, text, sizeof text, IPN_MSG_DONTWAIT), 1) << explain(b);
  EXPECT_EQ(text[0], '6');
  EXPECT_EQ(header.count, 6U);
}

TEST(Messages, NullPointersAndUnknownFlagsAreRefused) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  send(a, "x");
  char text[4];
  EXPECT_EQ(ipn_send(nullptr, text, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_send(a, nullptr, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_send(a, text, 1, IPN_MSG_PEEK), -EINVAL);
  EXPECT_EQ(ipn_recv(nullptr, text, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_recv(b, nullptr, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_recv(b, text, 1, IPN_MSG_TRUNC), -EINVAL);
  EXPECT_EQ(receive(b), "x");
}

// Peeking ---------------------------------------------------------------------

TEST(Peeking, LeavesTheMessageAndTellsItsLength) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  send(a, "message");
  char text[16];
  ipn_msg header{};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ipn_recvmsg(b, &header, nullptr, 0, IPN_MSG_PEEK), 0) << explain(b);
    EXPECT_EQ(header.len, 7U);
    EXPECT_EQ(header.flags, IPN_MSG_TRUNC);
    EXPECT_EQ(ipn_recvmsg(b, &header, text, 3, IPN_MSG_PEEK), 3) << explain(b);
    EXPECT_EQ(std::string(text, 3), "mes");
    EXPECT_EQ(header.flags, IPN_MSG_TRUNC);
    EXPECT_EQ(ipn_recvmsg(b, &header, text, sizeof text, IPN_MSG_PEEK), 7) << explain(b);
    EXPECT_EQ(std::string(text, 7), "message");
    EXPECT_EQ(header.flags, 0);
    EXPECT_EQ(header.peer, info_of(a).node);
  }
  EXPECT_EQ(receive(b), "message");
  EXPECT_EQ(ipn_recv(b, text, sizeof text, IPN_MSG_PEEK | IPN_MSG_DONTWAIT), -EAGAIN);
}

// One ioctl carries no more than 16319 bytes of a message.
TEST(Peeking, PutsALongMessageTogetherFromPieces) {
  const std::string net = new_name();
  const Node a = long_member(net), b = member(net);
  const std::string longest = pattern(kLongestMtu);
  send(a, longest);
  for (const std::size_t room :
       {16318UL, 16319UL, 16320UL, 32638UL, 32639UL, 65535UL, kLongestMtu, kLongestMtu + 999}) {
    SCOPED_TRACE(room);
    std::string bytes(room + 1, '.');
    ipn_msg header{};
    const std::size_t size = std::min(room, kLongestMtu);
    ASSERT_EQ(ipn_recvmsg(b, &header, bytes.data(), room, IPN_MSG_PEEK), static_cast<ssize_t>(size))
        << explain(b);
    EXPECT_TRUE(bytes.substr(0, size) == longest.substr(0, size));
    EXPECT_EQ(bytes[size], '.');
    EXPECT_EQ(header.len, kLongestMtu);
    EXPECT_EQ(header.flags, room < kLongestMtu ? IPN_MSG_TRUNC : 0);
  }
  EXPECT_TRUE(receive(b) == longest);
}

// At once ---------------------------------------------------------------------

/// A way to receive that does not wait, on a node opened with `open_flags`.
struct Receiving {
  unsigned open_flags;
  unsigned flags;
  bool many;

  bool peeks() const { return (flags & IPN_MSG_PEEK) != 0; }
  ssize_t operator()(ipn_node* node) const {
    std::string room(16, '\0');
    if (!many) return ipn_recv(node, room.data(), room.size(), flags);
    ipn_buf buf = buf_of(room);
    return ipn_recvmany(node, &buf, 1, flags);
  }
};

class AtOnce : public ::testing::TestWithParam<Receiving> {};

TEST_P(AtOnce, AFreeOrBoundNodeIsNotConnected) {
  const Node node(GetParam().open_flags);
  EXPECT_EQ(GetParam()(node), -ENOTCONN);
  ASSERT_EQ(ipn_bind(node, new_name().c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(GetParam()(node), -ENOTCONN);
}

TEST_P(AtOnce, ANodeThatDoesNotReceiveIsAtTheEnd) {
  const std::string net = new_name();
  const Node a = member(net);
  const Node sender = member(net, IPN_ROLE_SEND, GetParam().open_flags);
  send(a, "x");
  EXPECT_EQ(GetParam()(sender), -ENODATA);
  const Node shut = member(net, 0, GetParam().open_flags);
  send(a, "x");
  ASSERT_EQ(ipn_shutdown(shut, IPN_SHUT_RD), 0) << explain(shut);
  EXPECT_EQ(GetParam()(shut), -ENODATA);
}

TEST_P(AtOnce, AMessageIsReceivedAndNothingWouldWait) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net, 0, GetParam().open_flags);
  EXPECT_EQ(GetParam()(b), -EAGAIN);
  send(a, "");
  EXPECT_EQ(soon(b, [&] { return GetParam()(b); }), GetParam().many ? 1 : 0) << explain(b);
  if (GetParam().peeks()) {
    EXPECT_EQ(receive(b), "");
  }
  EXPECT_EQ(GetParam()(b), -EAGAIN);
}

TEST_P(AtOnce, WhatIsLeftComesBeforeTheEndOfTheNetwork) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net, 0, GetParam().open_flags);
  send(a, "left");
  if (is_fast(b)) {
    EXPECT_EQ(soon(b, [&] { return ipn_recv(b, nullptr, 0, IPN_MSG_PEEK | IPN_MSG_DONTWAIT); }), 0);
  }
  end_network_of(a);
  EXPECT_EQ(GetParam()(b), GetParam().many ? 1 : 4) << explain(b);
  if (GetParam().peeks()) {
    EXPECT_EQ(receive(b), "left");
  }
  EXPECT_EQ(GetParam()(b), -ENODATA);
  EXPECT_EQ(GetParam()(b), -ENODATA) << "for ever";
}

TEST_P(AtOnce, ADisconnectedNodeIsAtTheEnd) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net, 0, GetParam().open_flags);
  send(a, "dropped");
  kick(b);
  EXPECT_EQ(GetParam()(b), -ENODATA);
}

INSTANTIATE_TEST_SUITE_P(Ways, AtOnce,
                         ::testing::Values(Receiving{0, IPN_MSG_DONTWAIT, false},
                                           Receiving{0, IPN_MSG_DONTWAIT | IPN_MSG_PEEK, false},
                                           Receiving{0, IPN_MSG_DONTWAIT, true},
                                           Receiving{IPN_NONBLOCK, 0, false},
                                           Receiving{IPN_NONBLOCK, IPN_MSG_PEEK, false},
                                           Receiving{IPN_NONBLOCK, 0, true}),
                         [](const auto& instance) {
                           const Receiving& way = instance.param;
                           std::string name = way.open_flags != 0 ? "NonBlocking" : "DontWait";
                           if (way.many) name += "Many";
                           if (way.peeks()) name += "Peek";
                           return name;
                         });

// Waits or not: these have nothing to wait for.
TEST(Sending, IsRefusedForItsReason) {
  for (const unsigned flags : {0U, IPN_MSG_DONTWAIT}) {
    SCOPED_TRACE(flags);
    const std::string net = new_name();
    const Node node;
    EXPECT_EQ(ipn_send(node, "x", 1, flags), -ENOTCONN);
    ASSERT_EQ(ipn_bind(node, net.c_str(), IPN_BROADCAST), 0) << explain(node);
    EXPECT_EQ(ipn_send(node, "x", 1, flags), -ENOTCONN);
    ASSERT_EQ(ipn_connect(node, nullptr, IPN_ANY, IPN_ROLE_RECV), 0) << explain(node);
    EXPECT_EQ(ipn_send(node, "x", 1, flags), -EPIPE);
    const Node shut = member(net), kicked = member(net), left = member(net);
    ASSERT_EQ(ipn_shutdown(shut, IPN_SHUT_WR), 0) << explain(shut);
    EXPECT_EQ(ipn_send(shut, "x", 1, flags), -EPIPE);
    kick(kicked);
    EXPECT_EQ(ipn_send(kicked, "x", 1, flags), -ECONNRESET);
    end_network_of(left);
    EXPECT_EQ(ipn_send(left, "x", 1, flags), -ECONNRESET);
  }
}

TEST(Sending, WouldWaitInAFullLosslessNetwork) {
  for (const unsigned open_flags : {0U, IPN_NONBLOCK}) {
    const unsigned flags = open_flags == 0 ? IPN_MSG_DONTWAIT : 0;
    const std::string net = new_name();
    const Node a = lossless_member(net, 2, open_flags), b = member(net);
    const unsigned sent = fill(a);
    if (!is_fast(a)) {
      EXPECT_EQ(sent, 2U);
    }
    EXPECT_EQ(ipn_send(a, "x", 1, flags), -EAGAIN);
    EXPECT_EQ(receive(b), "f");
    EXPECT_EQ(soon(a, [&] { return ipn_send(a, "last", 4, flags); }), 4) << explain(a);
    drain(b, sent - 1);
    EXPECT_EQ(receive(b), "last");
  }
}

// Many messages ---------------------------------------------------------------

TEST(ManyMessages, AreSentAndReceivedInOrder) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  std::string texts[] = {"m0", "m1", "", "m3", "m4"};
  ipn_buf out[5];
  std::transform(std::begin(texts), std::end(texts), out, buf_of);
  ASSERT_EQ(ipn_sendmany(a, out, 5, 0), 5) << explain(a);
  drained(a);

  std::string rooms[8];
  ipn_buf in[8];
  ipn_msg headers[8];
  for (int i = 0; i < 8; ++i) {
    rooms[i].resize(4);
    in[i] = buf_of(rooms[i]);
    in[i].msg = &headers[i];
  }
  ASSERT_EQ(ipn_recvmany(b, in, 3, 0), 3) << explain(b);
  ASSERT_EQ(ipn_recvmany(b, in + 3, 5, 0), 2) << "takes what is there: " << explain(b);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(rooms[i].substr(0, in[i].len), texts[i]);
    EXPECT_EQ(headers[i].len, texts[i].size());
    EXPECT_EQ(headers[i].seq, headers[0].seq + static_cast<unsigned>(i));
  }
}

TEST(ManyMessages, TheNumberSentIsReturnedIfTheNextOneFails) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 3), b = member(net);
  std::string small = "s", big(2000, 'b');
  ipn_buf out[] = {buf_of(small), buf_of(small), buf_of(big), buf_of(small)};
  EXPECT_EQ(ipn_sendmany(a, out, 4, 0), 2) << explain(a);
  EXPECT_EQ(ipn_sendmany(a, out + 2, 2, 0), -EMSGSIZE);
  out[2] = {nullptr, 1, 0, nullptr};
  EXPECT_EQ(ipn_sendmany(a, out + 2, 2, 0), -EINVAL) << "no bytes";
  ipn_msg header{};
  out[2] = buf_of(small);
  out[2].msg = &header;
  EXPECT_EQ(ipn_sendmany(a, out + 2, 2, 0), -EINVAL) << "a header";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(receive(b), "s");
  out[2] = buf_of(small);
  unsigned sent = 0;
  if (is_fast(a)) {
    sent = fill(a);
  } else {
    EXPECT_EQ(ipn_sendmany(a, out, 4, IPN_MSG_DONTWAIT), 3) << "full";
  }
  EXPECT_EQ(ipn_sendmany(a, out, 4, IPN_MSG_DONTWAIT), -EAGAIN);
  drain(b, sent);
}

TEST(ManyMessages, TheNumberReceivedIsReturnedIfTheNextOneFails) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  for (const char* text : {"1", "2", "3"}) send(a, text);
  drained(a);
  std::string room(4, '\0');
  ipn_buf in[] = {buf_of(room), {nullptr, 4, 0, nullptr}, buf_of(room)};
  EXPECT_EQ(ipn_recvmany(b, in, 3, 0), 1) << explain(b);
  EXPECT_EQ(ipn_recvmany(b, in + 1, 2, 0), -EINVAL);
  EXPECT_EQ(receive(b), "2") << "a refused call takes nothing";
  in[1] = buf_of(room);
  end_network_of(a);
  EXPECT_EQ(ipn_recvmany(b, in, 3, 0), 1) << explain(b);
  EXPECT_EQ(ipn_recvmany(b, in, 3, 0), -ENODATA);
}

TEST(ManyMessages, MayBeNone) {
  const Node node = member(new_name());
  EXPECT_EQ(ipn_sendmany(node, nullptr, 0, 0), 0) << explain(node);
  EXPECT_EQ(ipn_recvmany(node, nullptr, 0, 0), 0) << explain(node);
  EXPECT_EQ(ipn_sendmany(node, nullptr, 1, 0), -EINVAL);
  EXPECT_EQ(ipn_recvmany(node, nullptr, 1, 0), -EINVAL);
  ipn_buf buf{};
  EXPECT_EQ(ipn_recvmany(node, &buf, 1, IPN_MSG_PEEK), -EINVAL);
  EXPECT_EQ(ipn_sendmany(node, &buf, ~0U, 0), -EINVAL);
}

}  // namespace
}  // namespace ipn::library_tests
