// SPDX-License-Identifier: MIT
#include "ipnd/plan.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "ipnd/values.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

constexpr const char* kDefaultName = "ipn";
constexpr const char* kDefaultGroup = "ipn";
constexpr const char* kRunDirectory = "/run/ipn";

/// What the options and the configuration wish for, before it is judged.
struct Wishes {
  std::string device;
  std::string name;
  std::vector<std::string> paths;
  bool only_paths = false;  ///< neither a name nor CUSE was asked for beside the paths
};

Wishes wishes_of(const Options& options, const DaemonSettings& settings) {
  Wishes wishes;
  const bool on_command_line = !options.paths.empty();
  wishes.paths = on_command_line ? options.paths : settings.paths;
  const auto name = options.name ? options.name : settings.name;
  const auto device = options.device ? options.device : settings.device;
  wishes.name = name.value_or(kDefaultName);
  wishes.device = device.value_or("auto");
  const bool system = on_command_line ? !is_private(options) : name || device == "cuse";
  wishes.only_paths = !wishes.paths.empty() && !system;
  return wishes;
}

std::string absolute(const std::string& path, const Environment& environment) {
  return (std::filesystem::path(environment.working_directory) / path).lexically_normal().string();
}

Result<void> add_device(const Wishes& wishes, const Environment& environment, Plan& plan) {
  const bool cuse = wishes.device == "cuse";
  if (cuse && !environment.is_root) {
    return Error{EPERM,
                 "/dev/cuse: only root may make character devices (run ipnd as root, or use "
                 "--device fuse)"};
  }
  DoorPlan door;
  if (environment.is_root) {
    door.path = "/dev/" + wishes.name;
    door.kind = DoorPlan::Kind::kAuto;
    if (cuse) door.kind = DoorPlan::Kind::kCuse;
    if (wishes.device == "fuse") door.kind = DoorPlan::Kind::kFile;
    plan.why = wishes.device == "auto" ? "root" : "--device " + wishes.device;
  } else {
    if (environment.runtime_directory.empty()) {
      return Error{ENOENT,
                   "XDG_RUNTIME_DIR: not set, and only root can serve /dev/" + wishes.name +
                       " (set it to a directory of yours, or choose a file: ipnd --path FILE)"};
    }
    door.path = environment.runtime_directory + '/' + wishes.name;
    plan.why = "not root";
  }
  plan.doors.push_back(std::move(door));
  return {};
}

Result<void> add_files(const Wishes& wishes, const Environment& environment, Plan& plan) {
  for (const std::string& path : wishes.paths) {
    DoorPlan door{DoorPlan::Kind::kFile, absolute(path, environment)};
    const bool twice = std::any_of(plan.doors.begin(), plan.doors.end(),
                                   [&](const auto& other) { return other.path == door.path; });
    if (twice) return Error{EINVAL, door.path + ": given twice (name each device once)"};
    plan.doors.push_back(std::move(door));
  }
  if (wishes.only_paths) plan.why = "only --path";
  return {};
}

/// Lock, state and log: in /run/ipn, or beside the only device.
void place_files(const Wishes& wishes, const Environment& environment, Plan& plan) {
  const bool system = environment.is_root && !wishes.only_paths;
  if (system) plan.directory = kRunDirectory;
  const std::string stem = system ? kRunDirectory + ('/' + wishes.name) : plan.doors.front().path;
  plan.lock_path = stem + ".lock";
  plan.state_path = stem + ".state";
  plan.log_path = stem + ".log";
  plan.socket_path = stem + ".sock";
}

Result<void> plan_access(const Options& options, const DaemonSettings& settings,
                         const Environment& environment, AccessPlan& access) {
  std::optional<Gid> group = settings.group;
  if (options.group) {
    group = find_group(*options.group);
    if (!group) {
      return Error{EINVAL, *options.group + ": no such group (see: getent group; or make it)"};
    }
  }
  const auto mode = options.mode ? options.mode : settings.mode;
  access.told = group || mode;
  if (!group && environment.is_root) group = find_group(kDefaultGroup);
  access.owner = environment.uid;
  access.group = group.value_or(environment.gid);
  access.mode = mode.value_or(group ? 0660 : 0600);
  return {};
}

const char* kind_text(DoorPlan::Kind kind) {
  switch (kind) {
    case DoorPlan::Kind::kCuse:
      return "a CUSE device";
    case DoorPlan::Kind::kFile:
      return "a FUSE file";
    case DoorPlan::Kind::kAuto:
      break;
  }
  return "a CUSE device if /dev/cuse opens, else a FUSE file";
}

std::string describe(const NetworkConfig& network, const std::vector<PolicyType>& policies) {
  std::string text = "network " + network.name + ": ";
  for (const PolicyType& policy : policies) {
    if (policy.number == network.policy) text += policy.name;
  }
  if (network.is_lossless()) text += ", lossless";
  if ((network.flags & IPN_NET_CONFIDENTIAL) != 0) text += ", confidential";
  return text + ", mtu " + std::to_string(network.mtu) + ", nodes " +
         std::to_string(network.ports) + ", pool " + std::to_string(network.pool) + ", mode " +
         mode_text(network.mode) + ", owner " + std::to_string(network.owner.value) + ", group " +
         std::to_string(network.group.value) + '\n';
}

std::string describe(const Limits& limits) {
  return "limits: " + std::to_string(limits.networks_per_uid) + " networks, " +
         std::to_string(limits.nodes_per_uid) + " nodes, " +
         std::to_string(limits.log_bytes_per_uid) + " log bytes per user; " +
         std::to_string(limits.parked_bytes_per_node) + " parked bytes per node; " +
         std::to_string(limits.open_nodes) + " open files\n";
}

}  // namespace

bool is_private(const Options& options) {
  return !options.paths.empty() && !options.name && options.device != "cuse";
}

ConfigurationSource configuration_source(const Options& options, const Environment& environment) {
  ConfigurationSource source;
  if (options.config) {
    source.file = absolute(*options.config, environment);
  } else if (is_private(options)) {
    return source;
  } else if (environment.is_root) {
    source.directory = "/etc/ipn";
  } else if (!environment.config_directory.empty()) {
    source.directory = environment.config_directory + "/ipn";
  }
  return source;
}

Result<Plan> make_plan(const Options& options, const Configuration& configuration,
                       const Environment& environment) {
  const DaemonSettings& settings = configuration.daemon;
  const Wishes wishes = wishes_of(options, settings);
  Plan plan;
  plan.name = wishes.name;
  plan.major = settings.major.value_or(0);
  plan.log_level = options.log_level.value_or(settings.log_level.value_or("info"));
  plan.log_level_told = options.log_level.has_value();
  if (!wishes.only_paths) {
    if (auto ok = add_device(wishes, environment, plan); !ok) return ok.error();
  }
  if (auto ok = add_files(wishes, environment, plan); !ok) return ok.error();
  place_files(wishes, environment, plan);
  if (auto ok = plan_access(options, settings, environment, plan.access); !ok) return ok.error();
  return plan;
}

std::string describe(const Plan& plan, const Configuration& configuration,
                     const std::vector<PolicyType>& policies) {
  std::string text;
  for (const std::string& file : configuration.files) text += "configuration: " + file + ": good\n";
  if (configuration.files.empty()) text += "configuration: no file, the defaults\n";
  for (const DoorPlan& door : plan.doors) {
    text += "device: " + door.path + ": " + kind_text(door.kind) + ", mode " +
            mode_text(plan.access.mode) + ", group " + std::to_string(plan.access.group.value) +
            '\n';
  }
  text += "files: " + plan.lock_path + ", " + plan.state_path + ", " + plan.socket_path + '\n';
  text += describe(configuration.limits);
  for (const NetworkConfig& network : configuration.networks) text += describe(network, policies);
  return text;
}

}  // namespace ipn
