// SPDX-License-Identifier: MIT
#include "ipnd/helper_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "ipnd/device_node.h"
#include "ipnd/file_text.h"
#include "ipnd/helper_protocol.h"
#include "ipnd/mount.h"
#include "ipnd/network_text.h"
#include "ipnd/privileges.h"
#include "ipnd/system_error.h"

namespace ipn {
namespace {

// The helper keeps the privileges that the loop gives up, and blocks where the
// loop must not. It serves one request after the other and trusts none of them:
// a request names a door and a thing to do, both of which are looked up in what
// was planned before the loop served anybody. It lives as long as the loop; when
// the socket ends, by whatever kind of death, it takes away what would be left
// of the daemon: mounts, files it has made, the lock.

constexpr std::size_t kStateBytesMax = 64 << 20;

class HelperProcess {
 public:
  HelperProcess(UniqueFd loop, const HelperTask& task, InstanceLock& lock)
      : loop_(std::move(loop)), task_(task), lock_(lock) {}

  void run() {
    HelperRequest request;
    for (;;) {
      auto packet = receive_packet(loop_.get(), &request, sizeof request);
      if (packet && packet->end) break;
      if (!packet && packet.error().code != EBADMSG) break;
      auto done = packet ? serve(request, std::move(packet->fd)) : packet.error();
      answer(done);
    }
    for (std::uint32_t door = 0; door < task_.plan.doors.size(); ++door) unmount(door);
    ::unlink(task_.plan.socket_path.c_str());
    lock_.remove();
  }

 private:
  /// The descriptor is closed here once it is sent: a mount whose server dies
  /// must not be kept alive by a copy.
  void answer(const Result<UniqueFd>& done) {
    const HelperAnswer packet = done ? HelperAnswer{} : make_answer(done.error());
    // If the loop is gone, receive_packet() tells.
    (void)send_packet(loop_.get(), &packet, sizeof packet, done ? done->get() : -1);
  }

  Result<UniqueFd> serve(const HelperRequest& request, UniqueFd fd) {
    if (request.door >= task_.plan.doors.size()) return Error{EINVAL, "helper: no such door"};
    const DoorPlan& door = task_.plan.doors[request.door];
    const bool may_be_cuse = door.kind != DoorPlan::Kind::kFile;
    const bool may_be_file = door.kind != DoorPlan::Kind::kCuse;
    switch (request.call) {
      case HelperCall::kOpenCuse:
        return may_be_cuse ? open_cuse(door.path) : refused(door);
      case HelperCall::kMount:
        return may_be_file ? mount(request.door) : refused(door);
      case HelperCall::kStat:
        return without_fd(stat_file(door.path));
      case HelperCall::kWaitUdev:
        return may_be_cuse ? without_fd(wait_for_udev(door.path, loop_.get())) : refused(door);
      case HelperCall::kSetMode:
        return may_be_cuse ? without_fd(set_node_mode(door.path, task_.plan.access))
                           : refused(door);
      case HelperCall::kUnmount:
        unmount(request.door);
        return UniqueFd();
      case HelperCall::kSaveState:
        return without_fd(save_state(fd.get()));
      case HelperCall::kReload:
        return reload();
    }
    return Error{EINVAL, "helper: no such request"};
  }

  static Error refused(const DoorPlan& door) {
    return {EPERM, door.path + ": another kind of device was planned"};
  }

  static Result<UniqueFd> without_fd(const Result<void>& done) {
    if (!done) return done.error();
    return UniqueFd();
  }

  Result<UniqueFd> mount(std::uint32_t number) {
    const std::string& path = task_.plan.doors[number].path;
    const auto temporary = prepare_mount_point(path);
    if (!temporary) return temporary.error();
    if (*temporary) temporary_.insert(number);
    auto fd = mount_file(path, ::geteuid() == 0);
    if (fd) {
      mounted_.insert(number);
    } else {
      unmount(number);
    }
    return fd;
  }

  void unmount(std::uint32_t number) {
    const std::string& path = task_.plan.doors[number].path;
    if (mounted_.erase(number) != 0) (void)unmount_file(path);
    if (temporary_.erase(number) != 0) clear_leftovers(path);
  }

  static Result<void> stat_file(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return system_error(errno, path);
    return {};
  }

  Result<void> save_state(int fd) {
    const std::string& path = task_.plan.state_path;
    const auto text = read_text(fd, path, kStateBytesMax);
    if (!text) return text.error();
    if (!text->empty()) return replace_text(path, *text);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(errno, path);
    return {};
  }

  Result<UniqueFd> reload() {
    const LoadedConfiguration loaded = load_configuration(task_.source, task_.rules);
    if (loaded.errors.empty()) return text_in_memory(reload_text(loaded.configuration));
    std::string text = loaded.errors.front();
    if (loaded.errors.size() > 1) {
      text += " (and " + std::to_string(loaded.errors.size() - 1) + " more: ipnd --check)";
    }
    return Error{EINVAL, text};
  }

  UniqueFd loop_;
  const HelperTask& task_;
  InstanceLock& lock_;
  std::set<std::uint32_t> mounted_;
  std::set<std::uint32_t> temporary_;  ///< their mount points are to be removed
};

}  // namespace

void run_helper(UniqueFd loop, const HelperTask& task, InstanceLock& lock) {
  // The terminal and systemd signal both processes; only the loop decides.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "ipnd-helper", 0, 0, 0);
  if (auto ok = keep_helper_privileges(); ok) HelperProcess(std::move(loop), task, lock).run();
  ::_exit(EXIT_SUCCESS);
}

}  // namespace ipn
