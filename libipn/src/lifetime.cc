// SPDX-License-Identifier: MIT
// From the path of the device to an open node, and back.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libipn/src/fast.h"
#include "libipn/src/held.h"

namespace libipn {

constinit std::atomic<std::uint32_t> forks{1};

namespace {

constexpr char kUsualPath[] = "/dev/ipn";

std::atomic<std::uint64_t> serials{0};
pthread_once_t watch_forks = PTHREAD_ONCE_INIT;

void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

bool is_set(const char* value) { return value != nullptr && *value != '\0'; }

// The path to open, allocated, or nullptr and *error (already explained).
char* find_device(const char* device, int* error) {
  const char* path = device != nullptr ? device : secure_getenv("IPN_DEVICE");
  // Anything but "it does not exist" is an answer that open() will explain.
  if (device == nullptr && !is_set(path)) {
    path = access(kUsualPath, F_OK) == 0 || errno != ENOENT ? kUsualPath : nullptr;
  }
  char* found = nullptr;
  if (path != nullptr) {
    found = strdup(path);
  } else if (const char* directory = secure_getenv("XDG_RUNTIME_DIR"); is_set(directory)) {
    if (asprintf(&found, "%s/ipn", directory) < 0) found = nullptr;
    if (found != nullptr && access(found, F_OK) != 0 && errno == ENOENT) {
      *error = fail_no_device(found);
      free(found);
      return nullptr;
    }
  } else {
    *error = fail_no_device(nullptr);
    return nullptr;
  }
  if (found == nullptr) *error = fail_arguments("out of memory", ENOMEM);
  return found;
}

// Makes sure that the file is IPN and that both sides speak the same ABI.
int shake_hands(ipn_node& node) {
  node.daemon = {};
  node.daemon.size = sizeof node.daemon;
  node.daemon.abi = IPN_ABI;
  const long result =
      restarting(node, [&] { return ioctl(node.fd, IPN_IOC_VERSION, &node.daemon); });
  if (result < 0) return fail_handshake(node.device, static_cast<int>(-result));
  if (node.daemon.abi == 0) return fail_handshake(node.device, ENOTTY);
  if (node.daemon.abi != IPN_ABI) return fail_abi(node.device, node.daemon.abi);
  node.daemon.text[sizeof node.daemon.text - 1] = '\0';
  node.daemon.socket[sizeof node.daemon.socket - 1] = '\0';
  return 0;
}

// In header mode an empty message and the end of the network differ.
int choose_header_mode(ipn_node& node) {
  OptionRequest request(IPN_OPT_HEADER, 1);
  const long result =
      restarting(node, [&] { return ioctl(node.fd, OptionRequest::kSet, &request); });
  return result < 0 ? fail_handshake(node.device, static_cast<int>(-result)) : 0;
}

void destroy(ipn_node* node) {
  // What was committed is sent. A child of fork leaves the ring to its parent.
  if (node->fast != nullptr && node->fast->sends && !is_stale(*node))
    fast_publish(*node, *node->fast);
  // The device first: the node ends here, and not because the socket hangs up.
  // Linux closes the descriptor even if close() is interrupted.
  if (node->fd >= 0) close(node->fd);
  free(node->device);
  release_fast(*node);
  free(node->peek_buffer);
  free(node->held);
  free(node->send_buffer);
  free(node->reports);
  node->~ipn_node();
  free(node);
}

}  // namespace

int open_node(ipn_node& node) {
  const int nonblock = (node.flags & IPN_NONBLOCK) != 0 ? O_NONBLOCK : 0;
  const long fd =
      restarting(node, [&] { return open(node.device, O_RDWR | O_CLOEXEC | O_NOCTTY | nonblock); });
  if (fd < 0) return fail_open(node.device, static_cast<int>(-fd));
  node.fd = static_cast<int>(fd);
  struct stat status {};
  if (fstat(node.fd, &status) != 0) return fail_open(node.device, errno);
  node.device_door = S_ISCHR(status.st_mode) ? IPN_DOOR_DEVICE : IPN_DOOR_FILE;
  node.door.store(node.device_door, std::memory_order_relaxed);
  node.membership.port = IPN_PORT_ANY;
  const int error = shake_hands(node);
  return error != 0 ? error : choose_header_mode(node);
}

}  // namespace libipn

int ipn_open(const char* device, unsigned flags, struct ipn_node** node) {
  using namespace libipn;
  const NoCancel no_cancel;
  if (node == nullptr) return fail_arguments("no place for the node was given", EINVAL);
  *node = nullptr;
  if ((flags & ~(IPN_NONBLOCK | IPN_INTR | IPN_NOSPIN | IPN_BUSY)) != 0) {
    return fail_arguments(
        "unknown flag (IPN_NONBLOCK, IPN_INTR, IPN_NOSPIN and IPN_BUSY are known)", EINVAL);
  }
  pthread_once(&watch_forks, [] { pthread_atfork(nullptr, nullptr, count_fork); });

  void* room = malloc(sizeof(ipn_node));
  if (room == nullptr) return fail_arguments("out of memory", ENOMEM);
  auto* made = new (room) ipn_node;
  made->flags = flags;
  made->serial = serials.fetch_add(1, std::memory_order_relaxed) + 1;
  int error = 0;
  made->device = find_device(device, &error);
  if (made->device != nullptr) error = open_node(*made);
  if (error != 0) {
    destroy(made);
    return error;
  }
  *node = made;
  return 0;
}

int ipn_close(struct ipn_node* node) {
  const libipn::NoCancel no_cancel;
  if (node != nullptr) libipn::destroy(node);
  return 0;
}
