// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <iostream>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/device/fast_file.h"
#include "tests/device/scenario.h"

namespace {

using ipn::scenarios::DoorKind;

constexpr const char* kUsage =
    "usage: ipn-scenarios --door=memory|fake|file|fast|cuse [--device=PATH] [--deliveries=N]\n"
    "                     [options of GoogleTest]\n"
    "\n"
    "Runs the scenarios over one door to the device. file, fast and cuse need a daemon\n"
    "that runs already and has no network and no open file, with its device at PATH\n"
    "(else: $IPN_DEVICE). fast moves messages through shared memory.\n";

/// True if `argument` is --NAME=VALUE; then `value` is its value.
bool is_option(std::string_view argument, std::string_view name, std::string& value) {
  if (!argument.starts_with(name)) return false;
  value = argument.substr(name.size());
  return true;
}

bool set_door(const std::string& name) {
  DoorKind& door = ipn::scenarios::settings().door;
  std::string filter = "EveryDoor.*:Order.*:SystemCalls.*";
  if (name == "memory") {
    door = DoorKind::kMemory;
    filter = "EveryDoor.*:Order.*";
  } else if (name == "fake") {
    door = DoorKind::kFakeKernel;
    filter = "EveryDoor.*:Order.*:FakeKernelDoor.*";
  } else if (name == "file") {
    door = DoorKind::kFile;
    filter = "EveryDoor.*:Order.*:SystemCalls.*:FuseFile.*";
  } else if (name == "fast") {
    door = DoorKind::kFast;
    filter = "EveryDoor.*:Order.*-" + ipn::scenarios::not_for_fast_files();
    setenv("IPN_FASTPATH", "require", 1);
  } else if (name == "cuse") {
    door = DoorKind::kCuse;
  } else {
    return false;
  }
  // A filter of the command line is read after this.
  ::testing::GTEST_FLAG(filter) = filter;
  return true;
}

/// Some scenarios have thousands of open files.
void raise_file_limit() {
  constexpr rlim_t kFiles = 8192;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = kFiles;
  limit.rlim_max = std::max(limit.rlim_max, kFiles);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) std::perror("ipn-scenarios: 8192 open files");
}

}  // namespace

int main(int argc, char** argv) {
  auto& settings = ipn::scenarios::settings();
  if (const char* device = std::getenv("IPN_DEVICE")) settings.device = device;
  std::string value;
  bool have_door = false;
  for (int i = 1; i < argc; ++i) {
    if (is_option(argv[i], "--door=", value)) {
      have_door = set_door(value);
    } else if (is_option(argv[i], "--device=", value)) {
      settings.device = value;
    } else if (is_option(argv[i], "--deliveries=", value)) {
      settings.deliveries = std::strtoull(value.c_str(), nullptr, 10);
    }
  }
  if (!have_door || (settings.is_real() && settings.device.empty()) || settings.deliveries == 0) {
    std::cerr << kUsage;
    return 2;
  }
  umask(022);
  raise_file_limit();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
