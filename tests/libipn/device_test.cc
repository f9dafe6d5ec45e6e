// SPDX-License-Identifier: MIT
//
// Nodes and networks: info, bind, connect, options, roles, and failures in words.
#include <cstdlib>
#include <fcntl.h>
#include <thread>

#include "tests/libipn/support.h"

namespace ipn::library_tests {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Info ------------------------------------------------------------------------

TEST(Info, OfANewNodeIsThatItIsFree) {
  const Node node;
  const struct ipn_info info = info_of(node);
  EXPECT_EQ(info.size, sizeof info);
  EXPECT_EQ(info.net, 0U);
  EXPECT_EQ(info.node, 0U);
  EXPECT_EQ(info.port, IPN_PORT_ANY);
  EXPECT_EQ(info.policy, unsigned{IPN_ANY});
  EXPECT_EQ(info.roles, 0U);
  EXPECT_EQ(info.msg_max, unsigned{IPN_MSG_MAX});
  EXPECT_EQ(info.abi, unsigned{IPN_ABI});
  EXPECT_STREQ(info.network, "");
  EXPECT_STRNE(info.daemon, "");
  EXPECT_STREQ(info.device, std::getenv("IPN_DEVICE"));
}

TEST(Info, TellsNetworkPortAndRolesOfAMember) {
  const std::string net = new_name();
  Node node;
  ASSERT_EQ(ipn_bind(node, net.c_str(), IPN_BROADCAST), 0) << explain(node);
  struct ipn_info info = info_of(node);
  EXPECT_EQ(info.network, net);
  EXPECT_EQ(info.roles, IPN_ROLE_MANAGE);
  EXPECT_EQ(info.port, IPN_PORT_ANY);
  ASSERT_EQ(ipn_connect(node, nullptr, IPN_ANY, 0), 0) << explain(node);
  info = info_of(node);
  EXPECT_EQ(info.network, net);
  EXPECT_NE(info.net, 0U);
  EXPECT_NE(info.node, 0U);
  EXPECT_GE(info.port, 0);
  EXPECT_EQ(info.policy, unsigned{IPN_BROADCAST});
  EXPECT_EQ(info.roles, IPN_ROLE_RECV | IPN_ROLE_SEND | IPN_ROLE_MANAGE);
  const Node other = member(net);
  EXPECT_EQ(info_of(other).net, info.net);
  EXPECT_NE(info_of(other).node, info.node);
  EXPECT_NE(info_of(other).port, info.port);
}

TEST(Info, LosesTheRolesThatAreShutDown) {
  const Node node = member(new_name());
  ASSERT_EQ(ipn_shutdown(node, IPN_SHUT_RD), 0) << explain(node);
  EXPECT_EQ(info_of(node).roles, IPN_ROLE_SEND | IPN_ROLE_MANAGE);
  ASSERT_EQ(ipn_shutdown(node, IPN_SHUT_WR), 0) << explain(node);
  EXPECT_EQ(info_of(node).roles, IPN_ROLE_MANAGE);
  EXPECT_EQ(ipn_shutdown(node, IPN_SHUT_RDWR + 1), -EINVAL);
}

TEST(Info, HasTheRolesThatWereWanted) {
  const std::string net = new_name();
  const Node owner = member(net);
  const Node sender = member(net, IPN_ROLE_SEND);
  EXPECT_EQ(info_of(sender).roles, IPN_ROLE_SEND | IPN_ROLE_MANAGE);
  Node receiver;
  ASSERT_EQ(ipn_shutdown(receiver, IPN_SHUT_WR), 0) << explain(receiver);
  ASSERT_EQ(ipn_connect(receiver, net.c_str(), IPN_ANY, 0), 0) << explain(receiver);
  EXPECT_EQ(info_of(receiver).roles, IPN_ROLE_RECV);
}

TEST(Info, FillsAsMuchAsItKnowsAndAsThereIsRoomFor) {
  const Node node = member(new_name());
  struct {
    struct ipn_info info;
    char behind[8];
  } longer{};
  longer.info.size = sizeof longer;
  longer.behind[0] = '!';
  ASSERT_EQ(ipn_info(node, &longer.info), 0);
  EXPECT_EQ(longer.info.size, sizeof longer.info);
  EXPECT_EQ(longer.behind[0], '!');
  struct ipn_info shorter {};
  shorter.size = offsetof(struct ipn_info, node);
  ASSERT_EQ(ipn_info(node, &shorter), 0);
  EXPECT_EQ(shorter.size, offsetof(struct ipn_info, node));
  EXPECT_EQ(shorter.net, longer.info.net);
  EXPECT_EQ(shorter.node, 0U);
  shorter.size = sizeof shorter.size - 1;
  EXPECT_EQ(ipn_info(node, &shorter), -EINVAL);
}

TEST(Info, TheDescriptorIsClosedByExec) {
  const Node node;
  EXPECT_EQ(fcntl(ipn_fd(node), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(ipn_fd(node), F_GETFL) & O_NONBLOCK, 0);
  const Node nonblocking(IPN_NONBLOCK);
  EXPECT_EQ(fcntl(ipn_fd(nonblocking), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(ipn_fd(nullptr), -EINVAL);
}

// Joining ---------------------------------------------------------------------

TEST(Joining, NamesAreChecked) {
  const Node node;
  for (const std::string& name :
       {std::string(), std::string("/x"), std::string("a b"), std::string(IPN_NAME_MAX + 1, 'x')}) {
    EXPECT_EQ(ipn_bind(node, name.c_str(), IPN_BROADCAST), -EINVAL) << name;
    EXPECT_EQ(ipn_connect(node, name.c_str(), IPN_BROADCAST, 0), -EINVAL) << name;
  }
  EXPECT_EQ(ipn_bind(node, nullptr, IPN_BROADCAST), -EINVAL);
  const std::string longest(IPN_NAME_MAX, 'x');
  EXPECT_EQ(ipn_bind(node, longest.c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(info_of(node).network, longest);
}

TEST(Joining, NeedsANetworkOfThatPolicy) {
  const Node node;
  EXPECT_EQ(ipn_connect(node, "nobodys", IPN_ANY, 0), -ENOENT);
  EXPECT_EQ(ipn_bind(node, "nobodys", IPN_ANY), -EPROTONOSUPPORT);
  EXPECT_EQ(ipn_bind(node, "nobodys", IPN_POLICY_MAX), -EPROTONOSUPPORT);
  const std::string net = new_name();
  const Node owner = member(net);
  EXPECT_EQ(ipn_connect(node, net.c_str(), IPN_VDESWITCH, 0), -EPROTO);
  EXPECT_EQ(ipn_bind(node, net.c_str(), IPN_VDESWITCH), -EPROTO);
  EXPECT_EQ(ipn_bind(node, net.c_str(), IPN_ANY), 0) << explain(node);
}

TEST(Joining, IsPossibleOnce) {
  const std::string net = new_name();
  const Node node = member(net);
  EXPECT_EQ(ipn_bind(node, net.c_str(), IPN_BROADCAST), -EISCONN);
  EXPECT_EQ(ipn_connect(node, nullptr, IPN_BROADCAST, 0), -EISCONN);
  EXPECT_EQ(ipn_connect(node, net.c_str(), IPN_BROADCAST, 0), -EISCONN);
}

TEST(Joining, ABoundNodeConnectsToItsOwnNetworkOnly) {
  const std::string net = new_name();
  const std::string elsewhere = new_name();
  const Node other = member(elsewhere);
  const Node node;
  ASSERT_EQ(ipn_bind(node, net.c_str(), IPN_BROADCAST), 0) << explain(node);
  EXPECT_EQ(ipn_connect(node, elsewhere.c_str(), IPN_ANY, 0), -EISCONN);
  EXPECT_EQ(info_of(node).network, net);
  EXPECT_EQ(info_of(node).roles, IPN_ROLE_MANAGE);
  EXPECT_EQ(ipn_connect(node, net.c_str(), IPN_ANY, 0), 0) << explain(node);
}

TEST(Joining, AnExclusiveNetworkIsItsMakers) {
  const std::string net = new_name();
  const Node maker;
  ASSERT_EQ(ipn_setopt(maker, IPN_OPT_FLAGS, IPN_NET_EXCL), 0) << explain(maker);
  ASSERT_EQ(ipn_bind(maker, net.c_str(), IPN_BROADCAST), 0) << explain(maker);
  const Node guest;
  EXPECT_EQ(ipn_bind(guest, net.c_str(), IPN_BROADCAST), -ECONNREFUSED);
  ASSERT_EQ(ipn_setopt(guest, IPN_OPT_FLAGS, IPN_NET_EXCL), 0) << explain(guest);
  EXPECT_EQ(ipn_bind(guest, net.c_str(), IPN_BROADCAST), -EEXIST);
  EXPECT_EQ(ipn_connect(guest, net.c_str(), IPN_BROADCAST, 0), 0) << explain(guest);
}

TEST(Joining, NeedsAFreePort) {
  const std::string net = new_name();
  const Node first, second;
  ASSERT_EQ(ipn_setopt(first, IPN_OPT_NUMNODES, 1), 0) << explain(first);
  ASSERT_EQ(ipn_bind(first, net.c_str(), IPN_BROADCAST), 0) << explain(first);
  ASSERT_EQ(ipn_connect(first, nullptr, IPN_ANY, 0), 0) << explain(first);
  EXPECT_EQ(ipn_connect(second, net.c_str(), IPN_ANY, 0), -EADDRNOTAVAIL);
}

// Options ---------------------------------------------------------------------

std::uint32_t option(ipn_node* node, unsigned name) {
  std::uint32_t value = ~0U;
  EXPECT_EQ(ipn_getopt(node, name, &value), 0) << explain(node);
  return value;
}

TEST(Options, HaveRangesAndDefaults) {
  const struct {
    unsigned name;
    std::uint32_t lowest, usual, highest;
  } options[] = {
      {IPN_OPT_MTU, 1, 1514, 65536},
      {IPN_OPT_NUMNODES, 1, 32, 65535},
      {IPN_OPT_MSGPOOLSIZE, 1, 1024, 65535},
      {IPN_OPT_FLAGS, 0, 0, IPN_NET_LOSSLESS | IPN_NET_EXCL},
  };
  const Node node;
  for (const auto& each : options) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(option(node, each.name), each.usual);
    for (const std::uint32_t value : {each.lowest, each.highest}) {
      EXPECT_EQ(ipn_setopt(node, each.name, value), 0) << explain(node);
      EXPECT_EQ(option(node, each.name), value);
    }
    for (const std::uint32_t value : {each.lowest - 1, each.highest + 1, ~0U}) {
      if (each.name == IPN_OPT_FLAGS && value == each.highest + 1) continue;  // another flag
      EXPECT_EQ(ipn_setopt(node, each.name, value), -EINVAL) << value;
    }
    EXPECT_EQ(option(node, each.name), each.highest);
  }
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_FLAGS, IPN_NET_PERSISTENT), -EINVAL);
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_MODE, 0), 0) << explain(node);
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_MODE, 0777), 0) << explain(node);
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_MODE, 01000), -EINVAL);
  EXPECT_EQ(option(node, IPN_OPT_MODE), 0777U);
}

TEST(Options, ShapeTheNetworkAndReadItBack) {
  const std::string net = new_name();
  const Node maker;
  ASSERT_EQ(ipn_setopt(maker, IPN_OPT_MTU, 100), 0) << explain(maker);
  ASSERT_EQ(ipn_setopt(maker, IPN_OPT_MSGPOOLSIZE, 7), 0) << explain(maker);
  ASSERT_EQ(ipn_bind(maker, net.c_str(), IPN_BROADCAST), 0) << explain(maker);
  EXPECT_EQ(ipn_setopt(maker, IPN_OPT_MTU, 200), -EISCONN);
  const Node guest = member(net);
  EXPECT_EQ(option(guest, IPN_OPT_MTU), 100U);
  EXPECT_EQ(option(guest, IPN_OPT_MSGPOOLSIZE), 7U);
  EXPECT_EQ(option(guest, IPN_OPT_NUMNODES), 32U);
  EXPECT_EQ(ipn_setopt(guest, IPN_OPT_MTU, 100), -EISCONN);
}

TEST(Options, HeaderModeBelongsToTheLibrary) {
  const Node node;
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_HEADER, 0), -EINVAL);
  EXPECT_EQ(option(node, IPN_OPT_HEADER), 1U);
}

TEST(Options, UnknownOnesAndNullPointersAreRefused) {
  const Node node;
  std::uint32_t value = 0;
  EXPECT_EQ(ipn_setopt(node, 0x999, 1), -ENOPROTOOPT);
  EXPECT_EQ(ipn_getopt(node, 0x999, &value), -ENOPROTOOPT);
  EXPECT_EQ(ipn_getopt(node, IPN_OPT_MTU, nullptr), -EINVAL);
  EXPECT_EQ(ipn_setopt(nullptr, IPN_OPT_MTU, 1), -EINVAL);
}

// Other ioctls ----------------------------------------------------------------

TEST(Ioctl, ReturnsTheAnswerOrTheError) {
  const Node node;
  EXPECT_EQ(static_cast<unsigned>(ipn_ioctl(node, IPN_IOC_CHECK, nullptr)),
            unsigned{IPN_IOC_CHECK});
  EXPECT_EQ(ipn_ioctl(node, _IO(IPN_IOC_MAGIC, 0x03), nullptr), -ENOTTY);
  ipn_stats stats{};
  stats.size = sizeof stats;
  EXPECT_EQ(ipn_ioctl(node, IPN_IOC_STATS, &stats), 0) << explain(node);
  EXPECT_GE(stats.open_files, 1U);
}

// Failures in words -----------------------------------------------------------

TEST(Explain, HasNothingToSayBeforeAFailure) {
  const Node node = member(new_name());
  char text[8] = "before";
  EXPECT_EQ(ipn_explain(node, text, sizeof text), 0);
  EXPECT_STREQ(text, "");
}

TEST(Explain, NamesNetworkDeviceReasonAndRemedyInOneLine) {
  const std::string device = std::getenv("IPN_DEVICE");
  const Node node;
  char byte = 0;
  EXPECT_EQ(ipn_recv(node, &byte, 1, 0), -ENOTCONN);
  EXPECT_EQ(explain(node),
            device + ": receiving: the node is not connected (call ipn_connect() first)");
  EXPECT_EQ(ipn_recv(node, &byte, 1, IPN_MSG_DONTWAIT), -ENOTCONN);
  EXPECT_EQ(explain(node),
            device + ": receiving: the node is not connected (call ipn_connect() first)");

  const std::string net = new_name();
  ASSERT_EQ(ipn_bind(node, net.c_str(), IPN_BROADCAST), 0);
  ASSERT_EQ(ipn_connect(node, nullptr, IPN_BROADCAST, IPN_ROLE_RECV), 0);
  const std::string object = net + " on " + device + ": ";
  EXPECT_EQ(ipn_recv(node, &byte, 1, IPN_MSG_DONTWAIT), -EAGAIN);
  EXPECT_EQ(explain(node),
            object +
                "receiving: it would wait (wait for the descriptor of ipn_fd(), or open without "
                "IPN_NONBLOCK)");
  EXPECT_EQ(ipn_send(node, &byte, 1, 0), -EPIPE);
  EXPECT_TRUE(has(explain(node), object + "sending: the node does not send")) << explain(node);
  EXPECT_EQ(ipn_send(node, &byte, 1, IPN_MSG_PEEK), -EINVAL);
  EXPECT_EQ(explain(node), object + "sending: unknown flag (see libipn(3))");
  EXPECT_EQ(ipn_wait_peers(node, 1, 0), -ETIMEDOUT);
  EXPECT_EQ(explain(node), object + "waiting for peers: too few receivers in the time given");
}

TEST(Explain, PassesOnWhatTheDaemonKnowsBetter) {
  const std::string net = new_name();
  const Node owner = member(net);
  const Node node;
  EXPECT_EQ(ipn_connect(node, (net + "x").c_str(), IPN_ANY, 0), -ENOENT);
  EXPECT_TRUE(has(explain(node), net + "x: no such network")) << explain(node);
}

TEST(Explain, EveryThreadHasItsOwnLastFailure) {
  const Node node;
  const auto fail_elsewhere = [&node] {
    std::thread([&node] {
      EXPECT_EQ(ipn_bind(node, nullptr, IPN_BROADCAST), -EINVAL);
      EXPECT_TRUE(has(explain(node), "binding")) << explain(node);
    }).join();
  };
  fail_elsewhere();
  EXPECT_TRUE(has(explain(node), "binding")) << "the only one there is: " << explain(node);
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_HEADER, 0), -EINVAL);
  fail_elsewhere();
  EXPECT_TRUE(has(explain(node), "setting option")) << explain(node);
}

TEST(Explain, CutsTheTextAndTellsItsLength) {
  const Node node;
  EXPECT_EQ(ipn_setopt(node, IPN_OPT_HEADER, 0), -EINVAL);
  const std::string whole = explain(node);
  char text[6];
  errno = ERANGE;
  EXPECT_EQ(ipn_explain(node, text, sizeof text), static_cast<ssize_t>(whole.size()));
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(text, whole.substr(0, sizeof text - 1));
  EXPECT_EQ(ipn_explain(node, nullptr, 0), static_cast<ssize_t>(whole.size()));
  EXPECT_EQ(ipn_explain(node, nullptr, 1), -EINVAL);
}

}  // namespace
}  // namespace ipn::library_tests
