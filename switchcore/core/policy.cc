// SPDX-License-Identifier: MIT
#include "switchcore/core/policy.h"

#include <cerrno>

namespace ipn {
namespace {

Error not_supported(const char* what, std::uint32_t number) {
  return {EOPNOTSUPP, std::string("policy of the network: no ") + what + " " +
                          std::to_string(number) + " (this policy has none of that number)"};
}

}  // namespace

Result<Port> Policy::port_asked(std::optional<Port> wanted, const PortTable& table) {
  if (wanted) {
    const std::string port = "port " + std::to_string(wanted->value);
    if (wanted->value >= table.size()) {
      return Error{EADDRNOTAVAIL, port + ": the network has only ports 0 to " +
                                      std::to_string(table.size() - 1) + " (ask for any port)"};
    }
    if (table.is_taken(*wanted)) {
      return Error{EADDRINUSE, port + ": taken by another node (ask for any port)"};
    }
    return *wanted;
  }
  if (const auto port = table.first_free()) return *port;
  return Error{EADDRNOTAVAIL, "ports: all " + std::to_string(table.size()) +
                                  " of the network are taken (its owner can give it more: "
                                  "ipnctl net set NETWORK --nodes N)"};
}

Result<void> Policy::set_option(Port, std::uint32_t name, std::span<const std::byte>) {
  return not_supported("option", name);
}

Result<std::size_t> Policy::get_option(Port, std::uint32_t name, std::span<std::byte>) {
  return not_supported("option", name);
}

Result<std::size_t> Policy::command(Port, std::uint32_t command, std::span<std::byte>) {
  return not_supported("command", command);
}

}  // namespace ipn
