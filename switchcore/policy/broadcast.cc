// SPDX-License-Identifier: MIT
#include "switchcore/policy/broadcast.h"

#include <cerrno>

#include <ipn/ioctl.h>

namespace ipn {
namespace {

class Broadcast final : public Policy {
 public:
  bool sends_to_all() const override { return true; }
  bool decides_by_destination() const override { return true; }

  Verdict decide(Port, std::span<const std::byte>, const MessageMeta& meta) override {
    // Whoever names a destination expects that nobody else gets the message.
    if (meta.destination != 0) return Verdict::refuse(EOPNOTSUPP);
    return Verdict::deliver(Destinations::all());
  }
};

}  // namespace

PolicyType broadcast_policy() {
  return {IPN_BROADCAST, "broadcast", [] { return std::make_unique<Broadcast>(); }};
}

}  // namespace ipn
