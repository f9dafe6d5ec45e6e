// SPDX-License-Identifier: MIT
//
// Calls that sleep: what wakes them, in which order, and with which errno.
#include <poll.h>
#include <utility>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

using Sleepers = std::vector<std::unique_ptr<Sleeper>>;

std::string argument_of(const ipn_wait_peers& request) {
  return {reinterpret_cast<const char*>(&request), sizeof request};
}

std::unique_ptr<Sleeper> start_wait_peers(File& file, std::uint32_t readers,
                                          std::uint32_t timeout_ms) {
  return file.start_ioctl(IPN_IOC_WAIT_PEERS, argument_of(wait_peers_of(readers, timeout_ms)));
}

std::unique_ptr<Sleeper> start_receive(File& file, std::size_t room) {
  return file.start_ioctl(IPN_IOC_RECV(room), receive_argument(room));
}

std::unique_ptr<Sleeper> start_send(File& file, std::string_view payload) {
  return file.start_ioctl(IPN_IOC_SEND(payload.size()), with_header(payload));
}

TEST_F(EveryDoor, AReaderSleepsUntilAMessageComes) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const auto reader = sleeping(b->start_read(100));
  EXPECT_EQ(a->write("good morning"), value(12));
  EXPECT_EQ(reader->wait(), message("good morning"));
  const auto by_ioctl = sleeping(start_receive(*b, 100));
  EXPECT_EQ(a->write("again"), value(5));
  const Answer answer = by_ioctl->wait();
  EXPECT_EQ(answer.error, 0);
  EXPECT_EQ(take_apart(message(answer.data)).payload.substr(0, 5), "again");
}

TEST_F(EveryDoor, WhetherACallMaySleepIsDecidedAtTheCall) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = open(O_RDWR | O_NONBLOCK);
  ASSERT_EQ(connect(*b, name()), 0);
  EXPECT_EQ(b->read(100), failure(EAGAIN));
  b->set_nonblocking(false);
  const auto reader = sleeping(b->start_read(100));
  b->set_nonblocking(true);
  EXPECT_FALSE(reader->is_done()) << "it sleeps already";
  if (!world().has_library()) {  // which lets one thread receive
    EXPECT_EQ(b->read(100), failure(EAGAIN));
    EXPECT_NE(explain(*b).find("poll"), std::string::npos) << explain(*b);
  }
  EXPECT_EQ(a->write("x"), value(1));
  EXPECT_EQ(reader->wait(), message("x"));

  EXPECT_EQ(a->write("fills it"), value(8));
  a->set_nonblocking(true);
  EXPECT_EQ(a->write("y"), failure(EAGAIN));
  a->set_nonblocking(false);
  EXPECT_EQ(send(*a, "y", IPN_MSG_DONTWAIT).error, EAGAIN);
  const auto writer = sleeping(a->start_write("y"));
  EXPECT_EQ(b->read(100), message("fills it"));
  EXPECT_EQ(writer->wait(), value(1));
  EXPECT_EQ(b->read(100), message("y"));
}

TEST_F(EveryDoor, DontwaitInTheHeaderWorksPerWrite) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  set_header_mode(*a);
  EXPECT_EQ(a->write(with_header("1", IPN_MSG_DONTWAIT)), value(IPN_MSG_HDR + 1));
  EXPECT_EQ(a->write(with_header("2", IPN_MSG_DONTWAIT)), failure(EAGAIN));
  const auto writer = sleeping(a->start_write(with_header("2")));
  EXPECT_EQ(b->read(10), message("1"));
  EXPECT_EQ(writer->wait(), value(IPN_MSG_HDR + 1));
}

TEST_F(EveryDoor, ASignalEndsEverySleep) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  ASSERT_EQ(a->write("full"), value(4));

  const auto c = member(*net);
  Sleepers sleepers;
  sleepers.push_back(c->start_read(100));
  sleepers.push_back(c->start_read(100));
  sleepers.push_back(start_receive(*c, 100));
  sleepers.push_back(a->start_write("never"));
  sleepers.push_back(start_send(*a, "never"));
  sleepers.push_back(start_wait_peers(*a, 30, 0));
  sleepers.push_back(c->start_poll(POLLIN));
  EXPECT_EQ(net->record().blocked_senders, 2U);
  for (const auto& sleeper : sleepers) EXPECT_FALSE(sleeper->is_done());
  for (const auto& sleeper : sleepers) {
    sleeper->interrupt();
    EXPECT_EQ(sleeper->wait(), failure(EINTR));
  }
  EXPECT_EQ(net->record().blocked_senders, 0U);
  EXPECT_EQ(stats(net->admin()).uid_parked_bytes, 0U);
  // What was interrupted was not sent, and took nothing.
  EXPECT_EQ(b->read(100), message("full"));
  ASSERT_EQ(a->write("after"), value(5));
  EXPECT_EQ(b->read(100), message("after"));
  EXPECT_EQ(c->read(100), message("after"));
}

TEST_F(EveryDoor, ReadersOfOneFileAreAnsweredInTheOrderInWhichTheyCame) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  Sleepers readers;
  for (int i = 0; i < 5; ++i) readers.push_back(sleeping(b->start_read(100)));
  readers[2]->interrupt();
  EXPECT_EQ(readers[2]->wait(), failure(EINTR));
  for (const char* text : {"1", "2", "3", "4"}) ASSERT_EQ(a->write(text), value(1));
  EXPECT_EQ(readers[0]->wait(), message("1"));
  EXPECT_EQ(readers[1]->wait(), message("2"));
  EXPECT_EQ(readers[3]->wait(), message("3"));
  EXPECT_EQ(readers[4]->wait(), message("4"));
}

TEST_F(EveryDoor, BlockedWritersGoInTheOrderInWhichTheyCame) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 2});
  const auto a = member(*net);
  const auto b = member(*net);
  const auto reader = member(*net, IPN_ROLE_RECV);
  const auto lazy = member(*net, IPN_ROLE_RECV);
  ASSERT_EQ(a->write("1"), value(1));
  ASSERT_EQ(a->write("2"), value(1));
  EXPECT_EQ(b->read(9), message("1"));
  EXPECT_EQ(b->read(9), message("2"));
  Sleepers writers;
  writers.push_back(sleeping(a->start_write("3")));
  writers.push_back(sleeping(b->start_write("4")));
  writers.push_back(sleeping(a->start_write("gives up")));
  writers.push_back(sleeping(a->start_write("5")));
  EXPECT_EQ(net->record().blocked_senders, 4U);
  EXPECT_EQ(b->write(""), value(0)) << "nothing is nothing to wait for";
  const auto late = member(*net);
  late->set_nonblocking(true);
  EXPECT_EQ(late->write("6"), failure(EAGAIN)) << "nobody overtakes";
  writers[2]->interrupt();
  EXPECT_EQ(writers[2]->wait(), failure(EINTR));
  for (const char* text : {"1", "2", "3", "4", "5"}) {
    EXPECT_EQ(reader->read(9), message(text));
    EXPECT_EQ(lazy->read(9), message(text));
    b->set_nonblocking(true);
    b->read(9);
    a->set_nonblocking(true);
    a->read(9);
    late->read(9);
    a->set_nonblocking(false);
    b->set_nonblocking(false);
  }
  EXPECT_EQ(writers[0]->wait(), value(1));
  EXPECT_EQ(writers[1]->wait(), value(1));
  EXPECT_EQ(writers[3]->wait(), value(1));
  EXPECT_EQ(stats(*a).uid_parked_bytes, 0U);
}

TEST_F(EveryDoor, ABlockedSendReportsWhereItWent) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  const Sent first = send(*a, "1");
  const auto sender = sleeping(start_send(*a, "2"));
  EXPECT_EQ(b->read(9), message("1"));
  const Answer answer = sender->wait();
  ASSERT_EQ(answer.error, 0);
  const Received report = take_apart(message(answer.data));
  EXPECT_EQ(report.header.count, 1U);
  EXPECT_EQ(report.header.seq, first.seq + 1);
  EXPECT_EQ(b->read(9), message("2"));
}

TEST_F(EveryDoor, ShutdownWakesSleepers) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net, IPN_ROLE_RECV);
  ASSERT_EQ(a->write("full"), value(4));
  const auto reader = sleeping(a->start_read(10));
  const auto writer = sleeping(a->start_write("more"));
  const auto poller = sleeping(a->start_poll(POLLIN));
  EXPECT_EQ(shutdown(*a, IPN_SHUT_WR), 0);
  EXPECT_EQ(writer->wait(), failure(EPIPE));
  EXPECT_FALSE(reader->is_done());
  EXPECT_EQ(a->write("more"), failure(EPIPE));
  EXPECT_EQ(shutdown(*a, IPN_SHUT_RD), 0);
  EXPECT_EQ(reader->wait(), end_of_file());
  EXPECT_EQ(poller->wait(), value(POLLIN));
  EXPECT_EQ(b->read(10), message("full"));
}

TEST_F(EveryDoor, ShuttingTheReceiverThatWasFullLetsSendersGo) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net);
  auto c = member(*net);
  ASSERT_EQ(a->write("1"), value(1));
  EXPECT_EQ(c->read(9), message("1"));
  const auto writer = sleeping(a->start_write("2"));
  EXPECT_EQ(shutdown(*b, IPN_SHUT_RD), 0);
  EXPECT_EQ(writer->wait(), value(1));
  const auto next = sleeping(a->start_write("3"));
  c.reset();
  EXPECT_EQ(next->wait(), value(1)) << "nobody is left to wait for";
}

TEST_F(EveryDoor, AKickedNodeReadsTheEndAndSendsNothing) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1});
  const auto a = member(*net);
  const auto b = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*b, join), 0);
  ASSERT_EQ(b->write("full"), value(4));
  const auto reader = sleeping(b->start_read(10));
  const auto writer = sleeping(b->start_write("more"));
  const auto poller = sleeping(b->start_poll(0));
  EXPECT_EQ(kick(net->admin(), join.node), 0);
  EXPECT_EQ(reader->wait(), end_of_file());
  EXPECT_EQ(writer->wait(), failure(ECONNRESET));
  EXPECT_EQ(poller->wait(), value(POLLHUP));
  EXPECT_EQ(b->read(10), end_of_file());
  EXPECT_EQ(b->write("x"), failure(ECONNRESET));
  EXPECT_EQ(connect(*b, name()), ECONNRESET);
  EXPECT_EQ(shutdown(*b, IPN_SHUT_RD), ECONNRESET);
  EXPECT_EQ(b->poll(POLLIN), unsigned{POLLIN | POLLHUP});
  EXPECT_EQ(kick(net->admin(), join.node), ENOENT);
  EXPECT_EQ(net->record().nodes, 1U);
  EXPECT_EQ(a->read(10), message("full")) << "what it had sent stays";
}

TEST_F(EveryDoor, ANetworkThatEndsIsDrainedFirst) {
  auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 2});
  const auto a = member(*net);
  const auto b = member(*net);
  const auto idle = member(*net, IPN_ROLE_RECV);
  const auto other_idle = member(*net, IPN_ROLE_RECV);
  const auto manager = open();
  ASSERT_EQ(bind_to(*manager, name()), 0);
  ASSERT_EQ(a->write("1"), value(1));
  ASSERT_EQ(a->write("2"), value(1));
  for (const auto& reader : {&idle, &other_idle}) {
    EXPECT_EQ((*reader)->read(9), message("1"));
    EXPECT_EQ((*reader)->read(9), message("2"));
  }
  const auto writer = sleeping(a->start_write("3"));
  const auto reader = sleeping(idle->start_read(9));
  const auto receiver = sleeping(start_receive(*other_idle, 9));
  const auto waiter = sleeping(start_wait_peers(*a, 9, 0));
  const auto poller = sleeping(manager->start_poll(0));
  EXPECT_EQ(net_end(net->admin(), name()), 0);

  EXPECT_EQ(writer->wait(), failure(ECONNRESET));
  EXPECT_EQ(reader->wait(), end_of_file());
  const Answer end = receiver->wait();
  EXPECT_EQ(end.error, 0);
  EXPECT_EQ(take_apart(message(end.data)).header.hdr, 0);
  EXPECT_EQ(waiter->wait(), failure(ECONNRESET));
  EXPECT_EQ(poller->wait(), value(POLLHUP));

  EXPECT_EQ(connect(net->admin(), name()), ENOENT) << "newcomers find nothing";
  EXPECT_EQ(connect(*manager), ECONNRESET);
  EXPECT_NE(net->record().nflags & IPN_NET_TERMINATED, 0U);
  for (const ipn_node_record& node : list_nodes(net->admin(), net->id())) {
    EXPECT_NE(node.flags & IPN_NODE_ENDED, 0U);
  }
  EXPECT_EQ(a->write("4"), failure(ECONNRESET));
  EXPECT_EQ(b->poll(POLLIN), unsigned{POLLIN | POLLHUP});
  EXPECT_EQ(b->read(9), message("1"));
  EXPECT_EQ(b->read(9), message("2"));
  EXPECT_EQ(b->read(9), end_of_file());
  EXPECT_EQ(b->read(9), end_of_file());
  EXPECT_EQ(b->poll(POLLIN), unsigned{POLLIN | POLLHUP});
  EXPECT_EQ(stats(net->admin()).uid_parked_bytes, 0U);
  // The name is free, also while the old network drains.
  const auto other = open();
  EXPECT_EQ(bind_to(*other, name()), 0) << explain(*other);
}

TEST_F(EveryDoor, NothingIsDoneWithANodeWhoseNetworkIsGone) {
  const auto net = network();
  const auto a = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*a, join), 0);
  ASSERT_EQ(kick(net->admin(), join.node), 0);
  EXPECT_EQ(bind_to(*a, name()), ECONNRESET);
  EXPECT_NE(explain(*a).find("open again"), std::string::npos) << explain(*a);
  EXPECT_EQ(connect(*a, name()), ECONNRESET);
  EXPECT_EQ(set_option(*a, IPN_OPT_MTU, 100), ECONNRESET);
  EXPECT_EQ(shutdown(*a, IPN_SHUT_RDWR), ECONNRESET);
  EXPECT_EQ(send(*a, "x").error, ECONNRESET);
  auto request = wait_peers_of(1, 0);
  EXPECT_EQ(a->ioctl(IPN_IOC_WAIT_PEERS, &request), failure(ECONNRESET));
  const Received end = receive(*a, 10);
  EXPECT_EQ(end.error, 0);
  EXPECT_EQ(end.header.hdr, 0);
  // Header mode is the file's, and management is anybody's.
  EXPECT_EQ(set_option(*a, IPN_OPT_HEADER, 1), 0);
  EXPECT_EQ(list_networks(*a).size(), 1U);
}

TEST_F(EveryDoor, AHeaderModeReadAtTheEndIsEmpty) {
  auto net = network();
  const auto a = member(*net);
  set_header_mode(*a);
  EXPECT_EQ(net_end(net->admin(), name()), 0);
  EXPECT_EQ(a->read(200), end_of_file());
  EXPECT_EQ(a->write(with_header("x")), failure(ECONNRESET));
}

TEST_F(EveryDoor, WaitPeersAnswersWhenEnoughReceive) {
  const auto net = network();
  const auto a = member(*net);
  auto request = wait_peers_of(0, 0);
  EXPECT_EQ(a->ioctl(IPN_IOC_WAIT_PEERS, &request), value(0));
  EXPECT_EQ(request.readers, 0U);
  const auto waiter = sleeping(start_wait_peers(*a, 2, 0));
  const auto b = member(*net);
  const auto sender = member(*net, IPN_ROLE_SEND);
  EXPECT_FALSE(waiter->is_done());
  const auto c = member(*net);
  const Answer answer = waiter->wait();
  ASSERT_EQ(answer.error, 0) << answer;
  std::memcpy(&request, answer.data.data(), sizeof request);
  EXPECT_EQ(request.readers, 2U);
  request = wait_peers_of(1, 0);
  EXPECT_EQ(sender->ioctl(IPN_IOC_WAIT_PEERS, &request), value(0));
  EXPECT_EQ(request.readers, 3U);
}

TEST_F(EveryDoor, WaitPeersHasATimeout) {
  const auto net = network();
  const auto a = member(*net);
  const auto longer = sleeping(start_wait_peers(*a, 3, 60'000));
  const auto shorter = start_wait_peers(*a, 1, 50);
  EXPECT_EQ(shorter->wait(), failure(ETIMEDOUT));
  EXPECT_NE(explain(*a), "");
  const auto b = member(*net);
  EXPECT_FALSE(longer->is_done());
  longer->interrupt();
  EXPECT_EQ(longer->wait(), failure(EINTR));
}

TEST_F(EveryDoor, WaitPeersNeedsAConnection) {
  const auto net = network();
  const auto a = open();
  auto request = wait_peers_of(1, 10);
  EXPECT_EQ(a->ioctl(IPN_IOC_WAIT_PEERS, &request), failure(ENOTCONN));
  ASSERT_EQ(bind_to(*a, name()), 0);
  EXPECT_EQ(a->ioctl(IPN_IOC_WAIT_PEERS, &request), failure(ENOTCONN));
  ipn_join join = join_of({});
  ASSERT_EQ(connect(*a, join), 0);
  const auto waiter = sleeping(start_wait_peers(*a, 1, 0));
  EXPECT_EQ(kick(net->admin(), join.node), 0);
  EXPECT_EQ(waiter->wait(), failure(ECONNRESET));
  EXPECT_EQ(a->ioctl(IPN_IOC_WAIT_PEERS, &request), failure(ECONNRESET));
}

TEST_F(EveryDoor, TheDeadlineDisconnectsWhoBlocksTheSenders) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 2, .deadline_ms = 100});
  const auto a = member(*net);
  const auto good = member(*net);
  const auto bad = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*bad, join), 0);
  const std::uint64_t before = stats(*a).evictions;
  ASSERT_EQ(a->write("1"), value(1));
  ASSERT_EQ(a->write("2"), value(1));
  EXPECT_EQ(good->read(9), message("1"));
  EXPECT_EQ(good->read(9), message("2"));
  const auto writer = sleeping(a->start_write("3"));
  EXPECT_EQ(writer->wait(), value(1));
  EXPECT_EQ(good->read(9), message("3"));
  EXPECT_EQ(bad->read(9), end_of_file());
  EXPECT_EQ(bad->write("x"), failure(ECONNRESET));
  EXPECT_EQ(bad->poll(POLLIN) & POLLHUP, unsigned{POLLHUP});
  EXPECT_EQ(stats(*a).evictions, before + 1);
  EXPECT_EQ(net->record().drops[IPN_DROP_EVICTED], 2U);
  EXPECT_EQ(net->record().nodes, 2U);
}

TEST_F(EveryDoor, TheDeadlineAlsoCountsWhenTheSenderOnlyPolls) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .pool = 1, .deadline_ms = 100});
  const auto a = member(*net, IPN_ROLE_SEND);
  const auto bad = member(*net, IPN_ROLE_RECV);
  ASSERT_EQ(a->write("1"), value(1));
  const auto poller = a->start_poll(POLLOUT);
  EXPECT_EQ(poller->wait(), value(POLLOUT));
  EXPECT_EQ(bad->read(9), end_of_file());
}

TEST_F(EveryDoor, ANodeParksSoManyBytesAndNoMore) {
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .mtu = 65536, .pool = 1});
  const auto a = member(*net);
  const auto b = member(*net, IPN_ROLE_RECV);
  const std::string big(65536, 'b');
  ASSERT_EQ(a->write(big), value(65536));
  const std::uint64_t most = stats(*a).node_parked_bytes_max;
  ASSERT_EQ(most, 4U << 20);
  Sleepers writers;
  writers.push_back(sleeping(a->start_write(big)));
  const std::uint64_t each = stats(*a).uid_parked_bytes;
  ASSERT_GT(each, big.size()) << "also a message of no bytes is not for nothing";
  std::uint64_t parked = each;
  for (; parked + each <= most; parked += each) {
    writers.push_back(sleeping(a->start_write(big)));
  }
  EXPECT_EQ(stats(*a).uid_parked_bytes, parked);
  EXPECT_EQ(a->write(big), failure(ENOBUFS));
  EXPECT_NE(explain(*a), "");
  const auto other = member(*net);
  const auto small = sleeping(other->start_write("small"));
  EXPECT_EQ(b->read(65536), message(big));
  EXPECT_EQ(writers[0]->wait(), value(65536));
  writers.clear();
  EXPECT_EQ(stats(*a).uid_parked_bytes, each - big.size() + 5);
}

}  // namespace
}  // namespace ipn::scenarios
