// SPDX-License-Identifier: MIT
// Unix sockets from the sender straight to each receiver, and UDP multicast.
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "bench/peers.h"
#include "bench/sockets.h"

namespace ipn_bench {
namespace {

using Sockets = std::vector<OpenFile>;

std::vector<int> numbers_of(const Sockets& sockets) {
  std::vector<int> numbers;
  for (const OpenFile& socket : sockets) numbers.push_back(socket.fd());
  return numbers;
}

/// Members that use sockets which were made before; these live with the system.
Result<Candidate> start_with(const std::string& name, const StreamPlan& plan,
                             const Pattern& pattern, std::shared_ptr<Sockets> outs,
                             std::shared_ptr<Sockets> ins, bool promises) {
  Openers openers;
  openers.receiver = [&plan, ins](unsigned i) -> Result<Ends> {
    return Ends{nullptr, std::make_unique<SocketSink>((*ins)[i].fd(), plan.size, batch_of(plan))};
  };
  openers.sender = [&plan, &pattern, outs](unsigned) -> Result<Ends> {
    return Ends{std::make_unique<SocketSource>(pattern, numbers_of(*outs), batch_of(plan)),
                nullptr};
  };
  auto team = Team::start(name, stream_members(plan, openers, !promises));
  if (!team) return team.error();
  Candidate candidate;
  candidate.system =
      std::make_unique<StreamSystem>(name, std::move(*team), std::vector<pid_t>(), promises);
  candidate.system->keep(std::move(outs));
  candidate.system->keep(std::move(ins));
  return candidate;
}

Result<Candidate> start_unix(const char* name, int type, const StreamPlan& plan,
                             const Pattern& pattern) {
  const auto outs = std::make_shared<Sockets>();
  const auto ins = std::make_shared<Sockets>();
  for (unsigned i = 0; i < plan.receivers; i++) {
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair.data()) != 0) {
      return Failure{std::string(name) + ": socketpair: " + std::strerror(errno)};
    }
    for (const int socket : pair) enlarge_buffers(socket);
    outs->emplace_back(pair[0]);
    ins->emplace_back(pair[1]);
  }
  return start_with(name, plan, pattern, outs, ins, true);
}

constexpr const char* kUdp = "udp-multicast";
constexpr const char* kGroup = "239.255.77.7";
constexpr std::uint16_t kPort = 7777;
constexpr std::size_t kUdpMax = 65507;

/// This process in a network namespace of its own until the object ends.
/// Sockets that were made there stay there.
class OtherNetwork {
 public:
  OtherNetwork() : before_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    is_in_ = before_.fd() >= 0 && unshare(CLONE_NEWNET) == 0;
  }
  OtherNetwork(const OtherNetwork&) = delete;
  OtherNetwork& operator=(const OtherNetwork&) = delete;
  ~OtherNetwork() {
    if (is_in_ && setns(before_.fd(), CLONE_NEWNET) != 0) _exit(kExitFailure);
  }

  bool is_in() const { return is_in_; }

  static bool raise_loopback() {
    const OpenFile socket_file(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    if (ioctl(socket_file.fd(), SIOCGIFFLAGS, &request) != 0) return false;
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_MULTICAST);
    return ioctl(socket_file.fd(), SIOCSIFFLAGS, &request) == 0;
  }

 private:
  OpenFile before_;
  bool is_in_ = false;
};

OpenFile udp_socket() {
  OpenFile file(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  enlarge_buffers(file.fd());
  return file;
}

sockaddr_in group_address() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  inet_pton(AF_INET, kGroup, &address.sin_addr);
  return address;
}

bool join_group(int fd) {
  const sockaddr_in address = group_address();
  const int yes = 1;
  ip_mreqn request{address.sin_addr, {htonl(INADDR_LOOPBACK)}, 0};
  return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
         bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0;
}

bool aim_at_group(int fd) {
  const sockaddr_in address = group_address();
  const ip_mreqn interface { {}, {htonl(INADDR_LOOPBACK)}, 0 };
  return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) == 0 &&
         connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Result<Candidate> start_unix_dgram(const StreamPlan& plan, const Pattern& pattern,
                                   const ScratchFolder&) {
  return start_unix("unix-dgram", SOCK_DGRAM, plan, pattern);
}

Result<Candidate> start_unix_seqpacket(const StreamPlan& plan, const Pattern& pattern,
                                       const ScratchFolder&) {
  return start_unix("unix-seqpacket", SOCK_SEQPACKET, plan, pattern);
}

Result<Candidate> start_udp_multicast(const StreamPlan& plan, const Pattern& pattern,
                                      const ScratchFolder&) {
  if (plan.size > kUdpMax) {
    return Candidate{nullptr, "udp-multicast: left out for messages of more than 65507 bytes"};
  }
  const OtherNetwork other;
  if (!other.is_in()) {
    return Candidate{nullptr, "udp-multicast: left out, only root can make a network namespace"};
  }
  const auto outs = std::make_shared<Sockets>();
  const auto ins = std::make_shared<Sockets>();
  bool is_well = OtherNetwork::raise_loopback();
  for (unsigned i = 0; i < plan.receivers && is_well; i++) {
    ins->push_back(udp_socket());
    is_well = join_group(ins->back().fd());
  }
  outs->push_back(udp_socket());
  is_well = is_well && aim_at_group(outs->back().fd());
  if (!is_well) return Failure{std::string(kUdp) + ": no multicast: " + std::strerror(errno)};
  return start_with(kUdp, plan, pattern, outs, ins, false);
}

}  // namespace ipn_bench
