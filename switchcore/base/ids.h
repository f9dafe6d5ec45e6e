// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace ipn {

/// Numbers that must not be mixed up are types of their own.
template <typename Tag, typename Value>
struct Id {
  Value value{};

  constexpr Id() = default;
  constexpr explicit Id(Value v) : value(v) {}
  constexpr auto operator<=>(const Id&) const = default;
};

/// 64 bits, never reused within one run of the daemon, 0 is nobody. The top
/// 8 bits are room for the number of a loop.
using NetworkId = Id<struct NetworkTag, std::uint64_t>;
using NodeId = Id<struct NodeTag, std::uint64_t>;

/// A node's number within its network, below the network's number of ports.
using Port = Id<struct PortTag, std::uint32_t>;

using Uid = Id<struct UidTag, std::uint32_t>;
using Gid = Id<struct GidTag, std::uint32_t>;

}  // namespace ipn

template <typename Tag, typename Value>
struct std::hash<ipn::Id<Tag, Value>> {
  std::size_t operator()(ipn::Id<Tag, Value> id) const noexcept {
    return std::hash<Value>{}(id.value);
  }
};
