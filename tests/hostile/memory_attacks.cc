// SPDX-License-Identifier: MIT
// What a program can do with the files of its areas, and with maps that it keeps.
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "tests/hostile/attacks.h"
#include "tests/hostile/raw_node.h"

namespace ipn::hostile {
namespace {

constexpr unsigned kKicks = 12;

Descriptor reopen(int fd, int flags) {
  return Descriptor(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC));
}

bool maps(int fd, std::uint64_t bytes, int protection) {
  void* address = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return false;
  munmap(address, bytes);
  return true;
}

/// By a descriptor of a file that only the daemon writes.
void try_to_change(int fd, std::uint64_t bytes, const std::string& name) {
  const std::array<char, 64> rubbish{};
  const auto size = static_cast<off_t>(bytes);
  require(!maps(fd, bytes, PROT_READ | PROT_WRITE), name + " cannot be mapped for writing");
  require(!maps(fd, bytes, PROT_WRITE), name + " cannot be mapped for writing only");
  require(pwrite(fd, rubbish.data(), rubbish.size(), 0) < 0, name + " cannot be written by pwrite");
  require(write(fd, rubbish.data(), rubbish.size()) < 0, name + " cannot be written by write");
  require(ftruncate(fd, 0) != 0 && ftruncate(fd, size + 4096) != 0, name + " keeps its size");
  require(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) != 0,
          name + " takes no holes");
  require(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096) != 0, name + " is not zeroed");
  require(fallocate(fd, 0, size, 4096) != 0, name + " does not grow");
  require(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0, name + " takes no more seals");
  std::array<int, 2> ends{};
  require(pipe(ends.data()) == 0 && write(ends[1], rubbish.data(), 8) == 8, "a pipe");
  require(splice(ends[0], nullptr, fd, nullptr, 8, 0) < 0, name + " cannot be written by splice");
  close(ends[0]);
  close(ends[1]);
}

void try_all_ways(int fd, void* mapped, std::uint64_t bytes, const std::string& name) {
  require(mprotect(mapped, bytes, PROT_READ | PROT_WRITE) != 0, name + ": maps stay read-only");
  require(madvise(mapped, bytes, MADV_REMOVE) != 0, name + ": MADV_REMOVE is refused");
  try_to_change(fd, bytes, name);
  for (const int flags : {O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_RDWR | O_APPEND}) {
    const Descriptor again = reopen(fd, flags);
    if (again) try_to_change(again.get(), bytes, name + ", opened again");
  }
}

void write_what_is_the_daemons(Random& random) {
  for (unsigned i = 0; i < 5; ++i) {
    RawNode node(any_network(random));
    require(node.attach() == 0, "a correct program attaches");
    const std::uint32_t ring_bytes = node.status->send_bytes;
    const std::uint64_t log_head = node.head_seq();
    try_all_ways(node.status_file.get(), const_cast<ipn_status*>(node.status), node.status_bytes,
                 "the status area");
    try_all_ways(node.log_file.get(), const_cast<ipn_log_header*>(node.log), node.log_bytes,
                 "the log");
    require(node.status->send_bytes == ring_bytes && node.head_seq() >= log_head,
            "the daemon's words are what they were");
  }
}

void punch_holes(Random& random) {
  for (unsigned i = 0; i < 40; ++i) {
    RawNode node(any_network(random), IPN_ROLE_SEND);
    require(node.attach() == 0, "a correct program attaches");
    const int fd = node.client_file.get();
    const auto size = static_cast<off_t>(node.client_bytes);
    require(ftruncate(fd, 0) != 0 && ftruncate(fd, size * 2) != 0,
            "the client area keeps its size");
    require(fallocate(fd, 0, 0, size * 2) != 0, "the client area does not grow");
    for (unsigned n = 0; n < 200 && !node.is_ended(); ++n) {
      node.send(static_cast<std::uint32_t>(below(random, 1500)));
      node.ring();
      // The control page stays mostly, so that there is something to read behind it.
      const off_t from = below(random, 10) == 0 ? 0 : IPN_PAGE;
      const auto at = static_cast<off_t>(below(random, node.client_bytes));
      if (below(random, 8) == 0) {
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, size - from);
      } else if (at >= from) {
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, 1 + size / 7);
      }
      madvise(node.control, node.client_bytes, below(random, 2) == 0 ? MADV_REMOVE : MADV_DONTNEED);
    }
  }
}

/// What was written into the log from the kick on may not be seen.
void keep_maps_after_kick(Random& random) {
  for (unsigned i = 0; i < kKicks; ++i) {
    RawNode node(any_network(random));
    require(node.attach() == 0, "a correct program attaches");
    const std::uint64_t before = node.head_seq();
    require(eventually([&] {
              node.read_all();
              return node.head_seq() > before + 50;
            }),
            "messages come");
    kick(node.joined.node);
    const auto* bytes = reinterpret_cast<const char*>(node.log);
    const std::string at_kick(bytes, node.log_bytes);
    RawNode witness(any_network(random));
    require(witness.attach() == 0, "a correct program attaches");
    const std::uint64_t then = witness.head_seq();
    require(eventually([&] {
              witness.read_all();
              return witness.head_seq() > then + 50;
            }),
            "messages come to others");
    RawNode same(node.joined.name);
    require(same.attach() == 0, "a correct program attaches");
    const std::uint64_t seq = same.head_seq();
    require(eventually([&] {
              same.read_all();
              return same.head_seq() > seq + 50;
            }),
            "messages come in the same network");
    require(std::memcmp(at_kick.data(), bytes, node.log_bytes) == 0,
            "a kicked node sees nothing that was sent later");
    require(node.is_ended(), "a kicked node is told");
    require(node.attach() != 0, "a kicked node cannot attach again");
  }
}

}  // namespace

std::vector<Attack> memory_attacks() {
  return {{"writing what is the daemon's", write_what_is_the_daemons},
          {"holes in the client area", punch_holes},
          {"maps kept after a kick", keep_maps_after_kick}};
}

}  // namespace ipn::hostile
