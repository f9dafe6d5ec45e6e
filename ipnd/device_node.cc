// SPDX-License-Identifier: MIT
#include "ipnd/device_node.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/stat.h>
#include <systemd/sd-device.h>

#include "ipnd/mount.h"
#include "ipnd/spawn.h"
#include "ipnd/system_error.h"

namespace ipn {
namespace {

using std::chrono::steady_clock;

constexpr const char* kCuse = "/dev/cuse";
constexpr std::chrono::seconds kModprobeLimit{5};
constexpr std::chrono::seconds kUdevLimit{5};
constexpr int kUdevLookMs = 10;

UniqueFd try_open_cuse() { return UniqueFd(::open(kCuse, O_RDWR | O_CLOEXEC | O_NONBLOCK)); }

Error cuse_error(int code) {
  switch (code) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return {code,
              "/dev/cuse: not there (the kernel has no module cuse, or a container hides it; use "
              "--device fuse)"};
    case EACCES:
    case EPERM:
      return system_error(code, kCuse,
                          "give the service or container the device, or use --device fuse");
    default:
      return system_error(code, kCuse);
  }
}

bool runs_udev() { return ::access("/run/udev/control", F_OK) == 0; }

struct DeviceCloser {
  void operator()(sd_device* device) const { ::sd_device_unref(device); }
};

/// A device object keeps what it has read, so each look takes a new one.
bool is_initialized(dev_t number) {
  sd_device* found = nullptr;
  if (::sd_device_new_from_devnum(&found, 'c', number) < 0) return false;
  const std::unique_ptr<sd_device, DeviceCloser> device(found);
  return ::sd_device_get_is_initialized(device.get()) > 0;
}

/// True when the loop is gone.
bool pause_or_end(int loop) {
  pollfd watch{loop, 0, 0};
  return ::poll(&watch, 1, kUdevLookMs) > 0;
}

Result<struct stat> device_status(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return system_error(errno, path,
                        "CUSE made the device, but /dev shows no new ones: is it a devtmpfs?");
  }
  if (!S_ISCHR(status.st_mode)) {
    return Error{EEXIST, path + ": is no character device (remove it, or choose another --name)"};
  }
  return status;
}

}  // namespace

Result<UniqueFd> open_cuse(const std::string& path) {
  UniqueFd fd = try_open_cuse();
  if (!fd && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
    run_program({"modprobe", "-q", "cuse"}, kModprobeLimit);
    fd = try_open_cuse();
  }
  if (!fd) return cuse_error(errno);
  clear_leftovers(path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    return Error{EBUSY, path + ": is there already (end who serves it, or choose another --name)"};
  }
  return fd;
}

Result<void> wait_for_udev(const std::string& path, int loop) {
  const auto status = device_status(path);
  if (!status) return status.error();
  const auto deadline = steady_clock::now() + kUdevLimit;
  while (runs_udev() && !is_initialized(status->st_rdev)) {
    if (steady_clock::now() >= deadline || pause_or_end(loop)) {
      return Error{ETIMEDOUT,
                   path + ": udev has not treated it in 5 s (see: udevadm info " + path + ")"};
    }
  }
  return {};
}

Result<void> set_node_mode(const std::string& path, const AccessPlan& access) {
  const auto status = device_status(path);
  if (!status) return status.error();
  if (!access.told && runs_udev()) return {};
  if (::lchown(path.c_str(), access.owner.value, access.group.value) != 0 ||
      ::chmod(path.c_str(), access.mode) != 0) {
    return system_error(errno, path);
  }
  return {};
}

}  // namespace ipn
