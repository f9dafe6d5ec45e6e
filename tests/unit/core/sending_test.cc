// SPDX-License-Identifier: MIT
// Sending and receiving through a broadcast network: order, room, who waits for
// whom, deadlines, and the name of every loss. With both kinds of log.
#include <gtest/gtest.h>

#include "tests/unit/core/core_fixture.h"

namespace ipn::test {
namespace {

using Texts = std::vector<std::string>;

class Sending : public BothKinds {
 protected:
  /// A lossless network "net" in which `pool` messages fit.
  const Network& make_lossless(std::uint32_t pool, std::uint32_t deadline_ms = 0) {
    NetworkConfig config = lossless("net");
    config.pool = pool;
    config.deadline_ms = deadline_ms;
    return world.add(config);
  }
  bool writable(Member& member) { return world.core.readiness(*member).writable; }
  bool readable(Member& member) { return world.core.readiness(*member).readable; }
  static std::uint64_t dropped(Member& member, DropReason reason) {
    return member->counters().drops[reason];
  }
  Member& sender_only() { return world.join("net", user(0), IPN_ROLE_SEND); }
  Member& reader_only() { return world.join("net", user(0), IPN_ROLE_RECV); }
};
IPN_BOTH_KINDS(Sending);

// Order and contents ------------------------------------------------------------

TEST_P(Sending, ReachesEveryOtherNodeInOneOrder) {  // [52, 53]
  world.add(lossless("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  Member& c = world.join("net");
  ASSERT_EQ(world.send(a, "a1"), 0);
  EXPECT_EQ(world.last.receivers, 2u);
  EXPECT_EQ(world.last.seq, is_shared() ? 1u : 0u);
  ASSERT_EQ(world.send(b, "b1"), 0);
  ASSERT_EQ(world.send(c, "c1"), 0);
  ASSERT_EQ(world.send(a, "a2"), 0);
  EXPECT_EQ(world.receive_all(a), (Texts{"b1", "c1"}));
  EXPECT_EQ(world.receive_all(b), (Texts{"a1", "c1", "a2"}));
  EXPECT_EQ(world.receive_all(c), (Texts{"a1", "b1", "a2"}));
}

TEST_P(Sending, TellsWhoSentAndWhen) {
  world.add(lossy("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  const TimeNs sent_at = world.clock.realtime;
  ASSERT_EQ(world.core.send(*a, {pieces_of("m"), 0, 3}).kind, SendOutcome::Kind::kSent);
  world.advance(kSecond);
  EXPECT_EQ(world.receive(b), "m");
  EXPECT_EQ(world.received.source, a->id());
  EXPECT_EQ(world.received.port, *a->port());
  EXPECT_EQ(world.received.time, sent_at);
  EXPECT_EQ(world.received.hops, 3);
  EXPECT_EQ(world.received.lost, 0u);
}

TEST_P(Sending, PrivateLogsNumberByThemselvesWithoutGap) {
  world.add(lossless("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  for (int i = 1; i <= 5; ++i) {
    ASSERT_EQ(world.send(a, "a"), 0);
    ASSERT_EQ(world.send(b, "b"), 0);
    ASSERT_EQ(world.receive(b), "a");
    EXPECT_EQ(world.received.seq,
              is_shared() ? 2u * static_cast<unsigned>(i) - 1 : static_cast<unsigned>(i));
  }
}

TEST_P(Sending, JoinsPiecesThatLieApart) {
  world.add(lossy("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.core.send(*a, {{bytes_of("one "), bytes_of("two")}, 0, 0}).kind,
            SendOutcome::Kind::kSent);
  EXPECT_EQ(world.receive(b), "one two");
}

TEST_P(Sending, AMessageOfNoBytesIsAMessage) {  // [48]
  world.add(lossless("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.send(a, ""), 0);
  EXPECT_TRUE(readable(b));
  EXPECT_EQ(world.receive(b), "");
  EXPECT_EQ(world.receive(b), "<empty>");
  EXPECT_EQ(b->counters().msgs_out, 1u);
}

TEST_P(Sending, PeekLeavesTheMessageAndConsumeTakesIt) {
  world.add(lossy("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.send(a, "m"), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(text_of(world.core.peek(*b).message.payload), "m");
  }
  world.core.consume(*b);
  EXPECT_EQ(world.core.peek(*b).kind, RecvOutcome::Kind::kWouldBlock);
}

TEST_P(Sending, CountsWhatWentInAndOut) {
  const Network& network = world.add(lossy("net"));
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.send(a, "12345"), 0);
  ASSERT_EQ(world.send(a, "123"), 0);
  world.receive(b);
  EXPECT_EQ(a->counters().msgs_in, 2u);
  EXPECT_EQ(a->counters().bytes_in, 8u);
  EXPECT_EQ(b->counters().msgs_out, 1u);
  EXPECT_EQ(b->counters().bytes_out, 5u);
  EXPECT_EQ(network.msgs(), 2u);
  EXPECT_EQ(network.bytes(), 8u);
  world.close(a);
  world.close(b);
  ASSERT_TRUE(world.core.end_network(network.id(), user(0)));
  EXPECT_EQ(world.core.totals().msgs, 2u) << "totals outlive the network";
  EXPECT_EQ(world.core.totals().drops[DropReason::kClosed], 1u);
}

// Sizes -------------------------------------------------------------------------

TEST_P(Sending, WhatIsLongerThanTheMtuIsRefusedAndCounted) {  // [46, D21]
  NetworkConfig config = lossy("net");
  config.mtu = 10;
  const Network& network = world.add(config);
  Member& a = world.join("net");
  Member& b = world.join("net");
  EXPECT_EQ(world.send(a, "0123456789"), 0);
  EXPECT_EQ(world.send(a, "0123456789x"), EMSGSIZE);
  EXPECT_EQ(dropped(a, DropReason::kTooLong), 1u);
  EXPECT_EQ(network.drops()[DropReason::kTooLong], 1u);
  EXPECT_EQ(world.receive_all(b), (Texts{"0123456789"}));
}

TEST_P(Sending, ALogHoldsFourMessagesOfTheMtuWhateverItsPlace) {
  for (const std::uint32_t mtu : {1u, 32u, 224u, 480u, 1514u, 2016u, 9000u, 65536u}) {
    NetworkConfig config = lossless("net" + std::to_string(mtu));
    config.mtu = mtu;
    config.log_bytes = 1;  // as little as there may be
    const Network& network = world.add(config);
    Member& sender = world.join(config.name, user(0), IPN_ROLE_SEND);
    Member& reader = world.join(config.name, user(0), IPN_ROLE_RECV);
    for (int offset = 0; offset < 50; ++offset) {
      ASSERT_EQ(world.send(sender, ""), 0);
      ASSERT_EQ(world.receive(reader), "");
      for (int i = 0; i < 4; ++i) {
        ASSERT_EQ(world.send(sender, std::string(mtu, 'x')), 0) << mtu << " at " << offset;
      }
      ASSERT_EQ(world.receive_all(reader).size(), 4u);
    }
    EXPECT_EQ(network.drops().total(), 0u);
  }
}

TEST_P(Sending, ThePoolIsExactWhereTheBytesAreChosen) {
  for (const auto& [mtu, pool] :
       {std::pair{992u, 1024u}, {1514u, 1000u}, {32u, 65535u}, {1u, 1u}}) {
    NetworkConfig config = lossless("net" + std::to_string(mtu));
    config.mtu = mtu;
    config.pool = pool;
    world.add(config);
    Member& sender = world.join(config.name, user(0), IPN_ROLE_SEND);
    Member& reader = world.join(config.name, user(0), IPN_ROLE_RECV);
    if (mtu == 32) continue;               // 65535 such messages take more than we choose
    ASSERT_EQ(world.send(sender, ""), 0);  // moves the rest out of line
    ASSERT_EQ(world.receive(reader), "");
    std::uint32_t accepted = 0;
    while (world.send(sender, std::string(mtu, 'x')) == 0) ++accepted;
    EXPECT_EQ(accepted, pool) << mtu;
  }
}

// Lossy -------------------------------------------------------------------------

TEST_P(Sending, LossyNetworksNeverBlockAndLoseByTheirRule) {  // [60, D55]
  NetworkConfig config = lossy("net");
  config.pool = 3;
  world.add(config);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(writable(sender));
    ASSERT_EQ(world.send(sender, std::to_string(i)), 0);
  }
  if (is_shared()) {
    EXPECT_EQ(world.receive_all(reader), (Texts{"5", "6", "7"})) << "the oldest are lost";
    EXPECT_EQ(dropped(reader, DropReason::kLapped), 5u);
  } else {
    EXPECT_EQ(world.receive_all(reader), (Texts{"0", "1", "2"})) << "the newest are lost";
    EXPECT_EQ(dropped(reader, DropReason::kLogFull), 5u);
    ASSERT_EQ(world.send(sender, "8"), 0);
    EXPECT_EQ(world.receive(reader), "8");
    EXPECT_EQ(world.received.lost, 5u) << "and told with the next";
  }
}

TEST_P(Sending, ASlowReaderOfALossyNetworkTakesNothingFromOthers) {
  NetworkConfig config = lossy("net");
  config.pool = 2;
  world.add(config);
  Member& sender = world.join("net");
  Member& fast = world.join("net");
  Member& slow = world.join("net");
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(world.send(sender, std::to_string(i)), 0);
    ASSERT_EQ(world.receive(fast), std::to_string(i));
  }
  EXPECT_EQ(fast->counters().drops.total(), 0u);
  EXPECT_EQ(world.receive_all(slow).size(), 2u);
  EXPECT_EQ(slow->counters().drops.total(), 18u);
}

// Lossless: room and waiting ------------------------------------------------------

TEST_P(Sending, LosslessAcceptsExactlyPoolMessages) {  // [61, 62, D10]
  make_lossless(3);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(writable(sender));
    ASSERT_EQ(world.send(sender, std::to_string(i)), 0);
  }
  EXPECT_FALSE(writable(sender));
  EXPECT_EQ(world.send(sender, "x"), EAGAIN);  // [D24]
  EXPECT_EQ(sender->counters().msgs_in, 3u);
  EXPECT_EQ(world.receive(reader), "0");
  EXPECT_TRUE(writable(sender));
  EXPECT_EQ(world.send(sender, "3"), 0);
  EXPECT_EQ(world.receive_all(reader), (Texts{"1", "2", "3"}));
}

TEST_P(Sending, EveryReceiverHasToHaveRoom) {
  make_lossless(2);
  Member& sender = sender_only();
  Member& a = reader_only();
  Member& b = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), 0);
  world.receive_all(a);
  EXPECT_EQ(world.send(sender, "3"), EAGAIN);
  EXPECT_EQ(world.receive(a), "<empty>") << "all or nobody";
  world.receive(b);
  EXPECT_EQ(world.send(sender, "3"), 0);
  EXPECT_EQ(world.receive_all(a), (Texts{"3"}));
  EXPECT_EQ(world.receive_all(b), (Texts{"2", "3"}));
}

TEST_P(Sending, AWaitingMessageGoesWhenThereIsRoom) {
  make_lossless(1);
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  EXPECT_TRUE(sender.done.empty());
  EXPECT_EQ(sender->parked_sends(), 1u);
  EXPECT_EQ(sender->network()->blocked_senders(), 1u);
  EXPECT_EQ(world.receive(reader), "1");
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].outcome.kind, SendOutcome::Kind::kSent);
  EXPECT_EQ(sender.done[0].outcome.receivers, 1u);
  EXPECT_EQ(sender->network()->blocked_senders(), 0u);
  EXPECT_EQ(world.receive(reader), "2");
}

TEST_P(Sending, NobodyOvertakesWhoWaits) {
  make_lossless(2);
  Member& a = sender_only();
  Member& b = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(a, "1"), 0);
  ASSERT_EQ(world.send(a, "2"), 0);
  Parked third("3"), fourth("4"), fifth("5");
  world.park(a, third);
  world.park(b, fourth);
  world.park(a, fifth);
  Texts got;
  for (int i = 0; i < 2; ++i) {
    got.push_back(world.receive(reader));
    EXPECT_FALSE(writable(b)) << "somebody stands before you";
    EXPECT_EQ(world.send(b, "overtakes"), EAGAIN);
  }
  for (std::string text = world.receive(reader); text[0] != '<'; text = world.receive(reader)) {
    got.push_back(text);
  }
  EXPECT_EQ(got, (Texts{"1", "2", "3", "4", "5"}));
}

TEST_P(Sending, ASmallMessageDoesNotOvertakeALargeOne) {
  NetworkConfig config = lossless("net");
  config.mtu = 1000;
  config.log_bytes = 8192;
  world.add(config);
  Member& sender = sender_only();
  Member& reader = reader_only();
  int filled = 0;
  while (world.send(sender, std::string(1000, 'f')) == 0) ++filled;
  while (world.send(sender, std::string(100, 'f')) == 0) ++filled;
  Parked large(std::string(1000, 'L'));
  world.park(sender, large);
  EXPECT_EQ(world.send(sender, ""), EAGAIN);
  Texts got;
  for (std::string text = world.receive(reader); text[0] != '<'; text = world.receive(reader)) {
    got.push_back(text);
  }
  EXPECT_EQ(got.size(), static_cast<std::size_t>(filled) + 1);
  EXPECT_EQ(got.back()[0], 'L');
}

TEST_P(Sending, ACancelledMessageIsNotSentAndTheNextMayGo) {
  NetworkConfig config = lossless("net");
  config.mtu = 1000;
  config.log_bytes = 8192;
  world.add(config);
  Member& sender = sender_only();
  Member& reader = reader_only();
  while (world.send(sender, std::string(1000, 'f')) == 0) {
  }
  Parked large(std::string(1000, 'L')), small("small");
  world.park(sender, large);
  world.park(sender, small);
  world.core.cancel(large.send);
  world.core.dispatch();
  ASSERT_EQ(sender.done.size(), 1u) << "the small one fits";
  EXPECT_EQ(sender.done[0].send, &small.send);
  EXPECT_EQ(sender->parked_bytes(), 0u);
  world.core.cancel(large.send);
  Texts got = world.receive_all(reader);
  EXPECT_EQ(got.back(), "small");
  for (const std::string& text : got) EXPECT_NE(text[0], 'L');
}

TEST_P(Sending, MessagesOfAClosedNodeAreForgotten) {
  make_lossless(1);
  Member& a = world.join("net", user(7));
  Member& b = sender_only();
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(a, "1"), 0);
  Parked second("2"), third("3");
  world.park(a, second);
  world.park(b, third);
  world.close(a);
  EXPECT_TRUE(a.done.empty()) << "a closed node is told nothing";
  EXPECT_TRUE(world.core.account_of(Uid{7}).is_empty());
  EXPECT_EQ(world.receive(reader), "1");
  EXPECT_EQ(world.receive(reader), "3");
  EXPECT_EQ(world.receive(reader), "<empty>");
}

TEST_P(Sending, AReceiverThatLeavesIsInNobodysWay) {
  make_lossless(1);
  Member& sender = sender_only();
  Member& reader = reader_only();
  Member& stuck = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  EXPECT_EQ(world.receive(reader), "1");
  EXPECT_TRUE(sender.done.empty());
  world.close(stuck);
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(world.receive(reader), "2");
}

TEST_P(Sending, WhenAllReceiversLeaveWaitingMessagesGoToNobody) {
  make_lossless(1);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  world.close(reader);
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(sender.done[0].outcome.receivers, 0u);
  EXPECT_EQ(dropped(sender, DropReason::kNoReceiver), 1u);
}

TEST_P(Sending, WhoHasNoReceiverWaitsForNobody) {
  // The only reader sends, too; nobody would get its message.
  make_lossless(1);
  Member& sender = sender_only();
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  EXPECT_TRUE(writable(reader));
  EXPECT_EQ(world.send(reader, "to nobody"), 0);
  EXPECT_EQ(dropped(reader, DropReason::kNoReceiver), 1u);
  EXPECT_EQ(world.receive_all(reader), (Texts{"1", "2"}));
}

TEST_P(Sending, ANodeThatOnlySendsRunsForEver) {
  make_lossless(2);
  Member& talker = world.join("net");  // it could read, and never does
  Member& reader = world.join("net");
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(world.send(talker, "m"), 0);
    ASSERT_EQ(world.receive(reader), "m");
  }
}

// Readiness and wake-ups -----------------------------------------------------------

TEST_P(Sending, WakesAReaderOnceForTheFirstMessage) {
  world.add(lossy("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, "1"), 0);
  EXPECT_EQ(reader.readies, 0) << "it wanted nothing";
  world.core.want(*reader, kWantReadable);
  ASSERT_EQ(world.send(sender, "2"), 0);
  EXPECT_EQ(reader.readies, 1);
  ASSERT_EQ(world.send(sender, "3"), 0);
  EXPECT_EQ(reader.readies, 1) << "wants have to be renewed";
}

TEST_P(Sending, OwnMessagesWakeNobody) {
  world.add(lossy("net"));
  Member& sender = world.join("net");
  world.join("net");
  world.core.want(*sender, kWantReadable);
  ASSERT_EQ(world.send(sender, "1"), 0);
  EXPECT_EQ(sender.readies, 0);
  EXPECT_FALSE(readable(sender));
}

TEST_P(Sending, WakesAWriterWhenAMessageOfTheMtuFitsEverybody) {
  NetworkConfig config = lossless("net");
  config.mtu = 1000;
  config.log_bytes = 8192;
  world.add(config);
  Member& sender = sender_only();
  Member& reader = reader_only();
  while (world.send(sender, std::string(900, 'f')) == 0) {
  }
  while (world.send(sender, "") == 0) {
  }
  EXPECT_FALSE(writable(sender));
  world.core.want(*sender, kWantWritable);
  while (sender.readies == 0) {
    ASSERT_FALSE(writable(sender));
    ASSERT_NE(world.receive(reader), "<empty>");
  }
  EXPECT_TRUE(writable(sender));
  EXPECT_EQ(world.send(sender, std::string(1000, 'x')), 0);
}

TEST_P(Sending, WakesWritersAfterThoseWhoWaitedHaveSent) {
  make_lossless(1);
  Member& a = sender_only();
  Member& b = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(a, "1"), 0);
  Parked second("2");
  world.park(a, second);
  world.core.want(*b, kWantWritable);
  world.receive(reader);
  EXPECT_EQ(b.readies, 0) << "the room went to who waited";
  world.receive(reader);
  EXPECT_EQ(b.readies, 1);
  EXPECT_TRUE(writable(b));
}

TEST_P(Sending, TellsWhoWaitsForMembers) {
  world.add(lossy("net"));
  Member& a = world.join("net");
  EXPECT_EQ(world.core.peers_of(*a), 0u);
  world.core.want(*a, kWantMembership);
  Member& b = world.join("net");
  EXPECT_EQ(a.readies, 1);
  EXPECT_EQ(world.core.peers_of(*a), 1u);
  world.core.want(*a, kWantMembership);
  world.close(b);
  EXPECT_EQ(a.readies, 2);
  EXPECT_EQ(world.core.peers_of(*a), 0u);
}

TEST_P(Sending, TellsWhoPolledBeforeItConnected) {
  world.add(lossy("net"));
  Member& member = world.open();
  world.core.want(*member, kWantWritable);
  ASSERT_EQ(world.connect(member, "net"), 0);
  world.core.dispatch();
  EXPECT_EQ(member.readies, 1);
}

TEST_P(Sending, ASinkMayCloseItsNodeAndSendFromWithinACall) {
  make_lossless(1);
  Member& a = sender_only();
  Member& b = sender_only();
  Member& reader = reader_only();
  Member& poller = reader_only();
  ASSERT_EQ(world.send(a, "1"), 0);
  Parked second("2"), third("3"), fourth("4");
  world.park(a, second);
  world.park(b, third);
  int resent = 0;
  a.when_done = [&] {
    ++resent;
    const SendOutcome outcome = world.core.send(*a, fourth.send.message);
    ASSERT_EQ(outcome.kind, SendOutcome::Kind::kWouldBlock);
    ASSERT_EQ(world.core.park(fourth.send), 0);
    a.when_done = nullptr;
  };
  poller.when_ready = [&] { world.core.close_node(*poller); };
  world.core.want(*poller, kWantReadable);
  world.receive(poller);
  world.core.want(*poller, kWantReadable);
  EXPECT_EQ(world.receive(reader), "1");
  EXPECT_EQ(resent, 1);
  EXPECT_EQ(poller.readies, 1);
  EXPECT_EQ(world.receive_all(reader), (Texts{"2", "3", "4"}));
}

// Deadline -------------------------------------------------------------------------

TEST_P(Sending, DisconnectsByNameWhoBlocksSendersForTheDeadline) {  // [D14]
  const Network& network = make_lossless(2, 30'000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  Credentials culprit = user(9);
  culprit.program = "sleeper";
  Member& sleeper = world.join("net", culprit);
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), 0);
  world.receive_all(reader);
  world.advance(100 * kSecond);
  EXPECT_TRUE(world.observer.evictions.empty()) << "a full log alone blocks nobody";
  Parked third("3");
  world.park(sender, third);
  ASSERT_TRUE(world.core.next_timer().has_value());
  EXPECT_EQ(*world.core.next_timer(), world.clock.monotonic + 30 * kSecond);
  EXPECT_EQ(world.core.view(*sleeper).blocking_ns, 1) << "0 would say that nobody waits";
  world.advance(30 * kSecond - 1);
  EXPECT_EQ(world.core.view(*sleeper).blocking_ns, 30 * kSecond - 1);
  EXPECT_TRUE(sender.done.empty());
  EXPECT_EQ(sleeper->state(), Node::State::kConnected);
  world.advance(1);
  ASSERT_EQ(world.observer.evictions.size(), 1u);
  EXPECT_EQ(world.observer.evictions[0].network, "net");
  EXPECT_EQ(world.observer.evictions[0].program, "sleeper");
  EXPECT_EQ(world.observer.evictions[0].port, 2u);
  EXPECT_EQ(world.observer.evictions[0].pid, 1009u);
  EXPECT_EQ(world.observer.evictions[0].blocked_ns, 30 * kSecond);
  EXPECT_EQ(sleeper->state(), Node::State::kEnded);
  EXPECT_EQ(dropped(sleeper, DropReason::kEvicted), 2u);
  EXPECT_EQ(network.drops()[DropReason::kEvicted], 2u);
  EXPECT_EQ(world.core.totals().evictions, 1u);
  ASSERT_EQ(sender.done.size(), 1u);
  EXPECT_EQ(world.receive_all(reader), (Texts{"3"}));
  EXPECT_FALSE(world.core.next_timer().has_value());
}

TEST_P(Sending, WhoReadsSlowlyIsNotDisconnected) {
  make_lossless(1, 1000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  std::deque<Parked> waiting;
  for (int i = 0; i < 10; ++i) world.park(sender, waiting.emplace_back("m"));
  for (int i = 0; i < 10; ++i) {
    world.advance(999 * kMillisecond);
    ASSERT_NE(world.receive(reader), "<end>");
  }
  EXPECT_TRUE(world.observer.evictions.empty());
}

TEST_P(Sending, ReadingALittleOnlyBuysAnotherDeadline) {
  make_lossless(1, 1000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2"), third("3");
  world.park(sender, second);
  world.park(sender, third);
  world.advance(900 * kMillisecond);
  EXPECT_EQ(world.receive(reader), "1");
  world.advance(999 * kMillisecond);
  EXPECT_TRUE(world.observer.evictions.empty());
  world.advance(1 * kMillisecond);
  EXPECT_EQ(world.observer.evictions.size(), 1u);
}

TEST_P(Sending, WhoGotEagainAndDoesNotWaitIsHeldUpByNobody) {
  make_lossless(1, 1000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), EAGAIN);
  world.advance(10 * kSecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected);
  Parked second("2");
  world.park(sender, second);
  world.advance(999 * kMillisecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected) << "it counts from where one waits";
  world.advance(1 * kMillisecond);
  EXPECT_EQ(reader->state(), Node::State::kEnded);
}

TEST_P(Sending, NobodyIsInTheWayOfSendersThatGaveUp) {
  make_lossless(1, 1000);
  Member& sender = sender_only();
  Member& other = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2"), third("3");
  world.park(sender, second);
  world.advance(900 * kMillisecond);
  world.core.cancel(second.send);
  world.core.dispatch();
  EXPECT_EQ(world.core.view(*reader).blocking_ns, 0);
  world.advance(10 * kSecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected);
  world.park(sender, second);
  world.advance(500 * kMillisecond);
  world.park(other, third);
  world.core.cancel(second.send);
  world.advance(500 * kMillisecond);
  EXPECT_EQ(reader->state(), Node::State::kEnded) << "the other one still waits";
}

TEST_P(Sending, WhoHasPolledAndGoneOnIsNotHeldUp) {
  make_lossless(1, 1000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  world.core.want(*sender, kWantWritable | kWantMembership);
  EXPECT_NE(world.core.next_timer(), std::nullopt);
  sender_only();
  ASSERT_EQ(sender.readies, 1) << "it has its answer and asks no more";
  world.advance(10 * kSecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected);
  EXPECT_EQ(world.core.view(*reader).blocking_ns, 0);
}

TEST_P(Sending, WhoWaitsForPolloutIsBlockedToo) {
  make_lossless(2, 1000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  ASSERT_EQ(world.send(sender, "2"), 0);
  world.core.want(*sender, kWantWritable);
  world.advance(kSecond);
  EXPECT_EQ(reader->state(), Node::State::kEnded);
  EXPECT_EQ(sender.readies, 1);
  EXPECT_TRUE(writable(sender));
}

TEST_P(Sending, WhoReadsTooLittleForPolloutBlocksOn) {
  NetworkConfig config = lossless("net");
  config.mtu = 1000;
  config.log_bytes = 8192;
  config.deadline_ms = 1000;
  world.add(config);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, ""), 0);
  while (world.send(sender, std::string(1000, 'f')) == 0) {
  }
  while (world.send(sender, "") == 0) {
  }
  world.core.want(*sender, kWantWritable);
  world.advance(900 * kMillisecond);
  EXPECT_EQ(world.receive(reader), "") << "32 bytes are not enough";
  EXPECT_FALSE(writable(sender));
  world.advance(900 * kMillisecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected);
  world.advance(100 * kMillisecond);
  EXPECT_EQ(reader->state(), Node::State::kEnded);
  EXPECT_EQ(sender.readies, 1);
}

TEST_P(Sending, NobodyIsInTheWayOfSendersThatAreGone) {
  make_lossless(1, 1000);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  world.core.want(*sender, kWantWritable);
  world.close(sender);
  world.advance(10 * kSecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected);
  Member& late = sender_only();
  world.core.want(*late, kWantWritable);
  world.advance(999 * kMillisecond);
  EXPECT_EQ(world.receive(reader), "1") << "its deadline began with the new sender";
}

TEST_P(Sending, ADeadlineThatComesLaterCountsFromTheBeginning) {
  const Network& network = make_lossless(1);
  Member& sender = sender_only();
  Member& reader = reader_only();
  ASSERT_EQ(world.send(sender, "1"), 0);
  Parked second("2");
  world.park(sender, second);
  world.advance(100 * kSecond);
  EXPECT_EQ(reader->state(), Node::State::kConnected) << "no deadline";
  NetworkChange deadline;
  deadline.deadline_ms = 5000;
  ASSERT_TRUE(world.core.change_network(network.id(), deadline, 0, user(0)));
  world.advance(0);
  EXPECT_EQ(reader->state(), Node::State::kEnded);
}

TEST_P(Sending, OfTwoThatBlockEachOtherTheDeadlineTakesOne) {
  make_lossless(is_shared() ? 2 : 1, 1000);
  Member& a = world.join("net");
  Member& b = world.join("net");
  ASSERT_EQ(world.send(a, "1"), 0);
  ASSERT_EQ(world.send(b, "1"), 0);
  Parked of_a("2"), of_b("2");
  world.park(a, of_a);
  world.park(b, of_b);
  world.advance(kSecond);
  EXPECT_EQ(world.observer.evictions.size(), 1u);
  const bool a_is_left = a->state() == Node::State::kConnected;
  const bool b_is_left = b->state() == Node::State::kConnected;
  EXPECT_NE(a_is_left, b_is_left);
  world.advance(10 * kSecond);
  EXPECT_EQ(world.observer.evictions.size(), 1u) << "who is alone blocks nobody";
}

// Named losses ---------------------------------------------------------------------

TEST_P(Sending, WithoutAReceiverIsCountedAtTheSender) {
  const Network& network = world.add(lossless("net"));
  Member& sender = world.join("net");
  EXPECT_EQ(world.send(sender, "m"), 0);
  EXPECT_EQ(world.last.receivers, 0u);
  EXPECT_EQ(dropped(sender, DropReason::kNoReceiver), 1u);
  EXPECT_EQ(network.drops()[DropReason::kNoReceiver], 1u);
  Member& reader = world.join("net");
  EXPECT_EQ(world.receive(reader), "<empty>");
}

TEST_P(Sending, ToSomebodyInParticularIsNotForABroadcast) {
  world.add(lossy("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  EXPECT_EQ(world.send(sender, "m", 7), EOPNOTSUPP);
  EXPECT_EQ(world.receive(reader), "<empty>");
}

TEST_P(Sending, WhatADoorDiscardsIsCountedAndNotDelivered) {  // [D27]
  const Network& network = world.add(lossless("net"));
  Member& sender = world.join("net");
  Member& reader = world.join("net");
  ASSERT_EQ(world.send(sender, ""), 0);
  ASSERT_EQ(world.send(sender, "m"), 0);
  world.core.discard(*reader, DropReason::kEmpty);
  EXPECT_EQ(world.receive(reader), "m");
  EXPECT_EQ(reader->counters().msgs_out, 1u);
  EXPECT_EQ(network.drops()[DropReason::kEmpty], 1u);
}

TEST_P(Sending, WhatADoorRefusesCountsAtItsNodeWithOrWithoutANetwork) {
  const Network& network = world.add(lossless("net"));
  Member& member = world.open();
  member->count_drop(DropReason::kMalformed);
  ASSERT_EQ(world.connect(member, "net"), 0);
  member->count_drop(DropReason::kMalformed);
  EXPECT_EQ(dropped(member, DropReason::kMalformed), 2u);
  EXPECT_EQ(network.drops()[DropReason::kMalformed], 1u);
}

}  // namespace
}  // namespace ipn::test
