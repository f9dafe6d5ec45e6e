// SPDX-License-Identifier: MIT
//
// Calls that sleep, and what wakes them: messages, the end, shutdown, signals;
// waiting by the descriptor; two threads in one node; fork.
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <vector>

#include "tests/libipn/support.h"

namespace ipn::library_tests {
namespace {

constexpr int kPatienceMs = 60'000;

/// Receives one message into a room of its own.
std::function<ssize_t()> receiving(const Node& node, unsigned flags = 0) {
  return [&node, flags] {
    char text[16];
    return ipn_recv(node, text, sizeof text, flags);
  };
}

std::function<ssize_t()> sending(const Node& node) {
  return [&node] { return ipn_send(node, "abc", 3, 0); };
}

std::function<ssize_t()> waiting_for_peers(const Node& node, unsigned readers, int timeout_ms) {
  return [&node, readers, timeout_ms] { return ipn_wait_peers(node, readers, timeout_ms); };
}

int events_of(const Node& node, int wanted) {
  pollfd descriptor{ipn_fd(node), static_cast<short>(wanted), 0};
  EXPECT_GE(poll(&descriptor, 1, 0), 0);
  return descriptor.revents;
}

// Sleeping --------------------------------------------------------------------

TEST(Waiting, AMessageWakesTheReceiver) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  {
    Call call(receiving(b));
    EXPECT_FALSE(call.is_done());
    send(a, "abc");
    EXPECT_EQ(call.result(), 3);
  }
  {
    Call call(receiving(b, IPN_MSG_PEEK));
    EXPECT_FALSE(call.is_done());
    send(a, "peeked");
    EXPECT_EQ(call.result(), 6);
  }
  EXPECT_EQ(receive(b), "peeked");
}

TEST(Waiting, ReceivingManyWaitsForTheFirstOnly) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  Call call([&b] {
    char rooms[2][8];
    ipn_buf bufs[] = {{rooms[0], 8, 0, nullptr}, {rooms[1], 8, 0, nullptr}};
    return ipn_recvmany(b, bufs, 2, 0);
  });
  EXPECT_FALSE(call.is_done());
  send(a, "only");
  EXPECT_EQ(call.result(), 1);
}

TEST(Waiting, RoomWakesTheSender) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  const unsigned sent = fill(a);
  Call call(sending(a));
  EXPECT_FALSE(call.is_done());
  drain(b, sent);
  EXPECT_EQ(call.result(), 3);
  EXPECT_EQ(receive(b), "abc");
}

TEST(Waiting, ShutdownWakesTheReceiver) {
  const Node node = member(new_name());
  std::string why;
  Call call([&] {
    const ssize_t result = receiving(node)();
    why = explain(node);
    return result;
  });
  EXPECT_FALSE(call.is_done());
  ASSERT_EQ(ipn_shutdown(node, IPN_SHUT_RD), 0) << explain(node);
  EXPECT_EQ(call.result(), -ENODATA);
  EXPECT_NE(why.find("receiving: the end"), std::string::npos) << why;
  EXPECT_EQ(receiving(node)(), -ENODATA) << "for ever";
  EXPECT_EQ(receiving(node, IPN_MSG_PEEK)(), -ENODATA);
}

TEST(Waiting, ShutdownWakesTheSender) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  const unsigned sent = fill(a);
  Call call(sending(a));
  EXPECT_FALSE(call.is_done());
  ASSERT_EQ(ipn_shutdown(a, IPN_SHUT_WR), 0) << explain(a);
  EXPECT_EQ(call.result(), -EPIPE);
  for (unsigned i = 0; i < sent; ++i) EXPECT_EQ(receive(b), "f") << "what was sent stays sent";
  EXPECT_EQ(receiving(b, IPN_MSG_DONTWAIT)(), -EAGAIN) << "the other was not sent";
}

TEST(Waiting, TheEndOfTheNetworkWakesEverybody) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net), idle = member(net, IPN_ROLE_SEND);
  fill(a);
  Call sender(sending(a)), receiver(receiving(a)), counter(waiting_for_peers(b, 9, -1));
  EXPECT_FALSE(sender.is_done() || receiver.is_done() || counter.is_done());
  end_network_of(idle);
  EXPECT_EQ(sender.result(), -ECONNRESET);
  EXPECT_EQ(receiver.result(), -ENODATA);
  EXPECT_EQ(counter.result(), -ECONNRESET);
}

TEST(Waiting, ADisconnectedNodeWakes) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  Call call(receiving(b));
  EXPECT_FALSE(call.is_done());
  kick(b);
  EXPECT_EQ(call.result(), -ENODATA);
}

// Two threads -----------------------------------------------------------------

TEST(Threads, OneReceivesWhileAnotherSends) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  Call call(receiving(a));
  EXPECT_FALSE(call.is_done());
  EXPECT_EQ(receiving(a)(), -EBUSY);
  EXPECT_EQ(receiving(a, IPN_MSG_DONTWAIT)(), -EBUSY);
  EXPECT_EQ(receiving(a, IPN_MSG_PEEK)(), -EBUSY);
  EXPECT_EQ(ipn_recvmany(a, nullptr, 0, 0), -EBUSY);
  EXPECT_EQ(ipn_peekmany(a, nullptr, 0, 0), -EBUSY);
  EXPECT_EQ(ipn_release(a, 0), -EBUSY);
  EXPECT_EQ(ipn_setdoor(a, IPN_DOOR_DEVICE), -EBUSY);
  EXPECT_NE(explain(a).find("another thread is receiving"), std::string::npos) << explain(a);
  send(a, "meanwhile");
  EXPECT_EQ(receive(b), "meanwhile");
  send(b, "answer");
  EXPECT_EQ(call.result(), 6);
}

TEST(Threads, WhatOneHasReservedNobodyElseSends) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  void* room = nullptr;
  ipn_buf buf{nullptr, 1, 0, nullptr};
  for (const bool many : {false, true}) {
    if (many) {
      ASSERT_EQ(ipn_reservemany(a, &buf, 1, 0), 1) << explain(a);
      room = buf.data;
    } else {
      ASSERT_EQ(ipn_reserve(a, 1, &room, 0), 0) << explain(a);
    }
    *static_cast<char*>(room) = 'r';
    std::thread other([&] {
      void* none = nullptr;
      ipn_completion done;
      EXPECT_EQ(ipn_send(a, "x", 1, 0), -EBUSY);
      EXPECT_EQ(ipn_sendmany(a, &buf, 1, 0), -EBUSY);
      EXPECT_EQ(ipn_reserve(a, 1, &none, 0), -EBUSY);
      EXPECT_EQ(ipn_commit(a, 1, 0), -EBUSY);
      EXPECT_EQ(ipn_reservemany(a, &buf, 1, 0), -EBUSY);
      EXPECT_EQ(ipn_commitmany(a, 1, 0), -EBUSY);
      EXPECT_EQ(ipn_flush(a), -EBUSY);
      EXPECT_EQ(ipn_completions(a, &done, 1, 0), -EBUSY);
      EXPECT_EQ(ipn_setdoor(a, IPN_DOOR_DEVICE), -EBUSY);
    });
    other.join();
    EXPECT_EQ(many ? ipn_commitmany(a, 1, 0) : ipn_commit(a, 1, 0), 1) << explain(a);
    std::thread([&] { EXPECT_EQ(ipn_send(a, "s", 1, 0), 1) << explain(a); }).join();
    EXPECT_EQ(receive(b), "r");
    EXPECT_EQ(receive(b), "s");
  }
}

TEST(Threads, AShutdownDoesNotDisturbTheSender) {
  for (unsigned round = 0; round < 200; ++round) {
    const std::string net = new_name();
    const Node a = member(net), b = member(net);
    std::atomic<unsigned> sent{0};
    std::thread sender([&] {
      ssize_t result = 0;
      while (result >= 0) {
        void* room = nullptr;
        result = round % 2 == 0 ? ipn_send(a, "x", 1, 0) : ipn_reserve(a, 1, &room, 0);
        if (result >= 0 && room != nullptr) result = ipn_commit(a, 1, 0);
        if (result >= 0) ++sent;
      }
      EXPECT_EQ(result, -EPIPE) << explain(a);
    });
    while (sent < 1 + 20 * round) std::this_thread::yield();
    EXPECT_EQ(ipn_shutdown(a, IPN_SHUT_WR), 0) << explain(a);
    sender.join();
    char text[4];
    EXPECT_EQ(ipn_recv(a, text, sizeof text, IPN_MSG_DONTWAIT), -EAGAIN) << "it is not cut off";
  }
}

TEST(Threads, OneSendsWhileAnotherReceives) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  const unsigned sent = fill(a);
  Call call(sending(a));
  EXPECT_FALSE(call.is_done());
  EXPECT_EQ(ipn_send(a, "x", 1, 0), -EBUSY);
  EXPECT_EQ(ipn_send(a, "x", 1, IPN_MSG_DONTWAIT), -EBUSY);
  EXPECT_EQ(ipn_sendmany(a, nullptr, 0, 0), -EBUSY);
  void* room = nullptr;
  EXPECT_EQ(ipn_reserve(a, 1, &room, 0), -EBUSY);
  EXPECT_EQ(ipn_commit(a, 0, 0), -EBUSY);
  EXPECT_EQ(ipn_flush(a), -EBUSY);
  EXPECT_EQ(ipn_completions(a, nullptr, 0, 0), -EBUSY);
  EXPECT_EQ(ipn_setdoor(a, IPN_DOOR_DEVICE), -EBUSY);
  EXPECT_NE(explain(a).find("another thread is sending"), std::string::npos) << explain(a);
  EXPECT_EQ(receiving(a, IPN_MSG_DONTWAIT)(), -EAGAIN);
  drain(b, sent);
  EXPECT_EQ(call.result(), 3);
}

// Signals ---------------------------------------------------------------------

constexpr int kSignals = 20;

TEST(Signals, DoNotEndACall) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  {
    Call receiver(receiving(b));
    for (int i = 0; i < kSignals; ++i) receiver.interrupt();
    EXPECT_FALSE(receiver.is_done());
    send(a, "abc");
    EXPECT_EQ(receiver.result(), 3);
  }
  {
    const unsigned sent = fill(a);
    Call sender(sending(a));
    for (int i = 0; i < kSignals; ++i) sender.interrupt();
    EXPECT_FALSE(sender.is_done());
    drain(b, sent);
    EXPECT_EQ(sender.result(), 3);
    EXPECT_EQ(receive(b), "abc") << "once";
    EXPECT_EQ(receiving(b, IPN_MSG_DONTWAIT)(), -EAGAIN) << "once";
  }
  {
    Call counter(waiting_for_peers(a, 2, -1));
    for (int i = 0; i < kSignals; ++i) counter.interrupt();
    EXPECT_FALSE(counter.is_done());
    const Node c = member(net);
    EXPECT_EQ(counter.result(), 2);
  }
}

TEST(Signals, DoNotProlongATimeout) {
  const Node node = member(new_name());
  Call call(waiting_for_peers(node, 1, 100));
  while (!call.is_done()) call.interrupt();
  EXPECT_EQ(call.result(), -ETIMEDOUT);
}

TEST(Signals, EndTheCallsOfANodeThatWantsIt) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1, IPN_INTR), b = member(net, 0, IPN_INTR);
  for (const unsigned flags : {0U, IPN_MSG_PEEK}) {
    Call receiver(receiving(b, flags));
    receiver.interrupt();
    EXPECT_EQ(receiver.result(), -EINTR);
  }
  {
    Call counter(waiting_for_peers(b, 9, kPatienceMs));
    counter.interrupt();
    EXPECT_EQ(counter.result(), -EINTR);
  }
  const unsigned sent = fill(a);
  {
    Call sender(sending(a));
    sender.interrupt();
    EXPECT_EQ(sender.result(), -EINTR);
  }
  drain(b, sent);
  EXPECT_EQ(receiving(b, IPN_MSG_DONTWAIT)(), -EAGAIN) << "the other was not sent";
}

TEST(Signals, EndACallOfManyMessagesWithTheNumberDone) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 2, IPN_INTR), b = member(net);
  char byte = 'f';
  const std::vector<ipn_buf> bufs(10'000, ipn_buf{&byte, 1, 0, nullptr});
  Call call([&] { return ipn_sendmany(a, bufs.data(), 10'000, 0); });
  ASSERT_TRUE(eventually([&] { return blocked_senders(a) == 1; }));
  while (!call.is_done()) call.interrupt();
  const ssize_t sent = call.result();
  EXPECT_GE(sent, 2);
  EXPECT_LT(sent, 10'000);
  drain(b, static_cast<unsigned>(sent));
  EXPECT_EQ(receiving(b, IPN_MSG_DONTWAIT)(), -EAGAIN);
}

TEST(Cancelling, TakesEffectAfterTheCall) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  Call call(receiving(b));
  ASSERT_EQ(pthread_cancel(call.thread()), 0);
  send(a, "abc");
  EXPECT_EQ(call.result(), 3);
}

// Peers -----------------------------------------------------------------------

TEST(Peers, AreTheOthersThatReceive) {
  const std::string net = new_name();
  const Node a = member(net);
  EXPECT_EQ(ipn_wait_peers(a, 0, 0), 0) << explain(a);
  EXPECT_EQ(ipn_wait_peers(a, 0, -1), 0) << explain(a);
  const Node sender = member(net, IPN_ROLE_SEND);
  EXPECT_EQ(ipn_wait_peers(a, 0, 0), 0) << explain(a);
  EXPECT_EQ(ipn_wait_peers(sender, 1, -1), 1) << explain(sender);
  const Node b = member(net);
  EXPECT_EQ(ipn_wait_peers(a, 1, 0), 1) << explain(a);
  EXPECT_EQ(ipn_wait_peers(a, 1, kPatienceMs), 1) << explain(a);
}

TEST(Peers, AreWaitedFor) {
  const std::string net = new_name();
  for (const unsigned flags : {0U, IPN_NONBLOCK}) {
    const Node a = member(net, 0, flags);
    Call call(waiting_for_peers(a, 2, -1));
    const Node sender = member(net, IPN_ROLE_SEND), first = member(net);
    EXPECT_FALSE(call.is_done());
    const Node second = member(net);
    EXPECT_EQ(call.result(), 2);
  }
}

TEST(Peers, AreWaitedForNoLongerThanWanted) {
  for (const unsigned flags : {0U, IPN_NONBLOCK}) {
    const Node a = member(new_name(), 0, flags);
    for (const int timeout_ms : {0, 1, 50}) {
      EXPECT_EQ(ipn_wait_peers(a, 1, timeout_ms), -ETIMEDOUT) << timeout_ms;
    }
  }
}

TEST(Peers, AreThoseOfANetwork) {
  const Node node;
  for (const int timeout_ms : {0, kPatienceMs, -1}) {
    EXPECT_EQ(ipn_wait_peers(node, 1, timeout_ms), -ENOTCONN);
  }
  const Node left = member(new_name());
  end_network_of(left);
  for (const int timeout_ms : {0, kPatienceMs, -1}) {
    EXPECT_EQ(ipn_wait_peers(left, 1, timeout_ms), -ECONNRESET);
  }
}

// The descriptor --------------------------------------------------------------

TEST(Descriptor, TellsMessagesRoomAndTheEnd) {
  const std::string net = new_name();
  const Node a = lossless_member(net, 1), b = member(net);
  EXPECT_EQ(events_of(a, POLLIN | POLLOUT), POLLOUT);
  EXPECT_EQ(events_of(b, POLLIN | POLLOUT), POLLOUT);
  const unsigned sent = fill(a);
  EXPECT_EQ(events_of(a, POLLIN | POLLOUT), 0);
  EXPECT_EQ(events_of(b, POLLIN), POLLIN);
  EXPECT_EQ(events_of(b, POLLIN), POLLIN) << "as long as it holds";
  drain(b, sent);
  EXPECT_EQ(events_of(a, POLLIN | POLLOUT), POLLOUT);
  EXPECT_EQ(events_of(b, POLLIN), 0);
  end_network_of(a);
  EXPECT_EQ(events_of(b, POLLIN) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
}

TEST(Descriptor, TellsEveryEdgeToThoseWhoReceiveToTheEnd) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  ASSERT_GE(epoll, 0);
  epoll_event wanted{EPOLLIN | EPOLLET, {}}, got{};
  ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, ipn_fd(b), &wanted), 0);
  EXPECT_EQ(epoll_wait(epoll, &got, 1, 0), 0);
  for (int round = 0; round < 3; ++round) {
    Call call([&] { return epoll_wait(epoll, &got, 1, kPatienceMs); });
    EXPECT_FALSE(call.is_done());
    send(a, "1");
    send(a, "2");
    ASSERT_EQ(call.result(), 1);
    EXPECT_EQ(got.events, unsigned{EPOLLIN});
    EXPECT_EQ(receive(b), "1");
    EXPECT_EQ(receive(b), "2");
    EXPECT_EQ(receiving(b, IPN_MSG_DONTWAIT)(), -EAGAIN);
  }
  close(epoll);
}

// Fork ------------------------------------------------------------------------

/// Both processes can use it then.
void share(const Node& node) {
  if (is_fast(node)) {
    ASSERT_EQ(ipn_setdoor(node, IPN_DOOR_DEVICE), 0) << explain(node);
  }
}

TEST(Fork, TheChildHasTheSameNode) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  share(a);
  send(b, "1");
  send(b, "2");
  pollfd both{ipn_fd(a), POLLIN, 0};
  ASSERT_EQ(poll(&both, 1, kPatienceMs), 1);
  EXPECT_TRUE(holds_in_child([&] {
    char byte = 0;
    return ipn_recv(a, &byte, 1, IPN_MSG_DONTWAIT) == 1 && byte == '1' &&
           ipn_send(a, "kid", 3, 0) == 3 && ipn_close(a) == 0;
  }));
  EXPECT_EQ(receive(b), "kid");
  EXPECT_EQ(receive(a), "2");
}

TEST(Fork, AThreadOfTheParentIsNotInTheWayOfTheChild) {
  const std::string net = new_name();
  const Node a = member(net), b = member(net);
  share(a);
  Call call(receiving(a));
  EXPECT_FALSE(call.is_done());
  EXPECT_TRUE(holds_in_child([&] {
    return receiving(a, IPN_MSG_DONTWAIT)() == -EAGAIN && ipn_send(a, "kid", 3, 0) == 3;
  }));
  EXPECT_EQ(receive(b), "kid");
  EXPECT_FALSE(call.is_done());
  send(b, "abc");
  EXPECT_EQ(call.result(), 3);
}

}  // namespace
}  // namespace ipn::library_tests
