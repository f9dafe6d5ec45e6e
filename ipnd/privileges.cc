// SPDX-License-Identifier: MIT
#include "ipnd/privileges.h"

#include <cerrno>
#include <cstdint>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

constexpr const char* kLoopUser = "ipn";
constexpr const char* kFallbackUser = "nobody";

constexpr std::uint64_t bit(int capability) { return std::uint64_t{1} << capability; }

/// SYS_ADMIN mounts, SYS_MODULE lets modprobe load cuse, the others give device
/// nodes their owner and mode and write into directories of other users.
constexpr std::uint64_t kHelperCapabilities = bit(CAP_SYS_ADMIN) | bit(CAP_SYS_MODULE) |
                                              bit(CAP_CHOWN) | bit(CAP_FOWNER) |
                                              bit(CAP_DAC_OVERRIDE);

std::uint64_t permitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  ::syscall(SYS_capget, &header, data);
  return data[0].permitted | std::uint64_t{data[1].permitted} << 32;
}

Result<void> limit_capabilities(std::uint64_t keep) {
  const std::uint64_t set = permitted() & keep;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  data[0].effective = data[0].permitted = static_cast<std::uint32_t>(set);
  data[1].effective = data[1].permitted = static_cast<std::uint32_t>(set >> 32);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (::syscall(SYS_capset, &header, data) != 0) return system_error(errno, "capabilities");
  return {};
}

}  // namespace

Result<std::optional<LoopUser>> find_loop_user(const Environment& environment) {
  if (!environment.is_root) return std::optional<LoopUser>();
  for (const char* name : {kLoopUser, kFallbackUser}) {
    if (const passwd* entry = ::getpwnam(name)) {
      return std::optional(LoopUser{Uid{entry->pw_uid}, Gid{entry->pw_gid}, name});
    }
  }
  return Error{ENOENT,
               "user ipn: not there, nor is nobody (make it: systemd-sysusers, or useradd "
               "--system ipn)"};
}

Result<void> give_up_privileges(const std::optional<LoopUser>& user) {
  if (user) {
    const uid_t uid = user->uid.value;
    const gid_t gid = user->gid.value;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(gid, gid, gid) != 0 ||
        ::setresuid(uid, uid, uid) != 0) {
      return system_error(errno, "user " + user->name, "ipnd must be able to become it");
    }
  }
  if (auto ok = limit_capabilities(0); !ok) return ok;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return system_error(errno, "prctl");
  }
  return {};
}

Result<void> keep_helper_privileges() {
  // Without root, mounting needs fusermount3, a program that gains privileges.
  if (::geteuid() != 0) return {};
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    const bool keep = (kHelperCapabilities & bit(capability)) != 0;
    // Not allowed where somebody has limited us already.
    if (!keep) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  if (auto ok = limit_capabilities(kHelperCapabilities); !ok) return ok;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error(errno, "prctl");
  return {};
}

}  // namespace ipn
