// SPDX-License-Identifier: MIT
#include <numeric>
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

/// Bytes that show where they came from.
std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  unsigned state = seed;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

TEST_F(EveryDoor, EveryMessageReachesEveryOtherNodeInOneOrder) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  const auto c = member(*net);
  constexpr unsigned kMessages = 200;
  for (unsigned i = 0; i < kMessages; ++i) {
    const std::string bytes = pattern(1 + i * 7, i);
    const auto& from = i % 3 == 0 ? a : i % 3 == 1 ? b : c;
    ASSERT_EQ(from->write(bytes), value(static_cast<long>(bytes.size())));
  }
  const File* files[] = {a.get(), b.get(), c.get()};
  for (unsigned reader = 0; reader < 3; ++reader) {
    File& file = const_cast<File&>(*files[reader]);
    for (unsigned i = 0; i < kMessages; ++i) {
      if (i % 3 == reader) continue;
      ASSERT_EQ(file.read(4096), message(pattern(1 + i * 7, i))) << "message " << i;
    }
    file.set_nonblocking(true);
    EXPECT_EQ(file.read(4096), failure(EAGAIN)) << "its own messages are not for it";
  }
}

// 46, D21
TEST_F(EveryDoor, MessagesKeepTheirBordersFromOneByteToTheMtu) {
  const auto net = network({.mtu = 3000});
  const auto a = member(*net);
  const auto b = member(*net);
  for (const std::size_t size : {1U, 2U, 63U, 64U, 65U, 1514U, 2999U, 3000U}) {
    ASSERT_EQ(a->write(pattern(size)), value(static_cast<long>(size)));
  }
  EXPECT_EQ(a->write(pattern(3001)), failure(EMSGSIZE));
  EXPECT_NE(explain(*a).find("mtu"), std::string::npos) << explain(*a);
  EXPECT_EQ(send(*a, pattern(3001)).error, EMSGSIZE);
  for (const std::size_t size : {1U, 2U, 63U, 64U, 65U, 1514U, 2999U, 3000U}) {
    ASSERT_EQ(b->read(100'000), message(pattern(size)));
  }
  EXPECT_EQ(net->record().drops[IPN_DROP_TOO_LONG], world().has_library() ? 0U : 2U);
}

TEST_F(EveryDoor, TheLongestMessageIsNeverSplit) {
  const auto net = network({.mtu = 65536});
  const auto a = member(*net);
  const auto b = member(*net);
  set_header_mode(*a);
  set_header_mode(*b);
  const std::string bytes = pattern(65536);
  EXPECT_EQ(a->write(with_header(bytes)), value(IPN_MSG_HDR + 65536));
  const Received received = read_message(*b);
  EXPECT_EQ(received.error, 0);
  EXPECT_EQ(received.header.len, 65536U);
  EXPECT_EQ(received.payload, bytes);
  // Allowed by the form, refused by the network.
  EXPECT_EQ(a->write(with_header(pattern(IPN_MSG_MAX))), failure(EMSGSIZE));
  EXPECT_EQ(a->write(with_header(pattern(IPN_MSG_MAX + 1))), failure(EMSGSIZE));
  // Longer than the kernel gives in one piece.
  EXPECT_EQ(a->write(with_header(pattern(100'000))), failure(EMSGSIZE));
  b->set_nonblocking(true);
  EXPECT_EQ(b->read(200'000), failure(EAGAIN)) << "no piece of it came through";
}

// 57, D26
TEST_F(EveryDoor, AShortBufferTruncatesAndIsCounted) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*b, join), 0);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(a->write("0123456789"), value(10));
  EXPECT_EQ(b->read(4), message("0123"));
  EXPECT_EQ(b->read(10), message("0123456789"));
  set_header_mode(*b);
  const Received cut = read_message(*b, 3);
  EXPECT_EQ(cut.payload, "012");
  EXPECT_EQ(cut.header.len, 10U) << "the true length";
  EXPECT_EQ(cut.header.flags, IPN_MSG_TRUNC);
  const Received by_ioctl = receive(*b, 5);
  EXPECT_EQ(by_ioctl.payload, "01234");
  EXPECT_EQ(by_ioctl.header.flags, IPN_MSG_TRUNC);
  EXPECT_EQ(record_of(*b, join.node).truncated, world().has_library() ? 0U : 3U);
  EXPECT_EQ(record_of(*b, join.node).msgs_out, 4U);
}

// 48, D27
TEST_F(EveryDoor, AnEmptyMessageIsOneInHeaderModeOnly) {
  const auto net = network();
  const auto a = member(*net);
  const auto with = member(*net);
  const auto without = open();
  ipn_join join = join_of(name());
  ASSERT_EQ(connect(*without, join), 0);
  set_header_mode(*with);

  EXPECT_EQ(a->write(""), value(0)) << "sends nothing";
  set_header_mode(*a);
  EXPECT_EQ(a->write(with_header("")), value(IPN_MSG_HDR));
  EXPECT_EQ(send(*a, "").receivers, 2U);
  EXPECT_EQ(a->write(with_header("full")), value(IPN_MSG_HDR + 4));

  EXPECT_EQ(read_message(*with).header.len, 0U);
  const Received second = receive(*with, 10);
  EXPECT_EQ(second.error, 0);
  EXPECT_EQ(second.header.hdr, IPN_MSG_HDR);
  EXPECT_EQ(second.header.len, 0U);
  EXPECT_EQ(read_message(*with).payload, "full");

  EXPECT_EQ(without->read(10), message("full"));
  EXPECT_EQ(record_of(*without, join.node).drops[IPN_DROP_EMPTY], 2U);
}

TEST_F(EveryDoor, AReaderThatSleepsIsNotWokenByAnEmptyMessage) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = open();
  ipn_join joined = join_of(net->name());
  ASSERT_EQ(connect(*b, joined), 0);
  set_header_mode(*a);
  const auto reader = sleeping(b->start_read(10));
  EXPECT_EQ(a->write(with_header("")), value(IPN_MSG_HDR));
  // A reader of memory passes the empty message when it gets the CPU.
  EXPECT_TRUE(world().eventually([&] { return record_of(*b, joined.node).queue == 0; }));
  sleeping(b->start_poll(POLLIN));
  EXPECT_FALSE(reader->is_done());
  EXPECT_EQ(a->write(with_header("now")), value(IPN_MSG_HDR + 3));
  EXPECT_EQ(reader->wait(), message("now"));
}

TEST_F(EveryDoor, TheHeaderTellsWhereAMessageComesFrom) {
  const auto net = network();
  const auto a = open();
  ipn_join joined = join_of(name(), 0, IPN_ANY, 9);
  ASSERT_EQ(connect(*a, joined), 0);
  const auto b = open();
  ipn_join receiver = join_of(name());
  ASSERT_EQ(connect(*b, receiver), 0);
  set_header_mode(*b);
  EXPECT_EQ(get_option(*b, IPN_OPT_HEADER), 1U);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(a->write("abc"), value(3));
  std::uint64_t time = 0;
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Received received = read_message(*b);
    EXPECT_EQ(received.header.hdr, IPN_MSG_HDR);
    EXPECT_EQ(received.header.flags, 0);
    EXPECT_EQ(received.header.len, 3U);
    EXPECT_EQ(received.header.seq, receiver.next_seq + i);
    EXPECT_EQ(received.header.peer, joined.node);
    EXPECT_EQ(received.header.port, 9U);
    EXPECT_EQ(received.header.count, 0U);
    EXPECT_GE(received.header.time, 1'600'000'000'000'000'000U);
    EXPECT_GE(received.header.time, time);
    EXPECT_EQ(received.payload, "abc");
    time = received.header.time;
  }
  EXPECT_EQ(set_option(*b, IPN_OPT_HEADER, 0), 0);
  ASSERT_EQ(a->write("plain"), value(5));
  EXPECT_EQ(b->read(100), message("plain"));
}

TEST_F(EveryDoor, AHeaderThatMakesNoSenseIsRefused) {
  const auto net = network();
  const auto a = member(*net);
  const auto b = member(*net);
  set_header_mode(*a);
  const auto spoilt = [](auto change) {
    std::string bytes = with_header("payload");
    ipn_msg header;
    std::memcpy(&header, bytes.data(), sizeof header);
    change(header);
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
  };
  const std::string bad[] = {
      spoilt([](ipn_msg& h) { h.hdr = 63; }),
      spoilt([](ipn_msg& h) { h.hdr = 0; }),
      spoilt([](ipn_msg& h) { h.len = 6; }),
      spoilt([](ipn_msg& h) { h.len = 8; }),
      spoilt([](ipn_msg& h) { h.len = 0xffffffff; }),
      spoilt([](ipn_msg& h) { h.flags = IPN_MSG_OOB; }),
      spoilt([](ipn_msg& h) { h.flags = IPN_MSG_PEEK; }),
      spoilt([](ipn_msg& h) { h.flags = 0x8000; }),
      spoilt([](ipn_msg& h) { h.seq = 1; }),
      spoilt([](ipn_msg& h) { h.port = 1; }),
      spoilt([](ipn_msg& h) { h.count = 1; }),
      spoilt([](ipn_msg& h) { h.pid = 1; }),
      spoilt([](ipn_msg& h) { h.uid = 1; }),
      spoilt([](ipn_msg& h) { h.hops = 1; }),
      spoilt([](ipn_msg& h) { h.meta = 1; }),
      spoilt([](ipn_msg& h) { h.time = 1; }),
      std::string(63, '\0'),
      std::string(1, '\x40'),
  };
  for (const std::string& bytes : bad) {
    EXPECT_EQ(a->write(bytes), failure(EINVAL));
    EXPECT_FALSE(explain(*a).empty());
  }
  EXPECT_EQ(a->read(63), failure(EINVAL)) << "no room for a header";
  EXPECT_EQ(net->record().drops[IPN_DROP_MALFORMED], std::size(bad));
  EXPECT_EQ(a->write(with_header("good")), value(IPN_MSG_HDR + 4));
  EXPECT_EQ(b->read(100), message("good"));
}

TEST_F(EveryDoor, SendReportsNumberAndReceivers) {
  const auto net = network();
  const auto a = member(*net);
  EXPECT_EQ(send(*a, "nobody").receivers, 0U);
  EXPECT_EQ(net->record().drops[IPN_DROP_NO_RECEIVER], 1U);
  const auto b = member(*net);
  const auto c = member(*net, IPN_ROLE_RECV);
  const Sent first = send(*a, "first");
  EXPECT_EQ(first.error, 0);
  EXPECT_EQ(first.receivers, 2U);
  const Sent second = send(*b, "second", IPN_MSG_DONTWAIT);
  EXPECT_EQ(second.receivers, 2U);
  EXPECT_EQ(second.seq, first.seq + 1);
  const Received received = receive(*c, 100);
  EXPECT_EQ(received.header.seq, first.seq);
  EXPECT_EQ(received.payload, "first");
  EXPECT_EQ(receive(*c, 100).header.seq, second.seq);
  EXPECT_EQ(receive(*c, 100, IPN_MSG_DONTWAIT).error, EAGAIN);
}

TEST_F(EveryDoor, AnIoctlSendsTheFirstBytesOfItsRoomAndNoMoreThanItsRoom) {
  const auto net = network({.mtu = 65536});
  const auto a = member(*net);
  const auto b = member(*net);
  std::string buffer = with_header("12345");
  buffer.append(27, 'x');
  EXPECT_EQ(a->ioctl(IPN_IOC_SEND(32), buffer.data()), value(0)) << explain(*a);
  EXPECT_EQ(b->read(100), message("12345"));
  buffer = with_header("12345");
  EXPECT_EQ(a->ioctl(IPN_IOC_SEND(4), buffer.data()), failure(EINVAL));
  const std::string largest = pattern(IPN_IOC_MSG_DATA_MAX);
  EXPECT_EQ(send(*a, largest).receivers, 1U);
  EXPECT_EQ(receive(*b, IPN_IOC_MSG_DATA_MAX).payload, largest);
}

TEST_F(EveryDoor, PeekLeavesTheMessageAndShowsItInPieces) {
  const auto net = network({.mtu = 65536});
  const auto a = member(*net);
  const auto b = member(*net);
  const std::string bytes = pattern(40'000);
  ASSERT_EQ(a->write(bytes), value(40'000));
  ASSERT_EQ(a->write("next"), value(4));
  std::string got;
  while (got.size() < bytes.size()) {
    const Received piece = receive(*b, 16'000, IPN_MSG_PEEK, got.size());
    ASSERT_EQ(piece.error, 0);
    EXPECT_EQ(piece.header.len, 40'000U);
    EXPECT_EQ(piece.header.flags & IPN_MSG_TRUNC,
              got.size() + piece.payload.size() < bytes.size() ? IPN_MSG_TRUNC : 0);
    got += piece.payload;
  }
  EXPECT_EQ(got, bytes);
  EXPECT_EQ(receive(*b, 100, IPN_MSG_PEEK, 1'000'000).payload, "") << "behind the end";
  EXPECT_EQ(receive(*b, 16'000, 0, 30'000).payload, bytes.substr(30'000));
  EXPECT_EQ(b->read(100), message("next"));
}

TEST_F(EveryDoor, ReceivingWantsACleanHeader) {
  const auto net = network();
  const auto a = member(*net);
  std::string buffer = receive_argument(16, IPN_MSG_TRUNC);
  EXPECT_EQ(a->ioctl(IPN_IOC_RECV(16), buffer.data()), failure(EINVAL));
  buffer = std::string(sizeof(ipn_msg) + 16, '\0');
  EXPECT_EQ(a->ioctl(IPN_IOC_RECV(16), buffer.data()), failure(EINVAL));
  std::string tiny(32, '\0');
  constexpr std::uint32_t kTooSmall = _IOC(_IOC_READ | _IOC_WRITE, IPN_IOC_MAGIC, 0x09, 32);
  EXPECT_EQ(a->ioctl(kTooSmall, tiny.data()), failure(EINVAL));
}

TEST_F(EveryDoor, CountersTellWhatANodeSentAndWasGiven) {
  const auto net = network();
  const auto a = open();
  ipn_join from = join_of(name());
  ASSERT_EQ(connect(*a, from), 0);
  const auto b = open();
  ipn_join to = join_of(name());
  ASSERT_EQ(connect(*b, to), 0);
  ASSERT_EQ(a->write("12345"), value(5));
  ASSERT_EQ(a->write("123"), value(3));
  EXPECT_EQ(record_of(*b, to.node).queue, 2U);
  EXPECT_EQ(b->read(10), message("12345"));
  EXPECT_EQ(record_of(*a, from.node).msgs_in, 2U);
  EXPECT_EQ(record_of(*a, from.node).bytes_in, 8U);
  EXPECT_EQ(record_of(*a, from.node).queue, 0U) << "own messages are not for it";
  EXPECT_EQ(record_of(*b, to.node).msgs_out, 1U);
  EXPECT_EQ(record_of(*b, to.node).bytes_out, 5U);
  EXPECT_EQ(record_of(*b, to.node).queue, 1U);
  EXPECT_EQ(record_of(*b, to.node).queue_max, 2U);
  EXPECT_EQ(net->record().msgs, 2U);
  EXPECT_EQ(net->record().bytes, 8U);
  const std::uint64_t door = world().kind() == DoorKind::kFast   ? IPN_DOOR_FAST
                             : world().kind() == DoorKind::kFile ? IPN_DOOR_FILE
                                                                 : IPN_DOOR_DEVICE;
  EXPECT_EQ(record_of(*a, from.node).door, door);
}

}  // namespace
}  // namespace ipn::scenarios
