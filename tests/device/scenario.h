// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/device/client.h"
#include "tests/device/world.h"

namespace ipn::scenarios {

/// The door of this run, from the command line.
struct Settings {
  DoorKind door = DoorKind::kMemory;
  std::string device;                 ///< path, of doors with system calls
  std::uint64_t deliveries = 20'000;  ///< of the order tests

  /// A daemon runs already, and calls are system calls.
  bool is_real() const { return door != DoorKind::kMemory && door != DoorKind::kFakeKernel; }
};
Settings& settings();

/// What a network is made with; what is not given has its default.
struct NetSpec {
  std::uint32_t nflags = 0;
  std::optional<std::uint32_t> mtu{}, ports{}, pool{}, mode{}, deadline_ms{};
};

/// A network that lasts as long as this object.
class TestNetwork {
 public:
  TestNetwork(std::unique_ptr<File> admin, std::string name, const NetSpec& spec);
  ~TestNetwork();
  TestNetwork(const TestNetwork&) = delete;
  TestNetwork& operator=(const TestNetwork&) = delete;

  const std::string& name() const { return name_; }
  std::uint64_t id() const { return id_; }
  ipn_net_record record() const;
  File& admin() const { return *admin_; }

 private:
  const std::unique_ptr<File> admin_;
  const std::string name_;
  std::uint64_t id_ = 0;
};

/// A test over one door. What it leaves behind in the daemon fails it.
class Scenario : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  World& world() { return *world_; }
  /// The user that runs the test; root in the guest and in memory.
  static Identity me();
  /// A user without rights of his own.
  static Identity somebody();
  static Identity somebody_else();
  /// False, with the reason in the output, where we may not be somebody else.
  bool can_be_somebody();

  std::unique_ptr<File> open(int flags = O_RDWR);
  std::unique_ptr<File> open_as(const Identity& who, int flags = O_RDWR);
  /// An open file that is connected to the network.
  std::unique_ptr<File> member(const std::string& name, std::uint32_t roles = 0);
  std::unique_ptr<File> member(const TestNetwork& net, std::uint32_t roles = 0) {
    return member(net.name(), roles);
  }
  /// A name for a network of this test.
  std::string name() const;
  std::unique_ptr<TestNetwork> network(const NetSpec& spec = {}, std::string name = {});
  ipn_node_record record_of(File& file, std::uint64_t node);

  /// Calls that must come to sleep.
  std::unique_ptr<Sleeper> sleeping(std::unique_ptr<Sleeper> sleeper);

 private:
  bool is_empty(File& file, std::uint32_t open_files);

  std::unique_ptr<World> world_;
  std::vector<Identity> others_;
};

/// Runs on all doors.
class EveryDoor : public Scenario {};
/// Needs system calls: descriptors, processes, epoll.
class SystemCalls : public Scenario {};
/// Needs to be the kernel.
class FakeKernelDoor : public ::testing::Test {};
/// What only a FUSE file has.
class FuseFile : public Scenario {};

}  // namespace ipn::scenarios
