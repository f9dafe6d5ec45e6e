// SPDX-License-Identifier: MIT
#include "tests/device/scenario.h"

#include <algorithm>
#include <iostream>
#include <unistd.h>

#include "tests/device/engine.h"

namespace ipn::scenarios {

Settings& settings() {
  static Settings settings;
  return settings;
}

// TestNetwork -----------------------------------------------------------------

TestNetwork::TestNetwork(std::unique_ptr<File> admin, std::string name, const NetSpec& spec)
    : admin_(std::move(admin)), name_(std::move(name)) {
  ipn_netcfg config = config_of(name_);
  config.flags = IPN_NETCFG_NFLAGS;
  config.nflags = spec.nflags | IPN_NET_PERSISTENT;
  const auto give = [&](std::uint32_t flag, __u32& field, std::optional<std::uint32_t> wanted) {
    if (!wanted) return;
    config.flags |= flag;
    field = *wanted;
  };
  give(IPN_NETCFG_MTU, config.mtu, spec.mtu);
  give(IPN_NETCFG_PORTS, config.ports, spec.ports);
  give(IPN_NETCFG_POOL, config.pool, spec.pool);
  give(IPN_NETCFG_MODE, config.mode, spec.mode);
  give(IPN_NETCFG_DEADLINE, config.deadline_ms, spec.deadline_ms);
  EXPECT_EQ(net_add(*admin_, config), 0) << explain(*admin_);
  id_ = config.net;
}

TestNetwork::~TestNetwork() {
  const int error = net_end(*admin_, name_);
  EXPECT_TRUE(error == 0 || error == ENOENT) << explain(*admin_);
}

ipn_net_record TestNetwork::record() const {
  for (const ipn_net_record& record : list_networks(*admin_)) {
    if (record.id == id_) return record;
  }
  return {};
}

// Scenario --------------------------------------------------------------------

void Scenario::SetUp() {
  switch (settings().door) {
    case DoorKind::kMemory:
      world_ = make_in_process_world(make_memory_engine());
      break;
    case DoorKind::kFakeKernel:
      world_ = make_in_process_world(make_fake_kernel());
      break;
    case DoorKind::kFile:
    case DoorKind::kFast:
    case DoorKind::kCuse:
      world_ = make_real_world(settings().door, settings().device);
      break;
  }
}

void Scenario::TearDown() {
  // The answer to the last close may come after it returned.
  const std::uint32_t open_files = world_->makes_system_calls() ? 2 : 1;
  const std::unique_ptr<File> file = open();
  EXPECT_TRUE(world_->eventually([&] { return is_empty(*file, open_files); }))
      << "left behind: " << stats(*file).open_files - open_files << " open files, "
      << list_networks(*file).size() << " networks, " << list_nodes(*file).size()
      << " nodes, or something is still charged to a user";
}

bool Scenario::is_empty(File& file, std::uint32_t open_files) {
  const ipn_stats mine = stats(file);
  bool empty = mine.networks == 0 && mine.nodes == 0 && mine.open_files == open_files &&
               list_networks(file).empty() && list_nodes(file).empty();
  const auto is_free = [](const ipn_stats& s) {
    return s.uid_networks == 0 && s.uid_nodes == 0 && s.uid_log_bytes == 0 &&
           s.uid_parked_bytes == 0;
  };
  empty = empty && is_free(mine);
  for (const Identity& other : others_) {
    empty = empty && is_free(stats(*open_as(other)));
  }
  return empty;
}

Identity Scenario::me() {
  Identity who;
  if (settings().is_real()) {
    who.uid = geteuid();
    who.gid = getegid();
  }
  return who;
}

Identity Scenario::somebody() { return {54321, 54321, {}, 0022}; }
Identity Scenario::somebody_else() { return {54322, 54322, {}, 0022}; }

bool Scenario::can_be_somebody() {
  if (me().uid == 0) return true;
  std::cout << "[  SKIPPED ] needs root to make calls as another user\n";
  return false;
}

std::unique_ptr<File> Scenario::open(int flags) { return open_as(me(), flags); }

std::unique_ptr<File> Scenario::open_as(const Identity& who, int flags) {
  Opened opened = world_->open(flags, who);
  EXPECT_EQ(failure(opened.error), failure(0)) << "open";
  const auto same = [&](const Identity& other) { return other.uid == who.uid; };
  if (who.uid != me().uid && std::none_of(others_.begin(), others_.end(), same)) {
    others_.push_back(who);
  }
  return std::move(opened.file);
}

std::unique_ptr<File> Scenario::member(const std::string& name, std::uint32_t roles) {
  std::unique_ptr<File> file = open();
  EXPECT_EQ(failure(connect(*file, name, roles)), failure(0)) << explain(*file);
  return file;
}

std::string Scenario::name() const {
  return ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

std::unique_ptr<TestNetwork> Scenario::network(const NetSpec& spec, std::string name) {
  if (name.empty()) name = this->name();
  return std::make_unique<TestNetwork>(open(), std::move(name), spec);
}

ipn_node_record Scenario::record_of(File& file, std::uint64_t node) {
  for (const ipn_node_record& record : list_nodes(file)) {
    if (record.id == node) return record;
  }
  ADD_FAILURE() << "no record of node " << node;
  return {};
}

std::unique_ptr<Sleeper> Scenario::sleeping(std::unique_ptr<Sleeper> sleeper) {
  EXPECT_FALSE(sleeper->is_done()) << "should sleep, but is " << sleeper->wait();
  return sleeper;
}

}  // namespace ipn::scenarios
