// SPDX-License-Identifier: MIT
#include "switchcore/core/network_config.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "libipn/ring/log_writer.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

constexpr std::uint32_t kSettableFlags =
    IPN_NET_LOSSLESS | IPN_NET_EXCL | IPN_NET_PERSISTENT | IPN_NET_CONFIDENTIAL;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<void> check_range(const NetworkConfig& config, const char* setting, std::uint64_t value,
                         std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return {};
  return Error{EINVAL, config.name + ": " + setting + " " + std::to_string(value) +
                           " is out of range (" + std::to_string(low) + " to " +
                           std::to_string(high) + ")"};
}

}  // namespace

bool NetworkConfig::is_lossless() const { return (flags & IPN_NET_LOSSLESS) != 0; }
bool NetworkConfig::is_persistent() const { return (flags & IPN_NET_PERSISTENT) != 0; }

void NetworkChange::apply_to(NetworkConfig& config) const {
  config.flags = flags.value_or(config.flags);
  config.mtu = mtu.value_or(config.mtu);
  config.ports = ports.value_or(config.ports);
  config.pool = pool.value_or(config.pool);
  config.mode = mode.value_or(config.mode);
  config.deadline_ms = deadline_ms.value_or(config.deadline_ms);
  config.log_bytes = log_bytes.value_or(config.log_bytes);
  config.owner = owner.value_or(config.owner);
  config.group = group.value_or(config.group);
}

Result<void> check_name(std::string_view name) {
  const bool length_ok = !name.empty() && name.size() <= IPN_NAME_MAX;
  const bool first_ok = length_ok && (is_letter_or_digit(name[0]) || name[0] == '_');
  const bool rest_ok = first_ok && std::all_of(name.begin(), name.end(), [](char c) {
                         return is_letter_or_digit(c) ||
                                std::string_view("._:@/-").find(c) != std::string_view::npos ||
                                c == '_';
                       });
  if (rest_ok) return {};
  // The name may hold anything: it is not repeated.
  return Error{EINVAL,
               "name of the network: not valid (1 to 107 of A-Z a-z 0-9 . _ : @ / - with a letter, "
               "digit or _ first)"};
}

Result<void> check_config(const NetworkConfig& config) {
  if (auto ok = check_name(config.name); !ok) return ok;
  if (auto ok = check_range(config, "mtu", config.mtu, 1, kMtuMax); !ok) return ok;
  if (auto ok = check_range(config, "number of ports", config.ports, 1, kPortsMax); !ok) return ok;
  if (auto ok = check_range(config, "pool", config.pool, 1, kPoolMax); !ok) return ok;
  if (auto ok = check_range(config, "mode", config.mode, 0, 0777); !ok) return ok;
  if (auto ok = check_range(config, "log_bytes", config.log_bytes, 0, kLogBytesMax); !ok) return ok;
  if ((config.flags & ~kSettableFlags) != 0) {
    return Error{EINVAL, config.name + ": unknown flag (lossless 1, excl 2, confidential 0x200)"};
  }
  return {};
}

std::uint64_t ring_bytes_for(const NetworkConfig& config) {
  const std::uint64_t message = ring::record_bytes(config.mtu);
  const std::uint64_t wanted = config.log_bytes != 0
                                   ? config.log_bytes
                                   : std::min((config.pool + 1) * message, kLogBytesChosen);
  return std::bit_ceil(std::max(wanted, (4 + 1) * message));
}

}  // namespace ipn
