// SPDX-License-Identifier: MIT
#include "switchcore/core/node.h"

#include "switchcore/core/own_log.h"

namespace ipn {

Node::Node(NodeId id, Door door, NodeSink& sink) : id_(id), door_(door), sink_(sink) {}

Node::~Node() = default;

}  // namespace ipn
