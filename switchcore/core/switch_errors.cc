// SPDX-License-Identifier: MIT
#include "switchcore/core/switch_errors.h"

#include <cerrno>
#include <string>

#include "switchcore/core/network.h"
#include "switchcore/core/node.h"

namespace ipn {

Error no_such_network(std::string_view name) {
  return {ENOENT, std::string(name) + ": no such network (make it: ipnctl net add " +
                      std::string(name) + ")"};
}

Error not_allowed(const Network& network, const char* right, const char* letter) {
  return {EACCES, network.config().name + ": permission denied: its mode does not let you " +
                      right + " (its owner can grant " + letter + ": ipnctl net set " +
                      network.config().name + " --mode M)"};
}

Error network_gone() {
  return {ECONNRESET, "this open file: its network ended or it was disconnected (open again)"};
}

Error already_joined(const Node& node) {
  if (node.state() == Node::State::kEnded) return network_gone();
  return {EISCONN, "this open file: already bound or connected (open another one)"};
}

Error other_policy(const Network& network) {
  return {EPROTO, network.config().name + ": its policy is " + network.policy_name() +
                      " (ask for that one, or for any)"};
}

Error no_such_network(NetworkId id) {
  return {ENOENT,
          "network " + std::to_string(id.value) + ": no such network (see ipnctl net list)"};
}

Error no_such_node(NodeId id) {
  return {ENOENT, "node " + std::to_string(id.value) + ": no such node (see ipnctl node list)"};
}

Error daemon_stops() {
  return {ENODEV, "ipnd: the daemon is stopping (open again when it runs again)"};
}

Error owner_only(const Network& network) {
  return {EPERM, network.config().name +
                     ": only its owner or root may do that (see ipnctl net show " +
                     network.config().name + ")"};
}

}  // namespace ipn
