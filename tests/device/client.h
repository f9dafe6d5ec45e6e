// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/device/world.h"

#include <ipn/ioctl.h>

// What a program does with an open file, with as few words as possible. A
// function that returns int returns an errno, 0 for success.

namespace ipn::scenarios {

/// A structure of ipn/ioctl.h with its size filled in.
template <typename T>
T sized() {
  T value{};
  value.size = sizeof value;
  return value;
}

ipn_join join_of(std::string_view name, std::uint32_t roles = 0,
                 std::uint32_t policy = IPN_BROADCAST, std::int32_t port = IPN_PORT_ANY);
int bind_to(File& file, ipn_join& join);
int bind_to(File& file, std::string_view name);
int connect(File& file, ipn_join& join);
/// An empty name after bind.
int connect(File& file, std::string_view name = {}, std::uint32_t roles = 0);
int shutdown(File& file, std::uint32_t how);
int set_option(File& file, std::uint32_t name, std::uint32_t value);
/// 0xffffffff and a failed test if there is no answer.
std::uint32_t get_option(File& file, std::uint32_t name);
void set_header_mode(File& file);
/// Object, reason and remedy of the last call that failed; all three are checked
/// to be there.
std::string explain(File& file);

// Messages with a header.

struct Received {
  int error = 0;
  ipn_msg header{};
  std::string payload{};
};

/// A header of 64 bytes and the payload, as header mode wants it.
std::string with_header(std::string_view payload, std::uint16_t flags = 0);
/// Takes apart what a read in header mode, or IPN_IOC_RECV, returned.
Received take_apart(const Answer& answer);
Received read_message(File& file, std::size_t room = IPN_MSG_MAX);
Received receive(File& file, std::size_t room, std::uint16_t flags = 0, std::uint64_t offset = 0);
std::string receive_argument(std::size_t room, std::uint16_t flags = 0, std::uint64_t offset = 0);

struct Sent {
  int error = 0;
  std::uint32_t receivers = 0;
  std::uint64_t seq = 0;
};
Sent send(File& file, std::string_view payload, std::uint16_t flags = 0);

ipn_wait_peers wait_peers_of(std::uint32_t readers, std::uint32_t timeout_ms);

// Management.

int net_add(File& file, ipn_netcfg& config);
int net_get(File& file, ipn_netcfg& config);
int net_set(File& file, ipn_netcfg& config);
int net_end(File& file, std::string_view name);
ipn_netcfg config_of(std::string_view name);
int kick(File& file, std::uint64_t node);
ipn_stats stats(File& file);
/// All records, asked for in pieces of `bytes`.
std::vector<ipn_net_record> list_networks(File& file, std::size_t bytes = IPN_LIST_DATA_MAX);
std::vector<ipn_node_record> list_nodes(File& file, std::uint64_t net = 0,
                                        std::size_t bytes = IPN_LIST_DATA_MAX);

template <std::size_t N>
void put_name(char (&field)[N], std::string_view name) {
  name.copy(field, N);
}

}  // namespace ipn::scenarios
