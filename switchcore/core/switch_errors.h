// SPDX-License-Identifier: MIT
#pragma once

// What the switch says when it refuses something: object, reason, remedy.

#include <string_view>

#include "switchcore/base/ids.h"
#include "switchcore/base/result.h"

namespace ipn {

class Network;
class Node;

Error no_such_network(std::string_view name);
Error no_such_network(NetworkId id);
Error no_such_node(NodeId id);
/// `right` is what the mode does not let one do, `letter` what would allow it.
Error not_allowed(const Network& network, const char* right, const char* letter);
Error owner_only(const Network& network);
Error other_policy(const Network& network);
Error network_gone();
Error already_joined(const Node& node);
Error daemon_stops();

}  // namespace ipn
