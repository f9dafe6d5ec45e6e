// SPDX-License-Identifier: MIT
// What a program can do with the attach socket, tickets and its descriptors.
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "tests/hostile/attacks.h"
#include "tests/hostile/raw_node.h"

namespace ipn::hostile {
namespace {

constexpr unsigned kHalfOpenOfUser = 16;
constexpr unsigned kHalfOpen = 2000;
constexpr uid_t kNobody = 65534;

void send_with_descriptors(int socket, int fd) {
  char byte = 1;
  iovec data{&byte, 1};
  std::array<int, 64> fds;
  fds.fill(fd);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> room{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof fds);
  (void)!sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void flood_doorbells(Random& random) {
  const std::array<char, 60000> rubbish{};
  const std::uint64_t before = daemon_stats().doorbells;
  for (unsigned round = 0; round < 10; ++round) {
    RawNode node(any_network(random), IPN_ROLE_SEND);
    require(node.attach() == 0, "a correct program attaches");
    for (unsigned i = 0; i < 5000; ++i) {
      const std::size_t bytes = below(random, 50) == 0 ? rubbish.size() : 1;
      while (::send(node.socket.get(), rubbish.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
             errno == EAGAIN) {
        pollfd entry{node.socket.get(), POLLOUT, 0};
        require(poll(&entry, 1, 20000) == 1, "doorbells are taken");
      }
      if (below(random, 100) == 0) node.send(64);
    }
    require(!node.is_ended(), "doorbells are no fault");
  }
  require(daemon_stats().doorbells > before, "doorbells are counted");
}

void send_empty_packets(Random& random) {
  for (unsigned round = 0; round < 50; ++round) {
    RawNode node(any_network(random));
    require(node.attach() == 0, "a correct program attaches");
    node.send(64);
    const std::uint64_t empty = 1 + below(random, 4);
    for (std::uint64_t i = 0; i < empty; ++i) (void)!::send(node.socket.get(), "", 0, MSG_NOSIGNAL);
    node.ring();
    node.read_all();
  }
}

/// Also its own ends, so that nobody but the daemon would hold them.
void pass_descriptors(Random& random) {
  for (unsigned round = 0; round < 100; ++round) {
    RawNode node(any_network(random), IPN_ROLE_SEND);
    require(node.attach() == 0, "a correct program attaches");
    std::array<int, 2> pair{};
    require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair.data()) == 0, "a pair of sockets");
    for (const int fd : {pair[0], node.socket.get(), node.device.get(), node.client_file.get()}) {
      send_with_descriptors(node.socket.get(), fd);
    }
    close(pair[0]);
    close(pair[1]);
    const Descriptor half_open = connect_attach_socket();
    send_with_descriptors(half_open.get(), node.device.get());
    send_with_descriptors(half_open.get(), half_open.get());
  }
}

Packet ticket_of(const Descriptor& socket) {
  Packet ticket;
  require(receive_packet(socket.get(), ticket), "a ticket comes");
  return ticket;
}

int status_of(pid_t child) {
  int status = -1;
  require(child > 0 && waitpid(child, &status, 0) == child, "a child ends");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void misuse_tickets(Random& random) {
  RawNode node(any_network(random)), other(any_network(random));
  for (unsigned i = 0; i < 20; ++i) {  // presented by another process
    const Descriptor socket = connect_attach_socket();
    const Packet ticket = ticket_of(socket);
    const pid_t child = fork();
    if (child == 0) _exit(node.attach_by(ticket.grant));
    require(status_of(child) == EPERM, "a relayed ticket is refused");
    require(node.attach_by(ticket.grant) == EPERM, "and is worth nothing from then on");
    Packet nothing;
    require(!receive_packet(socket.get(), nothing), "nothing comes for it");
  }
  for (unsigned i = 0; i < 20; ++i) {  // of a child, presented by its parent
    std::array<int, 2> pipe_ends{}, end{};
    require(pipe(pipe_ends.data()) == 0 && pipe(end.data()) == 0, "a pipe");
    const pid_t child = fork();
    if (child == 0) {
      const Descriptor socket = connect_attach_socket();
      const Packet ticket = ticket_of(socket);
      (void)!write(pipe_ends[1], &ticket.grant, sizeof ticket.grant);
      char byte = 0;
      close(end[1]);
      (void)!read(end[0], &byte, 1);
      _exit(0);
    }
    ipn_grant grant{};
    require(read(pipe_ends[0], &grant, sizeof grant) == sizeof grant, "the child's ticket");
    require(node.attach_by(grant) == EPERM, "the ticket of another process is refused");
    close(end[1]);
    require(status_of(child) == 0, "the child ends");
    for (const int fd : {pipe_ends[0], pipe_ends[1], end[0]}) close(fd);
  }
  const Descriptor socket = connect_attach_socket();
  const Packet ticket = ticket_of(socket);
  ipn_grant wrong = ticket.grant;
  wrong.ticket[below(random, 16)] ^= 1;
  require(node.attach_by(wrong) == EPERM, "a wrong ticket is refused");
  wrong = ticket.grant;
  wrong.boot_id[below(random, 16)] ^= 1;
  require(node.attach_by(wrong) == EPERM, "a ticket of another daemon is refused");
  require(node.attach_by(ipn_grant{}) == EPERM, "a ticket of zeros is refused");
  require(node.attach_by(ticket.grant) == 0, "the right one is good");
  require(node.attach_by(ticket.grant) == EISCONN, "for one node once");
  require(other.attach_by(ticket.grant) == EPERM, "and for no other");
}

void present_expired_ticket(Random& random) {
  RawNode node(any_network(random));
  const Descriptor socket = connect_attach_socket();
  const Packet ticket = ticket_of(socket);
  Packet nothing;
  require(!receive_packet(socket.get(), nothing), "the daemon hangs up when a ticket is over");
  require(node.attach_by(ticket.grant) == EPERM, "an expired ticket is refused");
}

/// How many of these connections get a ticket.
unsigned connect_many(unsigned count) {
  std::vector<Descriptor> sockets;
  for (unsigned i = 0; i < count; ++i) {
    sockets.push_back(connect_attach_socket());
    if (!sockets.back()) break;
  }
  unsigned tickets = 0;
  for (const Descriptor& socket : sockets) {
    Packet packet;
    if (receive_packet(socket.get(), packet)) ++tickets;
  }
  return tickets;
}

void leave_half_open(Random& random) {
  const pid_t nobody = fork();
  if (nobody == 0) {
    // The groups of root would not help it either; a program without root is somebody else already.
    if (getuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) _exit(100);
    _exit(static_cast<int>(connect_many(60)));
  }
  const int tickets = status_of(nobody);
  require(tickets == static_cast<int>(kHalfOpenOfUser),
          "a user has so many tickets at once: " + std::to_string(tickets));
  const unsigned all = connect_many(kHalfOpen);
  require(all > 0, "somebody gets a ticket");
  // All of these hang up without having presented it; the next one is served.
  RawNode node(any_network(random));
  require(eventually([&] { return node.attach() == 0; }), "a correct program attaches");
}

/// Connects, gets or does not get its areas, and closes in every order.
void close_in_every_order(Random& random) {
  for (unsigned i = 0; i < 200; ++i) {
    auto node = std::make_unique<RawNode>(any_network(random));
    require(node->attach() == 0, "a correct program attaches");
    for (unsigned n = 0; n < 200; ++n) node->send(300);
    if (below(random, 2) == 0) node->ring();
    switch (below(random, 6)) {
      case 0:
        node->socket.reset();
        break;
      case 1:
        node->device.reset();
        break;
      case 2:
        shutdown(node->socket.get(), below(random, 2) == 0 ? SHUT_WR : SHUT_RD);
        node->ring();
        node->device.reset();
        break;
      case 3:
        node->socket.reset();
        require(eventually([&] { return node->attach() != EISCONN; }),
                "who hangs up is back on the device");
        node->send(64);
        break;
      case 4:
        node->unmap();
        break;
      default:
        node->device.reset();
        node->send(64);
        node->ring();
    }
  }
  for (unsigned i = 0; i < 100; ++i) {  // areas that nobody takes
    RawNode node(any_network(random));
    Descriptor socket = connect_attach_socket();
    const Packet ticket = ticket_of(socket);
    if (below(random, 2) == 0) shutdown(socket.get(), SHUT_RD);
    node.attach_by(ticket.grant);
    if (below(random, 2) == 0) socket.reset();
  }
}

void attach_and_detach(Random& random) {
  RawNode node(any_network(random));
  for (unsigned i = 0; i < 300; ++i) {
    const int error = node.attach();
    if (error == EISCONN || error == EAGAIN) {
      std::array<char, IPN_MSG_MAX> rubbish;
      fcntl(node.device.get(), F_SETFL, O_NONBLOCK);
      for (unsigned n = 0; n < 100 && read(node.device.get(), rubbish.data(), rubbish.size()) > 0;)
        ++n;
      continue;
    }
    require(error == 0, std::string("attaching again: ") + std::strerror(error));
    for (unsigned n = 0; n < 20; ++n) node.send(static_cast<std::uint32_t>(below(random, 1500)));
    node.read_all();
    const int done = node.detach();
    require(done == 0, std::string("detaching: ") + std::strerror(done));
    require(node.is_ended(), "after DETACH the ring is not used");
    node.send(64);
    node.ring();
  }
}

}  // namespace

std::vector<Attack> socket_attacks() {
  return {{"a flood of doorbells", flood_doorbells},
          {"empty packets", send_empty_packets},
          {"descriptors with a doorbell", pass_descriptors},
          {"misused tickets", misuse_tickets},
          {"an expired ticket", present_expired_ticket},
          {"half-open connections", leave_half_open},
          {"closing in every order", close_in_every_order},
          {"attaching and detaching", attach_and_detach}};
}

}  // namespace ipn::hostile
