// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "cuse_dev/device.h"
#include "switchcore/core/switch.h"
#include "tests/device/world.h"

namespace ipn::scenarios {

/// The daemon without its process: a switch and a device, in the test's.
class Daemon final : private SwitchObserver {
 public:
  Daemon();

  device::Device& device() { return device_; }
  Switch& core() { return core_; }

  /// The thread id under which the device finds this identity.
  std::uint32_t enrol(const Identity& who);

 private:
  void on_networks_changed() override {}
  void on_evicted(const Network&, const Node&, TimeNs) override {}
  void on_cut_off(const Network&, const Node&, std::string_view) override {}
  Credentials identify(const device::Caller& caller) const;

  std::vector<Identity> identities_;
  Switch core_;
  device::Device device_;
};

}  // namespace ipn::scenarios
