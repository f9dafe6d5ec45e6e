// SPDX-License-Identifier: MIT
//
// ioctls that are wrong in every way that the rules of ipn/ioctl.h name.
#include <functional>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

/// A command, and an argument with which it succeeds on a fresh file.
struct Command {
  const char* name;
  unsigned direction;
  unsigned nr;
  std::string good;
  bool is_fixed;  ///< by the rules of growing structures
};

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

constexpr unsigned kIn = _IOC_WRITE;
constexpr unsigned kInOut = _IOC_READ | _IOC_WRITE;

std::string list_argument() {
  ipn_list head{};
  head.size = sizeof head + sizeof(ipn_net_record);
  head.kind = IPN_LIST_NETWORKS;
  return bytes_of(head).append(sizeof(ipn_net_record), '\0');
}

std::string option_argument() {
  auto option = sized<ipn_opt>();
  option.size = sizeof option + 4;
  option.name = IPN_OPT_MTU;
  option.len = 4;
  return bytes_of(option).append("\xdc\x05\0\0", 4);
}

/// `net` exists and can be connected to; `other` does not.
std::vector<Command> commands(const std::string& net, const std::string& other) {
  auto down = sized<ipn_shutdown>();
  auto ref = sized<ipn_ref>();
  put_name(ref.name, net);
  return {
      {"VERSION", kInOut, 0x00, bytes_of(sized<ipn_version>()), true},
      {"BIND", kInOut, 0x01, bytes_of(join_of(other)), true},
      {"CONNECT", kInOut, 0x02, bytes_of(join_of(net)), true},
      {"SETOPT", kIn, 0x04, option_argument(), false},
      {"GETOPT", kInOut, 0x05, option_argument(), false},
      {"SHUTDOWN", kIn, 0x06, bytes_of(down), true},
      {"EXPLAIN", kInOut, 0x0e, bytes_of(sized<ipn_explain>()), true},
      {"NET_GET", kInOut, 0x38, bytes_of(config_of(net)), true},
      {"NET_SET", kInOut, 0x39, bytes_of(config_of(net)), true},
      {"LIST", kInOut, 0x3f, list_argument(), false},
      {"STATS", kInOut, 0x40, bytes_of(sized<ipn_stats>()), true},
  };
}

unsigned long number(const Command& command, std::size_t size) {
  return _IOC(command.direction, IPN_IOC_MAGIC, command.nr, size);
}

std::string with_size(std::string argument) {
  const auto size = static_cast<std::uint32_t>(argument.size());
  if (argument.size() >= sizeof size) std::memcpy(argument.data(), &size, sizeof size);
  return argument;
}

std::uint32_t size_in(const std::string& argument) {
  std::uint32_t size = 0;
  std::memcpy(&size, argument.data(), sizeof size);
  return size;
}

class Malformed {
 public:
  explicit Malformed(const std::function<std::unique_ptr<File>()>& open) : open_(open) {}

  /// Calls it on a fresh file.
  int call(unsigned long number, std::string& argument) const {
    return open_()->ioctl(number, argument.data()).error;
  }
  int call(const Command& command, std::string argument) const {
    return call(number(command, argument.size()), argument);
  }

 private:
  const std::function<std::unique_ptr<File>()> open_;
};

TEST_F(EveryDoor, EveryCommandTakesItsOwnSizeAndFillsIt) {
  const auto net = network();
  const Malformed fresh([this] { return open(); });
  for (const Command& command : commands(name(), "Other")) {
    SCOPED_TRACE(command.name);
    std::string argument = command.good;
    EXPECT_EQ(fresh.call(number(command, argument.size()), argument), 0);
    if (command.is_fixed && command.direction == kInOut) {
      EXPECT_EQ(size_in(argument), argument.size());
    }
  }
}

TEST_F(EveryDoor, AnUnknownTypeNumberOrDirectionIsNoIoctlOfTheDevice) {
  const auto net = network();
  const auto a = open();
  for (const Command& command : commands(name(), "Other")) {
    SCOPED_TRACE(command.name);
    for (const unsigned direction : {unsigned{_IOC_NONE}, unsigned{_IOC_READ}, kIn, kInOut}) {
      if (direction == command.direction) continue;
      std::string argument = command.good;
      EXPECT_EQ(
          a->ioctl(_IOC(direction, IPN_IOC_MAGIC, command.nr, argument.size()), argument.data()),
          failure(ENOTTY))
          << direction;
    }
    std::string argument = command.good;
    EXPECT_EQ(a->ioctl(_IOC(command.direction, 'Z', command.nr, argument.size()), argument.data()),
              failure(ENOTTY));
  }
  for (const unsigned reserved :
       {0x03U, 0x07U, 0x0aU, 0x0bU, 0x0cU, 0x0dU, 0x18U, 0x1dU, 0x20U, 0x23U, 0x28U,
        0x31U, 0x3aU, 0x41U, 0x42U, 0x43U, 0x44U, 0x60U, 0x7eU, 0x80U, 0xffU}) {
    std::string argument(64, '\0');
    EXPECT_EQ(a->ioctl(_IOC(kInOut, IPN_IOC_MAGIC, reserved, 64), argument.data()), failure(ENOTTY))
        << reserved;
  }
  EXPECT_NE(explain(*a).find("unknown"), std::string::npos) << explain(*a);
}

TEST_F(EveryDoor, TheSizeInTheStructureIsTheSizeInTheNumber) {
  const auto net = network();
  const Malformed fresh([this] { return open(); });
  for (const Command& command : commands(name(), "Other")) {
    SCOPED_TRACE(command.name);
    for (const std::uint32_t wrong :
         {0U, 1U, size_in(command.good) - 1, size_in(command.good) + 1, 0xffffffffU}) {
      std::string argument = command.good;
      std::memcpy(argument.data(), &wrong, sizeof wrong);
      EXPECT_EQ(fresh.call(command, argument), EINVAL) << wrong;
    }
    for (const std::size_t size : {1U, 4U, 7U}) {
      EXPECT_EQ(fresh.call(command, with_size(command.good.substr(0, size))), EINVAL) << size;
    }
  }
}

TEST_F(EveryDoor, AShorterStructureIsCompletedWithZerosAndTheAnswerIsCut) {
  const auto net = network();
  const Malformed fresh([this] { return open(); });
  for (const Command& command : commands(name(), "Other")) {
    if (!command.is_fixed) continue;
    SCOPED_TRACE(command.name);
    // Behind what is not zero in the good argument.
    const std::size_t used = command.good.find_last_not_of('\0') + 1;
    const std::size_t size = std::max<std::size_t>(8, (used + 7) / 8 * 8);
    if (size == command.good.size()) continue;
    std::string argument = with_size(command.good.substr(0, size)).append(64, '\x55');
    EXPECT_EQ(fresh.call(number(command, size), argument), 0) << size;
    EXPECT_EQ(argument.substr(size), std::string(64, '\x55')) << "written behind the end";
    if (command.direction == kInOut) {
      EXPECT_EQ(size_in(argument), size);
    }
  }
}

TEST_F(EveryDoor, ALongerStructureMustBeZeroBehindWhatIsKnown) {
  const auto net = network();
  const Malformed fresh([this] { return open(); });
  for (const Command& command : commands(name(), "Other")) {
    if (!command.is_fixed) continue;
    SCOPED_TRACE(command.name);
    for (const std::size_t more : {std::size_t{1}, std::size_t{8}, std::size_t{4096},
                                   IPN_IOC_SIZE_MAX - command.good.size()}) {
      std::string zeros = with_size(command.good + std::string(more, '\0'));
      EXPECT_EQ(fresh.call(number(command, zeros.size()), zeros), 0) << more;
      if (command.direction == kInOut) {
        EXPECT_EQ(size_in(zeros), command.good.size()) << "what the daemon filled in";
      }
      std::string first = with_size(command.good + "\x01" + std::string(more - 1, '\0'));
      EXPECT_EQ(fresh.call(command, first), E2BIG) << more;
      std::string last = with_size(command.good + std::string(more - 1, '\0') + "\x01");
      EXPECT_EQ(fresh.call(command, last), E2BIG) << more;
    }
  }
}

TEST_F(EveryDoor, UnknownFlagsAndReservedFieldsAreRefused) {
  const auto net = network();
  const ipn_join join = join_of(name());
  const ipn_netcfg config = config_of(name());
  struct Row {
    const char* what;
    unsigned long number;
    std::string argument;
  };
  std::vector<Row> rows;
  const auto add = [&](const char* what, unsigned long number, auto argument, auto change) {
    change(argument);
    rows.push_back({what, number, bytes_of(argument)});
  };
  using Join = ipn_join;
  add("BIND flags", IPN_IOC_BIND, join, [](Join& j) { j.flags = 1; });
  add("BIND roles", IPN_IOC_BIND, join, [](Join& j) { j.roles = IPN_ROLE_RECV; });
  add("BIND port", IPN_IOC_BIND, join, [](Join& j) { j.port = 1; });
  add("CONNECT flags", IPN_IOC_CONNECT, join, [](Join& j) { j.flags = 0x80000000; });
  add("CONNECT layout", IPN_IOC_CONNECT, join, [](Join& j) { j.layout = 1; });
  add("CONNECT ns", IPN_IOC_CONNECT, join, [](Join& j) { j.ns = 1; });
  add("CONNECT rsv", IPN_IOC_CONNECT, join, [](Join& j) { j.rsv[3] = 1; });
  add("CONNECT roles", IPN_IOC_CONNECT, join, [](Join& j) { j.roles = IPN_ROLE_MANAGE; });
  add("CONNECT roles 8", IPN_IOC_CONNECT, join, [](Join& j) { j.roles = 8; });
  add("CONNECT port", IPN_IOC_CONNECT, join, [](Join& j) { j.port = -7; });
  add("CONNECT name", IPN_IOC_CONNECT, join,
      [](Join& j) { std::memset(j.name, 'n', sizeof j.name); });
  add("SHUTDOWN flags", IPN_IOC_SHUTDOWN, sized<ipn_shutdown>(),
      [](ipn_shutdown& s) { s.flags = 1; });
  add("SHUTDOWN rsv", IPN_IOC_SHUTDOWN, sized<ipn_shutdown>(), [](ipn_shutdown& s) { s.rsv = 1; });
  add("SHUTDOWN how", IPN_IOC_SHUTDOWN, sized<ipn_shutdown>(), [](ipn_shutdown& s) { s.how = 3; });
  add("SHUTDOWN node", IPN_IOC_SHUTDOWN, sized<ipn_shutdown>(),
      [](ipn_shutdown& s) { s.node = 0xffffffff; });
  add("WAIT_PEERS flags", IPN_IOC_WAIT_PEERS, wait_peers_of(0, 1),
      [](ipn_wait_peers& w) { w.flags = 1; });
  add("WAIT_PEERS size", IPN_IOC_WAIT_PEERS, wait_peers_of(0, 1),
      [](ipn_wait_peers& w) { w.size = 8; });
  using Config = ipn_netcfg;
  for (const unsigned long command :
       {static_cast<unsigned long>(IPN_IOC_NET_ADD), static_cast<unsigned long>(IPN_IOC_NET_GET),
        static_cast<unsigned long>(IPN_IOC_NET_SET), static_cast<unsigned long>(IPN_IOC_NET_END)}) {
    add("netcfg flags", command, config, [](Config& c) { c.flags = 0x80000000; });
    add("netcfg retain_msgs", command, config, [](Config& c) { c.retain_msgs = 1; });
    add("netcfg retain_ms", command, config, [](Config& c) { c.retain_ms = 1; });
    add("netcfg rsv", command, config, [](Config& c) { c.rsv[7] = 1; });
    add("netcfg name", command, config, [](Config& c) { std::memset(c.name, 'n', sizeof c.name); });
  }
  add("KICK flags", IPN_IOC_NODE_KICK, sized<ipn_ref>(), [](ipn_ref& r) { r.flags = 1; });
  add("KICK rsv", IPN_IOC_NODE_KICK, sized<ipn_ref>(), [](ipn_ref& r) { r.rsv = 1; });
  add("KICK name", IPN_IOC_NODE_KICK, sized<ipn_ref>(),
      [](ipn_ref& r) { std::memset(r.name, 'n', sizeof r.name); });
  add("STATS flags", IPN_IOC_STATS, sized<ipn_stats>(), [](ipn_stats& s) { s.flags = 1; });

  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.what) + " nr " + std::to_string(_IOC_NR(row.number)));
    std::string argument = row.argument;
    const auto file = open();
    EXPECT_EQ(file->ioctl(row.number, argument.data()), failure(EINVAL));
    EXPECT_EQ(argument, row.argument) << "a failed ioctl writes nothing";
    EXPECT_NE(explain(*file), "");
  }
  EXPECT_EQ(list_networks(net->admin()).size(), 1U);
  EXPECT_EQ(net->record().nodes, 0U);
}

TEST_F(EveryDoor, UnknownFlagsOfVersionAndExplainAreRefused) {
  const auto a = open();
  auto version = sized<ipn_version>();
  version.flags = 1;
  EXPECT_EQ(a->ioctl(IPN_IOC_VERSION, &version), failure(EINVAL));
  auto explanation = sized<ipn_explain>();
  explanation.flags = 1;
  EXPECT_EQ(a->ioctl(IPN_IOC_EXPLAIN, &explanation), failure(EINVAL));
}

TEST_F(EveryDoor, WhatIsMalformedIsCountedAndExplained) {
  const auto a = open();
  const std::uint64_t before = stats(*a).bad_requests;
  auto request = sized<ipn_stats>();
  request.size = 12;
  EXPECT_EQ(a->ioctl(IPN_IOC_STATS, &request), failure(EINVAL));
  EXPECT_NE(explain(*a).find("size"), std::string::npos) << explain(*a);
  request = sized<ipn_stats>();
  request.flags = 8;
  EXPECT_EQ(a->ioctl(IPN_IOC_STATS, &request), failure(EINVAL));
  EXPECT_NE(explain(*a).find("flags"), std::string::npos) << explain(*a);
  EXPECT_EQ(a->ioctl(_IO(IPN_IOC_MAGIC, 0x55), nullptr), failure(ENOTTY));
  EXPECT_EQ(stats(*a).bad_requests, before + 3);
}

}  // namespace
}  // namespace ipn::scenarios
