// SPDX-License-Identifier: MIT
// What a program can write into its client area.
#include <chrono>
#include <cstring>

#include "tests/hostile/attacks.h"
#include "tests/hostile/raw_node.h"

namespace ipn::hostile {
namespace {

using Time = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kScribbling{700};

void store(void* word, std::uint64_t value) {
  __atomic_store_n(static_cast<std::uint64_t*>(word), value, __ATOMIC_RELAXED);
}

/// A number that is wrong in an interesting way near `near`.
std::uint64_t wild(Random& random, std::uint64_t near) {
  switch (below(random, 8)) {
    case 0:
      return 0;
    case 1:
      return ~0ULL - below(random, 64);
    case 2:
      return near + below(random, 64);
    case 3:
      return near - below(random, 64);
    case 4:
      return 1ULL << below(random, 64);
    case 5:
      return near + (1ULL << below(random, 40));
    case 6:
      return near + 32 * below(random, 5000);
    default:
      return random();
  }
}

void attach(RawNode& node) { require(node.attach() == 0, "a correct program attaches"); }

void await_cut_off(RawNode& node, const std::string& what) {
  const bool cut_off = eventually([&] {
    node.ring();
    daemon_stats();  // the daemon makes a round
    node_list();     // and looks at what readers claim
    return node.is_ended();
  });
  require(cut_off, "cut off for " + what);
}

/// Expects that what `wrong` does ends the node, with a reason.
template <typename Wrong>
void expect_cut_off(Random& random, const std::string& what, Wrong wrong) {
  const std::uint64_t before = daemon_stats().cut_off;
  RawNode node(any_network(random));
  attach(node);
  for (unsigned i = 0; i < 8; ++i) node.send(100);
  node.ring();
  wrong(node);
  await_cut_off(node, what);
  require(daemon_stats().cut_off == before + 1, "counted as cut off for " + what);
}

void scribble(Random& random) {
  const auto until = Time::now() + kScribbling;
  while (Time::now() < until) {
    RawNode node(any_network(random));
    attach(node);
    const auto* control = reinterpret_cast<std::byte*>(node.control);
    for (unsigned round = 0; round < 200 && !node.is_ended(); ++round) {
      // Everything that is not the head keeps the daemon reading longer.
      const bool also_head = below(random, 100) == 0;
      for (unsigned i = 0; i < 300; ++i) {
        std::uint64_t at = 8 * below(random, node.client_bytes / 8);
        if (below(random, 4) == 0) at = 8 * below(random, sizeof(ipn_control) / 8);
        const bool claims_all = at == offsetof(ipn_control, read_seq);
        if ((at == 0 || claims_all) && !also_head) continue;
        store(const_cast<std::byte*>(control) + at, wild(random, node.head));
      }
      for (unsigned i = 0; i < 20; ++i) node.send(static_cast<std::uint32_t>(below(random, 1600)));
      node.read_all();
      if (below(random, 4) == 0) node.ring();
    }
  }
}

/// Changes records while the daemon looks at them.
void scribble_headers(Random& random) {
  const auto until = Time::now() + kScribbling;
  while (Time::now() < until) {
    RawNode node(any_network(random), IPN_ROLE_SEND);
    attach(node);
    std::uint64_t sent = 0;
    while (!node.is_ended() && Time::now() < until) {
      if (node.send(static_cast<std::uint32_t>(below(random, 64)))) ++sent;
      if (sent % 8 == 0) node.ring();
      const std::uint64_t at = node.send_tail() + 32 * below(random, 16);
      auto* record =
          reinterpret_cast<ipn_send_record*>(node.send_ring + (at & (node.ring_bytes - 1)));
      if (below(random, 64) == 0) store(record, wild(random, 64));
      store(&record->dst, below(random, 50) == 0 ? random() : 0);
      store(&record->cookie, random());
    }
  }
}

void wrong_heads(Random& random) {
  expect_cut_off(random, "a head behind the ring",
                 [](RawNode& n) { n.store_head(n.head + n.ring_bytes + IPN_RECORD_ALIGN); });
  expect_cut_off(random, "a head far ahead", [](RawNode& n) { n.store_head(~0ULL << 5); });
  expect_cut_off(random, "a head that is not aligned",
                 [](RawNode& n) { n.store_head(n.head + 1); });
  expect_cut_off(random, "a head that goes back", [](RawNode& n) {
    require(eventually([&] { return n.send_tail() == n.head; }), "the ring is taken");
    n.store_head(n.head - IPN_RECORD_ALIGN);
  });
  for (unsigned i = 0; i < 30; ++i) {
    expect_cut_off(random, "a wild head",
                   [&](RawNode& n) { n.store_head((random() | 1ULL << 40) + below(random, 64)); });
  }
}

ipn_send_record record_of(std::uint8_t type, std::uint32_t length) {
  ipn_send_record record{};
  record.type = type;
  record.len = length;
  return record;
}

void wrong_records(Random& random) {
  for (const std::uint32_t length : {1U, 33U, 0x7fffffffU, 0xffffffffU, 0xffffffe0U, 0xffffffe1U}) {
    expect_cut_off(random, "a length of " + std::to_string(length),
                   [&](RawNode& n) { n.commit(record_of(IPN_RECORD_DATA, length)); });
    expect_cut_off(random, "padding of " + std::to_string(length),
                   [&](RawNode& n) { n.commit(record_of(IPN_RECORD_PAD, length)); });
  }
  for (unsigned i = 0; i < 20; ++i) {
    expect_cut_off(random, "an unknown type", [&](RawNode& n) {
      n.commit(record_of(static_cast<std::uint8_t>(2 + below(random, 254)), 0));
    });
    expect_cut_off(random, "unknown flags", [&](RawNode& n) {
      ipn_send_record record = record_of(IPN_RECORD_DATA, 0);
      record.flags = static_cast<std::uint16_t>(random() | 1);
      n.commit(record);
    });
    expect_cut_off(random, "unknown meta", [&](RawNode& n) {
      ipn_send_record record = record_of(IPN_RECORD_DATA, 0);
      record.meta8 = static_cast<std::uint8_t>(random() | 1);
      n.commit(record);
    });
  }
}

/// Padding that is right is taken, as much as there is of it.
void storm_of_padding(Random& random) {
  RawNode node(any_network(random), IPN_ROLE_SEND);
  attach(node);
  for (unsigned i = 0; i < 500; ++i) {
    const auto length = static_cast<std::uint32_t>(node.ring_bytes - IPN_RECORD_HDR);
    const ipn_send_record record = record_of(IPN_RECORD_PAD, length);
    std::memcpy(node.send_ring, &record, sizeof record);
    node.head += node.ring_bytes;
    node.store_head(node.head);
    node.ring();
    require(eventually([&] { return node.send_tail() == node.head; }), "padding is taken");
  }
  require(!node.is_ended(), "correct padding does not end a node");
  expect_cut_off(random, "padding within the ring",
                 [](RawNode& n) { n.commit(record_of(IPN_RECORD_PAD, 0)); });
}

void wrong_read_seqs(Random& random) {
  for (unsigned i = 0; i < 10; ++i) {
    expect_cut_off(random, "reading ahead", [&](RawNode& n) {
      n.set_read_seq(n.head_seq() + 1000000 + below(random, 1ULL << 40));
    });
    expect_cut_off(random, "reading what never comes", [](RawNode& n) { n.set_read_seq(~0ULL); });
    expect_cut_off(random, "reading back", [](RawNode& n) {
      const std::uint64_t head = n.head_seq();
      require(eventually([&] { return n.head_seq() > head + 10; }), "messages come");
      n.read_all();
      node_list();
      daemon_stats();
      n.set_read_seq(1);
    });
  }
  // 0 says that nothing was read yet: no fault, and nothing is believed.
  RawNode node(any_network(random));
  attach(node);
  for (unsigned i = 0; i < 100; ++i) {
    node.read_all();
    node_list();
    node.set_read_seq(0);
    node_list();
  }
  require(!node.is_ended(), "a read_seq of 0 is no fault");
}

/// Sums about its reading that are nonsense hurt only its own books.
void wrong_sums(Random& random) {
  RawNode node(any_network(random));
  attach(node);
  for (unsigned i = 0; i < 2000; ++i) {
    for (__u64* word : {&node.control->own, &node.control->msgs, &node.control->bytes,
                        &node.control->lost, &node.control->sleep_at, &node.control->room_at}) {
      store(word, wild(random, node.head_seq()));
    }
    node.send(64);
    node.ring();
    node.read_all();
    if (i % 50 == 0) node_list();
  }
  require(!node.is_ended(), "sums are no fault");
}

void too_many_reports(Random& random) {
  expect_cut_off(random, "more reports than there is room for", [](RawNode& n) {
    for (unsigned i = 0; i <= IPN_COMPLETION_ENTRIES; ++i) {
      require(eventually([&] {
                n.ring();
                return n.send(0, true) || n.is_ended();
              }),
              "room");
    }
  });
  for (unsigned i = 0; i < 20; ++i) {
    RawNode node(any_network(random), IPN_ROLE_SEND);
    attach(node);
    for (unsigned sent = 0; sent < 3000 && !node.is_ended(); ++sent) {
      store(&node.control->completion_tail, wild(random, sent));
      require(eventually([&] {
                node.ring();
                return node.send(0, true) || node.is_ended();
              }),
              "room");
    }
  }
}

}  // namespace

std::vector<Attack> ring_attacks() {
  return {{"scribbling over the client area", scribble},
          {"scribbling over records", scribble_headers},
          {"wrong heads", wrong_heads},
          {"wrong records", wrong_records},
          {"a storm of padding", storm_of_padding},
          {"wrong read_seq", wrong_read_seqs},
          {"wrong sums", wrong_sums},
          {"too many reports", too_many_reports}};
}

}  // namespace ipn::hostile
