// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/options.h"
#include "bench/result.h"

#include <ipn/ipn.h>

namespace ipn_bench {

/// A network that does not exist yet, or does with these settings.
struct NetworkShape {
  std::string name;
  std::uint32_t mtu = 1514;
  std::uint32_t pool = 1024;
  std::uint32_t nodes = 32;
  bool lossless = true;
};

/// A name that no other network of this program has.
std::string fresh_network_name();

/// The words of `--door` and of rows.
const char* door_name(Door door);
const char* spin_name(Spin spin);

/// How a node takes part.
struct Membership {
  std::string device;
  NetworkShape network;
  Door door = Door::kFast;
  Spin spin = Spin::kAdaptive;
  std::uint32_t roles = 0;  ///< IPN_ROLE_*; 0: sends and receives
  std::uint32_t ring_bytes = 0;
};

/// A connected node, closed with this object.
class Node {
 public:
  /// Makes the network if it is not there and connects to it. Fails if messages
  /// would not travel by the door that was asked for.
  static Result<Node> join(const Membership& membership);

  ipn_node* get() const { return node_.get(); }
  /// The library's words for what it returned.
  Failure failure(const std::string& step, long error) const;

 private:
  struct Closer {
    void operator()(ipn_node* node) const { ipn_close(node); }
  };
  explicit Node(ipn_node* node) : node_(node) {}
  Result<void> set(std::uint32_t option, std::uint32_t value);
  Result<void> shape(const Membership& membership);
  Result<void> check_door(Door door) const;

  std::unique_ptr<ipn_node, Closer> node_;
};

}  // namespace ipn_bench
