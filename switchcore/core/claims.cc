// SPDX-License-Identifier: MIT
#include "switchcore/core/claims.h"

#include <algorithm>

namespace ipn {
namespace {

/// What was added; a count that goes back adds nothing.
std::uint64_t take_growth(std::uint64_t& known, std::uint64_t claimed) {
  const std::uint64_t more = claimed > known ? claimed - known : 0;
  known = std::max(known, claimed);
  return more;
}

}  // namespace

void Claims::begin(Node& node, std::vector<Node*>& readers) {
  node.reads_memory_ = true;
  node.claimed_ = node.claims_from_ = node.cursor_;
  node.claim_base_ = node.own_passed_;
  node.settled_ = {};
  node.memory_reader_index_ = readers.size();
  readers.push_back(&node);
}

void Claims::end(Node& node, std::vector<Node*>& readers) {
  count(node);
  readers[node.memory_reader_index_] = readers.back();
  readers[node.memory_reader_index_]->memory_reader_index_ = node.memory_reader_index_;
  readers.pop_back();
  node.reads_memory_ = false;
}

std::optional<ReaderClaims> Claims::checked(Node& node, std::uint64_t head_seq,
                                            List<Node, FaultyTag>& faulty) {
  const ReaderClaims claims = node.attachment_->claims();
  if (claims.read_seq == 0) return std::nullopt;  // it has not begun
  if (claims.read_seq < node.claimed_ || claims.read_seq > head_seq) {
    faulty.push_back(node);
    return std::nullopt;
  }
  node.claimed_ = claims.read_seq;
  return claims;
}

void Claims::count(Node& node) {
  if (!node.reads_memory_) return;
  const ReaderClaims claims = node.attachment_->claims();
  // Others see these sums: nobody has received more than there was.
  const std::uint64_t most = node.claimed_ - node.claims_from_;
  node.counters_.msgs_out += take_growth(node.settled_.msgs, std::min(claims.msgs, most));
  node.counters_.bytes_out +=
      take_growth(node.settled_.bytes, std::min(claims.bytes, most * IPN_MSG_MAX));
  node.count_drop(DropReason::kLapped,
                  take_growth(node.settled_.lost, std::min(claims.lost, most)));
}

}  // namespace ipn
