// SPDX-License-Identifier: MIT
#include "tests/device/daemon.h"

#include <utility>

#include "switchcore/base/assert.h"
#include "switchcore/io/memory.h"
#include "switchcore/policy/broadcast.h"

namespace ipn::scenarios {
namespace {

class Storage final : public LogStorage {
 public:
  explicit Storage(io::AnonymousMemory memory) : memory_(std::move(memory)) {}
  std::span<std::byte> bytes() override { return memory_.bytes(); }

 private:
  io::AnonymousMemory memory_;
};

Result<std::unique_ptr<LogStorage>> make_storage(std::uint64_t bytes) {
  auto memory = io::AnonymousMemory::allocate(bytes);
  if (!memory) return memory.error();
  return std::unique_ptr<LogStorage>(std::make_unique<Storage>(std::move(*memory)));
}

device::DeviceInfo info() {
  device::DeviceInfo info;
  info.version = "ipnd of the tests";
  info.boot_id.fill(7);
  info.loop = "none";
  info.device = "none";
  return info;
}

}  // namespace

Daemon::Daemon()
    : core_(Limits{}, make_storage, *this),
      device_(
          core_, [this](const device::Caller& caller) { return identify(caller); }, info()) {
  core_.add_policy(broadcast_policy());
}

std::uint32_t Daemon::enrol(const Identity& who) {
  identities_.push_back(who);
  return static_cast<std::uint32_t>(identities_.size());
}

Credentials Daemon::identify(const device::Caller& caller) const {
  IPN_ASSERT(caller.tid > 0 && caller.tid <= identities_.size());
  const Identity& who = identities_[caller.tid - 1];
  Credentials credentials;
  credentials.uid = Uid{caller.uid};
  credentials.gid = Gid{caller.gid};
  for (const std::uint32_t group : who.groups) credentials.groups.push_back(Gid{group});
  credentials.umask = who.umask;
  credentials.pid = caller.tid;
  credentials.program = "scenario";
  return credentials;
}

}  // namespace ipn::scenarios
