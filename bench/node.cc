// SPDX-License-Identifier: MIT
#include "bench/node.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <unistd.h>

namespace ipn_bench {
namespace {

unsigned flags_of(Spin spin) {
  if (spin == Spin::kNever) return IPN_NOSPIN;
  return spin == Spin::kBusy ? IPN_BUSY : 0;
}

std::string explained(ipn_node* node) {
  std::array<char, 512> text{};
  ipn_explain(node, text.data(), text.size());
  return text.data();
}

}  // namespace

std::string fresh_network_name() {
  static unsigned count = 0;
  return "ipn-bench-" + std::to_string(getpid()) + '-' + std::to_string(++count);
}

const char* door_name(Door door) { return door == Door::kFast ? "fast" : "device"; }

const char* spin_name(Spin spin) {
  if (spin == Spin::kAdaptive) return "adaptive";
  return spin == Spin::kNever ? "never" : "busy";
}

Failure Node::failure(const std::string& step, long error) const {
  const std::string words = explained(node_.get());
  return {step + ": " + (words.empty() ? "error " + std::to_string(-error) : words)};
}

Result<void> Node::set(std::uint32_t option, std::uint32_t value) {
  const int error = ipn_setopt(get(), option, value);
  if (error != 0) return failure("setting an option", error);
  return {};
}

Result<void> Node::shape(const Membership& membership) {
  const NetworkShape& network = membership.network;
  constexpr std::uint32_t kOnlyOurs = 0700;
  if (auto done = set(IPN_OPT_MTU, network.mtu); !done) return done;
  if (auto done = set(IPN_OPT_MSGPOOLSIZE, network.pool); !done) return done;
  if (auto done = set(IPN_OPT_NUMNODES, network.nodes); !done) return done;
  if (auto done = set(IPN_OPT_MODE, kOnlyOurs); !done) return done;
  return set(IPN_OPT_FLAGS, network.lossless ? IPN_NET_LOSSLESS : 0);
}

Result<void> Node::check_door(Door door) const {
  struct ipn_info info {};
  info.size = sizeof info;
  if (const int error = ipn_info(get(), &info); error != 0) return failure("ipn_info", error);
  const bool is_fast = info.door == IPN_DOOR_FAST;
  if (is_fast == (door == Door::kFast)) return {};
  if (is_fast) return Failure{"the node is attached, and --door device was asked for"};
  return Failure{std::string(info.device) +
                 ": messages do not travel through shared memory here (measure the device: "
                 "--door device)"};
}

Result<Node> Node::join(const Membership& membership) {
  setenv("IPN_FASTPATH", membership.door == Door::kFast ? "require" : "0", 1);
  ipn_node* opened = nullptr;
  if (ipn_open(membership.device.c_str(), flags_of(membership.spin), &opened) != 0) {
    return Failure{explained(nullptr)};
  }
  Node node(opened);
  if (auto shaped = node.shape(membership); !shaped) return shaped.error();
  if (membership.door == Door::kFast && membership.ring_bytes != 0) {
    const int error = ipn_setopt(opened, IPN_OPT_RING, membership.ring_bytes);
    // A daemon that does not know it has no shared memory, which is told below.
    if (error != 0 && error != -ENOPROTOOPT) return node.failure("setting an option", error);
  }
  const int bound = ipn_bind(opened, membership.network.name.c_str(), IPN_BROADCAST);
  if (bound != 0) return node.failure("making a network", bound);
  const int connected = ipn_connect(opened, nullptr, IPN_BROADCAST, membership.roles);
  if (connected != 0) return node.failure("joining a network", connected);
  if (auto checked = node.check_door(membership.door); !checked) return checked.error();
  return node;
}

}  // namespace ipn_bench
