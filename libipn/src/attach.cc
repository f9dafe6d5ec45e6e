// SPDX-License-Identifier: MIT
// Attaching (ipn/ring.h): a ticket by the socket, the ticket to the device, the
// areas by the socket. Everything that comes is checked before it is mapped: the
// files are as long as was said, and what was said makes sense.
#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libipn/src/fast.h"

namespace libipn {

constinit const std::atomic<std::uint64_t>* process_page = nullptr;

namespace {

constexpr int kAnswerMs = 200;
constexpr int kAreasMs = 2000;
constexpr std::uint64_t kLargestArea = std::uint64_t{1} << 40;
constexpr int kDescriptors = 3;

pthread_once_t page_made = PTHREAD_ONCE_INIT;
std::atomic<std::uint64_t>* writable_page = nullptr;
std::atomic<std::uint64_t> last_mark{0};

void make_process_page() {
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, size, MADV_WIPEONFORK) != 0) {
    munmap(page, size);
    return;
  }
  writable_page = new (page) std::atomic<std::uint64_t>(0);
  process_page = writable_page;
}

/// A packet of the daemon, and the descriptors that came with it.
class Packet {
 public:
  Packet() = default;
  ~Packet() {
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;

  const ipn_grant& grant() const { return grant_; }
  int fd(int n) const { return fds_[n]; }

  /// 0, -EAGAIN: nothing there, or why it is no use.
  long receive(int socket) {
    iovec room{&grant_, sizeof grant_};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds_)];
    msghdr message{};
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_LEN(sizeof fds_);  // without the room that alignment adds
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return -errno;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      std::memcpy(fds_, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
    }
    if (got == 0) return -ECONNRESET;
    if ((message.msg_flags & MSG_CTRUNC) != 0) return -EMFILE;
    return got < static_cast<ssize_t>(sizeof grant_) ? -EPROTO : 0;
  }

 private:
  ipn_grant grant_{};
  int fds_[kDescriptors] = {-1, -1, -1};
};

/// Waits for a packet of that kind. 0 or -errno; -ETIMEDOUT.
long await_packet(const ipn_node& node, int socket, std::uint32_t kind, int timeout_ms,
                  Packet& packet) {
  const std::int64_t until = now_ms() + timeout_ms;
  for (;;) {
    const std::int64_t left = until - now_ms();
    if (left < 0) return -ETIMEDOUT;
    pollfd descriptor{socket, POLLIN, 0};
    const long ready =
        restarting(node, [&] { return poll(&descriptor, 1, static_cast<int>(left)); });
    if (ready < 0) return ready;
    if (ready == 0) return -ETIMEDOUT;
    const long error = packet.receive(socket);
    if (error == -EAGAIN) continue;
    return error == 0 && packet.grant().kind != kind ? -EPROTO : error;
  }
}

/// A socket that is connected, or -errno.
long connect_socket(const ipn_node& node) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  static_assert(sizeof address.sun_path >= sizeof node.daemon.socket);
  std::memcpy(address.sun_path, node.daemon.socket, sizeof node.daemon.socket);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  const std::int64_t until = now_ms() + kAnswerMs;
  for (;;) {
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    if (connect(fd, name, sizeof address) == 0) return fd;
    const int error = errno;
    // Many attach at once: the daemon has not accepted those before this one.
    if ((error != EAGAIN && error != EINTR) || now_ms() > until) {
      close(fd);
      return error == EAGAIN ? -ETIMEDOUT : -error;
    }
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
}

long refuse(ipn_node& node, Reason reason, long error) {
  update_door(node, {reason, static_cast<std::uint16_t>(-error)});
  return error;
}

bool map(Mapping& mapping, int fd, std::uint64_t size, int protection) {
  struct stat file {};
  if (fd < 0 || size == 0 || size > kLargestArea || fstat(fd, &file) != 0 ||
      static_cast<std::uint64_t>(file.st_size) != size) {
    errno = EPROTO;
    return false;
  }
  void* data = mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return false;
  mapping = {static_cast<std::byte*>(data), size};
  return madvise(data, size, MADV_DONTFORK) == 0;
}

void unmap(Mapping& mapping) {
  if (mapping.data != nullptr) munmap(mapping.data, mapping.size);
  mapping = {};
}

// is_power_of_two() would need more than libc.
bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

bool is_log_sane(const Mapping& log, std::uint64_t epoch) {
  if (log.size < IPN_LOG_HEADER_BYTES + IPN_RECORD_HDR) return false;
  const auto& header = *reinterpret_cast<const ipn_log_header*>(log.data);
  return header.layout == IPN_RING_LAYOUT && header.epoch == epoch &&
         is_power_of_two(header.capacity) && header.capacity <= log.size - IPN_LOG_HEADER_BYTES;
}

std::span<const std::byte> log_of(const Mapping& log) {
  const auto& header = *reinterpret_cast<const ipn_log_header*>(log.data);
  return {log.data, IPN_LOG_HEADER_BYTES + std::size_t{header.capacity}};
}

bool is_status_sane(const Fast& fast) {
  if (fast.client.size <= IPN_PAGE || fast.status.size < IPN_PAGE) return false;
  const auto& page = *reinterpret_cast<const ipn_status*>(fast.status.data);
  const std::uint64_t completions = page.completion_entries;
  return page.layout == IPN_RING_LAYOUT && is_power_of_two(page.send_bytes) &&
         page.send_bytes >= IPN_RECORD_HDR && page.send_bytes <= fast.client.size - IPN_PAGE &&
         is_power_of_two(completions) &&
         completions * sizeof(ipn_completion) <= fast.status.size - IPN_PAGE;
}

/// Whether this thread and the daemon can run at the same time. A set that does not
/// fit is one of more than 1024 processors.
bool has_processors_to_spare() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) > 1;
}

long map_areas(Fast& fast, const Packet& packet) {
  const ipn_grant& grant = packet.grant();
  const bool receives = (grant.flags & IPN_GRANT_RECEIVES) != 0;
  if (!map(fast.client, packet.fd(0), grant.client_bytes, PROT_READ | PROT_WRITE) ||
      !map(fast.status, packet.fd(1), grant.status_bytes, PROT_READ) ||
      (receives && !map(fast.log, packet.fd(2), grant.log_bytes, PROT_READ))) {
    return -errno;
  }
  if (!is_status_sane(fast)) return -EPROTO;
  if (receives && !is_log_sane(fast.log, grant.epoch)) return -EPROTO;
  fast.control = reinterpret_cast<ipn_control*>(fast.client.data);
  fast.page = reinterpret_cast<const ipn_status*>(fast.status.data);
  fast.writer = ring::SendWriter(*fast.control, *fast.page,
                                 {fast.client.data + IPN_PAGE, fast.page->send_bytes});
  fast.sends = (grant.flags & IPN_GRANT_SENDS) != 0;
  if (receives) {
    const bool overwrites = (grant.flags & IPN_GRANT_OVERWRITES) != 0;
    fast.reader = ring::LogReader(*fast.control, *fast.page, log_of(fast.log), fast.page->node,
                                  overwrites, grant.next_seq);
    fast.base.seq = grant.next_seq;
    fast.base.pos = grant.next_pos;
    fast.receives = true;
  }
  return 0;
}

long present_ticket(const ipn_node& node, const ipn_grant& ticket) {
  ipn_attach request{};
  request.size = sizeof request;
  std::memcpy(request.ticket, ticket.ticket, sizeof request.ticket);
  std::memcpy(request.boot_id, ticket.boot_id, sizeof request.boot_id);
  request.layout_min = request.layout_max = IPN_RING_LAYOUT;
  return restarting(node, [&] { return ioctl(node.fd, IPN_IOC_ATTACH, &request); });
}

/// From a connected socket to mapped memory, or why not.
long take_areas(ipn_node& node, Fast& fast) {
  {
    Packet ticket;
    const long error = await_packet(node, fast.socket, IPN_GRANT_TICKET, kAnswerMs, ticket);
    if (error != 0) return refuse(node, Reason::kNoAnswer, error);
    if (std::memcmp(ticket.grant().boot_id, node.daemon.boot_id, sizeof node.daemon.boot_id) != 0) {
      return refuse(node, Reason::kTicket, -EOPNOTSUPP);
    }
    const long refused = present_ticket(node, ticket.grant());
    if (refused < 0) return refuse(node, Reason::kAttach, refused);
  }
  Packet areas;
  long error = await_packet(node, fast.socket, IPN_GRANT_AREAS, kAreasMs, areas);
  if (error == 0) error = map_areas(fast, areas);
  if (error == 0) return 0;
  ipn_attach request{};
  request.size = sizeof request;
  ioctl(node.fd, IPN_IOC_DETACH, &request);
  return refuse(node, error == -EPROTO ? Reason::kGrant : Reason::kMapping, error);
}

void destroy_fast(Fast& fast, bool mapped) {
  if (fast.socket >= 0) close(fast.socket);
  if (mapped) {
    unmap(fast.client);
    unmap(fast.status);
    unmap(fast.log);
  }
  fast.~Fast();
  std::free(&fast);
}

}  // namespace

std::uint64_t process_mark() {
  pthread_once(&page_made, make_process_page);
  if (writable_page == nullptr) return 0;
  std::uint64_t mark = writable_page->load(std::memory_order_relaxed);
  if (mark != 0) return mark;
  // Numbers that were used before a fork are not used again after it.
  const std::uint64_t fresh = last_mark.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool stored = writable_page->compare_exchange_strong(mark, fresh);
  return stored ? fresh : mark;
}

long attach(ipn_node& node) {
  const bool offered = (node.daemon.features[0] & IPN_FEATURE_FAST) != 0 &&
                       node.daemon.layout_min <= IPN_RING_LAYOUT &&
                       node.daemon.layout_max >= IPN_RING_LAYOUT && node.daemon.socket[0] != '\0';
  const std::uint64_t mark = offered ? process_mark() : 0;
  if (mark == 0) return refuse(node, Reason::kNotOffered, -EOPNOTSUPP);
  void* room = std::aligned_alloc(alignof(Fast), sizeof(Fast));
  if (room == nullptr) return refuse(node, Reason::kMapping, -ENOMEM);
  auto* fast = new (room) Fast;
  const long socket = connect_socket(node);
  fast->socket = static_cast<int>(socket < 0 ? -1 : socket);
  const long error = socket < 0 ? refuse(node, Reason::kSocket, socket) : take_areas(node, *fast);
  if (error != 0) {
    destroy_fast(*fast, true);
    return error;
  }
  fast->shares_processor = !has_processors_to_spare();
  fast->may_spin = (node.flags & IPN_NOSPIN) == 0 && !fast->shares_processor;
  node.fast = fast;
  node.mark.store(mark, std::memory_order_relaxed);
  update_door(node, {});
  return 0;
}

void release_fast(ipn_node& node) {
  if (node.fast == nullptr) return;
  // A child of fork has not got the mappings; something else may be there.
  destroy_fast(*node.fast, !is_stale(node));
  node.fast = nullptr;
  node.mark.store(0, std::memory_order_relaxed);
}

bool map_next_epoch(ipn_node& node, Fast& fast) {
  const NoCancel no_cancel;
  const std::uint64_t epoch = fast.reader.next_epoch();
  for (;;) {
    Packet packet;
    long error = packet.receive(fast.socket);
    const ipn_grant& grant = packet.grant();
    if (error == 0 && (grant.kind != IPN_GRANT_EPOCH || grant.epoch != epoch)) continue;
    Mapping log;
    if (error == 0 && !map(log, packet.fd(0), grant.log_bytes, PROT_READ)) error = -errno;
    if (error == 0 && !is_log_sane(log, epoch)) error = -EPROTO;
    if (error != 0) {
      unmap(log);
      update_door(node, {Reason::kEpoch, static_cast<std::uint16_t>(-error)});
      return false;
    }
    unmap(fast.log);
    fast.log = log;
    fast.reader.go_on(log_of(log), (grant.flags & IPN_GRANT_OVERWRITES) != 0);
    fast.base.seq = std::max<std::uint64_t>(fast.base.seq, grant.next_seq);
    fast.base.pos = grant.next_pos;
    return true;
  }
}

}  // namespace libipn
