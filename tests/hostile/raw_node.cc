// SPDX-License-Identifier: MIT
#include "tests/hostile/raw_node.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace ipn::hostile {
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::milliseconds kPause{1};

int open_device() {
  const char* path = std::getenv("IPN_DEVICE");
  if (path == nullptr) give_up("IPN_DEVICE is not set (run by tests/device/with-fuse-file)");
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) give_up(std::string(path) + ": " + std::strerror(errno));
  return fd;
}

const Descriptor& management() {
  static const Descriptor file(open_device());
  return file;
}

template <typename T>
T* map(int fd, std::uint64_t bytes, int protection) {
  void* address = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) give_up(std::string("mmap of an area: ") + std::strerror(errno));
  return static_cast<T*>(address);
}

}  // namespace

void Descriptor::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void give_up(const std::string& reason) {
  std::fprintf(stderr, "FAILED: %s\n", reason.c_str());
  std::exit(1);
}

bool eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

const ipn_version& daemon_version() {
  static const ipn_version answer = [] {
    ipn_version version{};
    version.size = sizeof version;
    if (ioctl(management().get(), IPN_IOC_VERSION, &version) < 0) give_up("IPN_IOC_VERSION fails");
    return version;
  }();
  return answer;
}

pid_t daemon_pid() {
  const Descriptor socket = connect_attach_socket();
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    give_up("the attach socket has no peer: the daemon is gone");
  }
  return peer.pid;
}

Descriptor connect_attach_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", daemon_version().socket);
  Descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  eventually([&] {
    return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
           errno != EAGAIN;
  });
  return fd;
}

bool receive_packet(int socket, Packet& packet, int timeout_ms) {
  pollfd entry{socket, POLLIN, 0};
  if (poll(&entry, 1, timeout_ms) != 1) return false;
  iovec data{&packet.grant, sizeof packet.grant};
  std::array<int, 3> fds{-1, -1, -1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> room{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return false;
  const cmsghdr* part = CMSG_FIRSTHDR(&message);
  if (part != nullptr) std::memcpy(fds.data(), CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
  for (std::size_t i = 0; i < fds.size(); ++i) packet.files[i] = Descriptor(fds[i]);
  return true;
}

RawNode::RawNode(const std::string& network, unsigned roles) : device(open_device()) {
  joined.size = sizeof joined;
  joined.roles = roles;
  joined.port = IPN_PORT_ANY;
  std::snprintf(joined.name, sizeof joined.name, "%s", network.c_str());
  if (ioctl(device.get(), IPN_IOC_CONNECT, &joined) < 0) {
    give_up("CONNECT to " + network + ": " + std::strerror(errno));
  }
}

RawNode::~RawNode() { unmap(); }

void RawNode::unmap() {
  if (control != nullptr) munmap(control, client_bytes);
  if (status != nullptr) munmap(const_cast<ipn_status*>(status), status_bytes);
  if (log != nullptr) munmap(const_cast<ipn_log_header*>(log), log_bytes);
  control = nullptr;
  status = nullptr;
  log = nullptr;
}

int RawNode::attach() {
  socket = connect_attach_socket();
  Packet ticket;
  if (!receive_packet(socket.get(), ticket)) return EAGAIN;
  if (const int error = attach_by(ticket.grant); error != 0) return error;
  return take_areas() ? 0 : EPIPE;
}

int RawNode::attach_by(const ipn_grant& ticket) {
  ipn_attach request{};
  request.size = sizeof request;
  std::memcpy(request.ticket, ticket.ticket, sizeof request.ticket);
  std::memcpy(request.boot_id, ticket.boot_id, sizeof request.boot_id);
  request.layout_min = request.layout_max = IPN_RING_LAYOUT;
  return ioctl(device.get(), IPN_IOC_ATTACH, &request) < 0 ? errno : 0;
}

bool RawNode::take_areas() {
  Packet areas;
  if (!receive_packet(socket.get(), areas) || areas.grant.kind != IPN_GRANT_AREAS) return false;
  unmap();
  client_bytes = areas.grant.client_bytes;
  status_bytes = areas.grant.status_bytes;
  log_bytes = areas.grant.log_bytes;
  ring_bytes = client_bytes - IPN_PAGE;
  head = 0;
  client_file = std::move(areas.files[0]);
  status_file = std::move(areas.files[1]);
  log_file = std::move(areas.files[2]);
  control = map<ipn_control>(client_file.get(), client_bytes, PROT_READ | PROT_WRITE);
  send_ring = reinterpret_cast<std::byte*>(control) + IPN_PAGE;
  status = map<const ipn_status>(status_file.get(), status_bytes, PROT_READ);
  if (log_file) log = map<const ipn_log_header>(log_file.get(), log_bytes, PROT_READ);
  if (log != nullptr) set_read_seq(areas.grant.next_seq);
  return true;
}

int RawNode::detach() {
  ipn_attach request{};
  request.size = sizeof request;
  return ioctl(device.get(), IPN_IOC_DETACH, &request) < 0 ? errno : 0;
}

void RawNode::ring(int flags) const {
  const char byte = 1;
  (void)!::send(socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
}

void RawNode::commit(const ipn_send_record& header) {
  std::memcpy(send_ring + (head & (ring_bytes - 1)), &header, sizeof header);
  head += IPN_RECORD_HDR;
  store_head(head);
  ring();
}

bool RawNode::send(std::uint32_t length, bool report) {
  const std::uint64_t bytes =
      (IPN_RECORD_HDR + std::uint64_t{length} + IPN_RECORD_ALIGN - 1) & ~(IPN_RECORD_ALIGN - 1ULL);
  const std::uint64_t to_wrap = ring_bytes - (head & (ring_bytes - 1));
  const std::uint64_t padding = to_wrap < bytes ? to_wrap : 0;
  if (head + padding + bytes - send_tail() > ring_bytes) return false;
  ipn_send_record record{};
  if (padding != 0) {
    record.len = static_cast<__u32>(padding - IPN_RECORD_HDR);
    std::memcpy(send_ring + (head & (ring_bytes - 1)), &record, sizeof record);
    head += padding;
  }
  record.len = length;
  record.type = IPN_RECORD_DATA;
  record.flags = report ? IPN_MSG_REPORT : 0;
  std::memcpy(send_ring + (head & (ring_bytes - 1)), &record, sizeof record);
  head += bytes;
  store_head(head);
  return true;
}

std::vector<std::uint64_t> node_list() {
  struct {
    ipn_list list;
    std::array<ipn_node_record, 16> records;
  } request{};
  std::vector<std::uint64_t> ids;
  do {
    const std::uint64_t cursor = request.list.cursor;
    request.list = {};
    request.list.size = sizeof request;
    request.list.cursor = cursor;
    request.list.kind = IPN_LIST_NODES;
    const int got = ioctl(management().get(), IPN_IOC_LIST(sizeof request.records), &request);
    if (got < 0) give_up(std::string("LIST: ") + std::strerror(errno));
    if (request.list.rec != sizeof(ipn_node_record)) give_up("LIST: records of another size");
    for (unsigned i = 0; i < request.list.n; ++i) {
      if ((request.records[i].flags & IPN_NODE_CONNECTED) != 0)
        ids.push_back(request.records[i].id);
    }
  } while (request.list.n > 0);
  std::sort(ids.begin(), ids.end());
  return ids;
}

ipn_stats daemon_stats() {
  ipn_stats stats{};
  stats.size = sizeof stats;
  if (ioctl(management().get(), IPN_IOC_STATS, &stats) < 0) give_up("STATS fails");
  return stats;
}

void kick(std::uint64_t node) {
  ipn_ref reference{};
  reference.size = sizeof reference;
  reference.node = node;
  // EBUSY: nodes of this network were kicked ten times within a second.
  const bool kicked = eventually([&] {
    return ioctl(management().get(), IPN_IOC_NODE_KICK, &reference) == 0 || errno != EBUSY;
  });
  if (!kicked) give_up(std::string("NODE_KICK: ") + std::strerror(errno));
}

}  // namespace ipn::hostile
