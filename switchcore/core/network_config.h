// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "switchcore/base/ids.h"
#include "switchcore/base/result.h"

namespace ipn {

/// Limits of the settings (reference: AF_IPN 2007 and its errata).
inline constexpr std::uint32_t kMtuMax = 65536;
inline constexpr std::uint32_t kPortsMax = 65535;
inline constexpr std::uint32_t kPoolMax = 65535;
inline constexpr std::uint64_t kLogBytesChosen = 2ULL << 20;  ///< most that we choose by ourselves
inline constexpr std::uint64_t kLogBytesMax = 1ULL << 30;     ///< most that may be asked for

/// What a network is made with. Everything has the default of a network that a
/// program makes by bind.
struct NetworkConfig {
  std::string name;
  std::uint32_t policy = 0;  ///< IPN_BROADCAST...; 0 (IPN_ANY) cannot be made
  std::uint32_t flags = 0;   ///< IPN_NET_LOSSLESS, _EXCL, _PERSISTENT, _CONFIDENTIAL
  std::uint32_t mtu = 1514;  ///< bytes of a message as sent
  std::uint32_t ports = 32;
  std::uint32_t pool = 1024;  ///< messages that a log holds
  std::uint32_t mode = 0777;  ///< after the umask
  /// Ring bytes of a log; 0: ring_bytes_for() chooses. Where every receiver has a
  /// log of its own, which the receiver is charged for, an owner with limits
  /// cannot ask for more than one user may have (EDQUOT), and the logs do not
  /// grow while users other than the owner receive (EBUSY).
  std::uint64_t log_bytes = 0;
  /// Lossless: disconnect who has held up, for this long, senders of which one
  /// still waits: by a send that is parked, or by polling for POLLOUT. 0: never.
  std::uint32_t deadline_ms = 0;
  Uid owner;
  Gid group;

  bool is_lossless() const;
  bool is_persistent() const;
};

/// Settings that are given, others stay (bind options, NET_SET).
struct NetworkChange {
  std::optional<std::uint32_t> flags, mtu, ports, pool, mode, deadline_ms;
  std::optional<std::uint64_t> log_bytes;
  std::optional<Uid> owner;
  std::optional<Gid> group;

  void apply_to(NetworkConfig& config) const;
};

/// 1..107 bytes of [A-Za-z0-9._:@/-], first a letter, digit or '_'; EINVAL.
Result<void> check_name(std::string_view name);

/// Ranges of all settings; EINVAL with the setting, its value and its range.
Result<void> check_config(const NetworkConfig& config);

/// Ring bytes of a log, a power of two: what the configuration says, else room
/// for pool messages of mtu bytes but at most 2 MiB; never less than four
/// messages of mtu bytes. The padding before a wrap, less than one message, is
/// on top of that.
std::uint64_t ring_bytes_for(const NetworkConfig& config);

}  // namespace ipn
