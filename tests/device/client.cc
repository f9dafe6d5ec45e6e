// SPDX-License-Identifier: MIT
#include "tests/device/client.h"

#include <algorithm>
#include <cerrno>
#include <gtest/gtest.h>

namespace ipn::scenarios {
namespace {

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
T from_bytes(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

template <typename Record>
std::vector<Record> list(File& file, std::uint32_t kind, std::uint64_t net, std::size_t bytes) {
  std::vector<Record> records;
  ipn_list head{};
  head.kind = kind;
  head.net = net;
  do {
    head.size = static_cast<std::uint32_t>(sizeof head + bytes);
    head.n = 0;
    head.rec = 0;
    std::string buffer = bytes_of(head).append(bytes, '\0');
    const Answer answer = file.ioctl(IPN_IOC_LIST(bytes), buffer.data());
    EXPECT_EQ(answer, value(0)) << "LIST";
    if (answer.error != 0) break;
    head = from_bytes<ipn_list>(buffer);
    EXPECT_EQ(head.size, sizeof head + std::size_t{head.n} * head.rec);
    for (std::size_t i = 0; i < head.n; ++i) {
      records.push_back(
          from_bytes<Record>(std::string_view(buffer).substr(sizeof head + i * head.rec)));
    }
  } while (head.n != 0);
  return records;
}

}  // namespace

ipn_join join_of(std::string_view name, std::uint32_t roles, std::uint32_t policy,
                 std::int32_t port) {
  auto join = sized<ipn_join>();
  join.policy = policy;
  join.roles = roles;
  join.port = port;
  put_name(join.name, name);
  return join;
}

int bind_to(File& file, ipn_join& join) { return file.ioctl(IPN_IOC_BIND, &join).error; }

int bind_to(File& file, std::string_view name) {
  ipn_join join = join_of(name);
  return bind_to(file, join);
}

int connect(File& file, ipn_join& join) { return file.ioctl(IPN_IOC_CONNECT, &join).error; }

int connect(File& file, std::string_view name, std::uint32_t roles) {
  ipn_join join = join_of(name, roles, IPN_ANY);
  return connect(file, join);
}

int shutdown(File& file, std::uint32_t how) {
  auto request = sized<ipn_shutdown>();
  request.how = how;
  return file.ioctl(IPN_IOC_SHUTDOWN, &request).error;
}

int set_option(File& file, std::uint32_t name, std::uint32_t value) {
  auto option = sized<ipn_opt>();
  option.name = name;
  option.len = sizeof value;
  option.size = sizeof option + sizeof value;
  std::string buffer = bytes_of(option) + bytes_of(value);
  return file.ioctl(IPN_IOC_SETOPT(sizeof value), buffer.data()).error;
}

std::uint32_t get_option(File& file, std::uint32_t name) {
  std::uint32_t number = 0xffffffff;
  auto option = sized<ipn_opt>();
  option.name = name;
  option.len = sizeof number;
  option.size = sizeof option + sizeof number;
  std::string buffer = bytes_of(option) + bytes_of(number);
  EXPECT_EQ(file.ioctl(IPN_IOC_GETOPT(sizeof number), buffer.data()), value(0));
  return from_bytes<std::uint32_t>(std::string_view(buffer).substr(sizeof option));
}

void set_header_mode(File& file) { EXPECT_EQ(set_option(file, IPN_OPT_HEADER, 1), 0); }

std::string explain(File& file) {
  auto request = sized<ipn_explain>();
  EXPECT_EQ(file.ioctl(IPN_IOC_EXPLAIN, &request), value(0));
  const std::string text = request.text;
  // "object: reason (remedy)"
  EXPECT_NE(text.find(": "), std::string::npos) << text;
  EXPECT_NE(text.find(" ("), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with(')')) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  return text;
}

// Messages --------------------------------------------------------------------

std::string with_header(std::string_view payload, std::uint16_t flags) {
  ipn_msg header{};
  header.hdr = IPN_MSG_HDR;
  header.flags = flags;
  header.len = static_cast<std::uint32_t>(payload.size());
  return bytes_of(header).append(payload);
}

Received take_apart(const Answer& answer) {
  Received received;
  received.error = answer.error;
  if (answer.error != 0 || answer.data.empty()) return received;
  EXPECT_GE(answer.data.size(), sizeof received.header);
  received.header = from_bytes<ipn_msg>(answer.data);
  received.payload = answer.data.substr(std::min(answer.data.size(), sizeof received.header));
  return received;
}

Received read_message(File& file, std::size_t room) {
  return take_apart(file.read(sizeof(ipn_msg) + room));
}

std::string receive_argument(std::size_t room, std::uint16_t flags, std::uint64_t offset) {
  ipn_msg header{};
  header.hdr = IPN_MSG_HDR;
  header.flags = flags;
  header.peer = offset;
  return bytes_of(header).append(room, '\0');
}

Received receive(File& file, std::size_t room, std::uint16_t flags, std::uint64_t offset) {
  std::string buffer = receive_argument(room, flags, offset);
  const Answer answer = file.ioctl(IPN_IOC_RECV(room), buffer.data());
  if (answer.error != 0) return {answer.error};
  Received received = take_apart(message(buffer));
  // The kernel copies what it was given; the rest of the buffer is as it was.
  const std::size_t left =
      received.header.len - std::min<std::uint64_t>(offset, received.header.len);
  received.payload.resize(std::min(left, room));
  return received;
}

Sent send(File& file, std::string_view payload, std::uint16_t flags) {
  std::string buffer = with_header(payload, flags);
  const Answer answer = file.ioctl(IPN_IOC_SEND(payload.size()), buffer.data());
  const auto header = from_bytes<ipn_msg>(buffer);
  return {answer.error, answer.error == 0 ? header.count : 0, answer.error == 0 ? header.seq : 0};
}

ipn_wait_peers wait_peers_of(std::uint32_t readers, std::uint32_t timeout_ms) {
  auto request = sized<ipn_wait_peers>();
  request.readers = readers;
  request.timeout_ms = timeout_ms;
  return request;
}

// Management ------------------------------------------------------------------

int net_add(File& file, ipn_netcfg& config) { return file.ioctl(IPN_IOC_NET_ADD, &config).error; }
int net_get(File& file, ipn_netcfg& config) { return file.ioctl(IPN_IOC_NET_GET, &config).error; }
int net_set(File& file, ipn_netcfg& config) { return file.ioctl(IPN_IOC_NET_SET, &config).error; }

int net_end(File& file, std::string_view name) {
  ipn_netcfg config = config_of(name);
  return file.ioctl(IPN_IOC_NET_END, &config).error;
}

ipn_netcfg config_of(std::string_view name) {
  auto config = sized<ipn_netcfg>();
  put_name(config.name, name);
  return config;
}

int kick(File& file, std::uint64_t node) {
  auto ref = sized<ipn_ref>();
  ref.node = node;
  return file.ioctl(IPN_IOC_NODE_KICK, &ref).error;
}

ipn_stats stats(File& file) {
  auto stats = sized<ipn_stats>();
  EXPECT_EQ(file.ioctl(IPN_IOC_STATS, &stats), value(0));
  return stats;
}

std::vector<ipn_net_record> list_networks(File& file, std::size_t bytes) {
  return list<ipn_net_record>(file, IPN_LIST_NETWORKS, 0, bytes);
}

std::vector<ipn_node_record> list_nodes(File& file, std::uint64_t net, std::size_t bytes) {
  return list<ipn_node_record>(file, IPN_LIST_NODES, net, bytes);
}

}  // namespace ipn::scenarios
