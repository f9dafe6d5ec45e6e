// SPDX-License-Identifier: MIT
// Why a device could not be opened, in words. This is the first thing that a
// newcomer reads, so it looks at what really applies: the file's mode, its
// group, and the groups of this process.
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libipn/src/node.h"

namespace libipn {
namespace {

constexpr gid_t kInvisibleGroup = 65534;
constexpr mode_t kReadWrite = 06;
constexpr char kSystemDirectory[] = "/dev/";

// Always one line; what is too long is cut.
__attribute__((format(printf, 1, 2))) void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(open_text().text, sizeof open_text().text, format, arguments);
  va_end(arguments);
}

struct Name {
  char text[128];
};

Name user_name(uid_t uid) {
  Name name;
  char room[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found != nullptr) {
    snprintf(name.text, sizeof name.text, "%s", entry.pw_name);
  } else {
    snprintf(name.text, sizeof name.text, "%u", uid);
  }
  return name;
}

Name group_name(gid_t gid) {
  Name name;
  char room[4096];
  group entry{};
  group* found = nullptr;
  if (getgrgid_r(gid, &entry, room, sizeof room, &found) == 0 && found != nullptr) {
    snprintf(name.text, sizeof name.text, "%s", entry.gr_name);
  } else {
    snprintf(name.text, sizeof name.text, "%u", gid);
  }
  return name;
}

constexpr int kGroupsMax = 1024;

bool is_among(gid_t gid, const gid_t* groups, int n) {
  for (int i = 0; i < n; i++) {
    if (groups[i] == gid) return true;
  }
  return false;
}

bool process_is_in(gid_t gid) {
  gid_t groups[kGroupsMax];
  return getegid() == gid || is_among(gid, groups, getgroups(kGroupsMax, groups));
}

// What the system's database says: true for new members who did not log in since.
bool user_is_in(uid_t uid, gid_t gid) {
  char room[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, room, sizeof room, &found) != 0 || found == nullptr) return false;
  gid_t groups[kGroupsMax];
  int n = kGroupsMax;
  return getgrouplist(entry.pw_name, entry.pw_gid, groups, &n) > 0 && is_among(gid, groups, n);
}

void say_not_in_group(const char* path, gid_t gid) {
  const Name group = group_name(gid);
  const Name user = user_name(geteuid());
  if (gid == kInvisibleGroup) {
    say("%s: permission denied: its group is not visible in this user namespace "
        "(run outside of it, or start an ipnd in it)",
        path);
  } else if (user_is_in(geteuid(), gid)) {
    say("%s: permission denied: you became a member of group %s after this session began "
        "(log in again)",
        path, group.text);
  } else {
    say("%s: permission denied: you are not in group %s "
        "(ask for membership: usermod -aG %s %s, then log in again)",
        path, group.text, group.text, user.text);
  }
}

void say_no_permission(const char* path) {
  struct stat status {};
  if (stat(path, &status) != 0) {
    say("%s: permission denied: its directory is closed to you, or it is served by another "
        "user's ipnd (start your own: ipnd)",
        path);
    return;
  }
  const bool owner = status.st_uid == geteuid();
  const bool member = process_is_in(status.st_gid);
  const unsigned mode = status.st_mode & 07777u;
  const unsigned granted = owner ? mode >> 6 : member ? mode >> 3 : mode;
  if ((granted & kReadWrite) == kReadWrite) {
    say("%s: permission denied although its mode %04o allows it: an access list, a security "
        "module or a container forbids it (ask the administrator)",
        path, mode);
  } else if (owner) {
    say("%s: permission denied: mode %04o does not let its owner read and write (chmod u+rw %s)",
        path, mode, path);
  } else if (member) {
    say("%s: permission denied: you are in group %s, but mode %04o does not let the group read "
        "and write (ask the administrator: chmod g+rw %s)",
        path, group_name(status.st_gid).text, mode, path);
  } else if ((mode >> 3 & kReadWrite) == kReadWrite) {
    say_not_in_group(path, status.st_gid);
  } else {
    say("%s: permission denied: mode %04o lets only its owner %s read and write "
        "(start your own ipnd, or ask the administrator)",
        path, mode, user_name(status.st_uid).text);
  }
}

const char* kind_of_file(const char* path) {
  struct stat status {};
  if (stat(path, &status) != 0) return "a file";
  if (S_ISREG(status.st_mode)) return "a regular file that no ipnd serves now";
  return S_ISCHR(status.st_mode) ? "another device" : "another kind of file";
}

// How to start a daemon that serves this path.
void say_missing(const char* path, const char* what) {
  if (strncmp(path, kSystemDirectory, sizeof kSystemDirectory - 1) == 0) {
    say("%s: %s (start ipnd: systemctl start ipnd)", path, what);
  } else {
    say("%s: %s (start ipnd: ipnd --path %s)", path, what, path);
  }
}

}  // namespace

OpenText& open_text() {
  static thread_local OpenText text{};
  return text;
}

int fail_arguments(const char* reason, int error) {
  say("ipn_open: %s", reason);
  return -error;
}

int fail_no_device(const char* rootless) {
  if (rootless != nullptr) {
    say("/dev/ipn: no such device, and no %s either (start ipnd: systemctl start ipnd, or for "
        "yourself: ipnd; or name a device in IPN_DEVICE)",
        rootless);
  } else {
    say("/dev/ipn: no such device, and XDG_RUNTIME_DIR is not set (start ipnd: systemctl start "
        "ipnd; or name a device in IPN_DEVICE)");
  }
  return -ENOENT;
}

int fail_open(const char* path, int error) {
  switch (error) {
    case ENOENT:
      say_missing(path, "no such device");
      break;
    case EACCES:
    case EPERM:
      say_no_permission(path);
      break;
    case ENOTCONN:
    case ECONNABORTED:
    case ENODEV:
    case ENXIO:
      say_missing(path, "the daemon that served it is gone");
      break;
    case ENFILE:
      say("%s: ipnd, or this system, has no room for one more open file (close some)", path);
      break;
    case EMFILE:
      say("%s: this process has too many open files (close some, or raise ulimit -n)", path);
      break;
    default:
      say("%s: %s", path, strerrordesc_np(error));
      break;
  }
  return -error;
}

int fail_handshake(const char* path, int error) {
  switch (error) {
    case ENOTTY:
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
      say("%s: not an IPN device, but %s (start ipnd, or name a device in IPN_DEVICE)", path,
          kind_of_file(path));
      return -ENOTTY;
    default:
      return fail_open(path, error);
  }
}

int fail_abi(const char* path, std::uint32_t abi) {
  say("%s: ipnd speaks IPN ABI 0.%u, this program 0.%u (install matching versions of ipnd and "
      "libipn)",
      path, abi, static_cast<unsigned>(IPN_ABI));
  return -EPROTONOSUPPORT;
}

}  // namespace libipn
