// SPDX-License-Identifier: MIT
#include "tests/sim/program.h"

#include <algorithm>

namespace ipn::sim {

void Program::begin(const LogPlace& place) {
  status_.recv_state = IPN_RING_ENDED;
  if (place.storage == nullptr) return;
  status_.recv_state = IPN_RING_OPEN;
  const Epoch epoch = epoch_of(place);
  reader_ = ring::LogReader(control_, status_, map(epoch), node_, epoch.overwrites, epoch.next_seq);
  at_.seq = epoch.next_seq;
  at_.pos = epoch.next_pos;
}

Program::Epoch Program::epoch_of(const LogPlace& place) {
  return {static_cast<const Memory*>(place.storage)->map(), place.storage->bytes().size(),
          place.next_seq, place.next_pos, place.overwrites};
}

std::span<const std::byte> Program::map(const Epoch& epoch) {
  mapped_ = epoch.words;
  all_.push_back(epoch.words);
  return std::as_bytes(std::span(*mapped_)).first(epoch.bytes);
}

std::optional<Program::Read> Program::read() {
  Read read;
  for (;;) {
    const auto found = reader_.find(at_, read.record);
    if (found == ring::LogReader::Found::kNothing) return std::nullopt;
    if (found == ring::LogReader::Found::kMessage) break;
    if (next_.empty()) return std::nullopt;  // it is deaf
    const Epoch epoch = next_.front();
    next_.pop_front();
    reader_.go_on(map(epoch), epoch.overwrites);
    at_.seq = std::max(at_.seq, epoch.next_seq);
    at_.pos = epoch.next_pos;
  }
  read.bytes.resize(read.record.len);
  if (!reader_.copy(at_, read.bytes.data(), read.bytes.size())) return std::nullopt;
  read.lost_before = at_.lost_before;
  ring::LogReader::pass(at_, read.record);
  return read;
}

void Program::sleep() { control_.sleep_at = reader_.wish(at_); }

bool Program::claim_too_little() {
  if (control_.read_seq <= 1) return false;
  --control_.read_seq;
  return true;
}

void Program::freeze() {
  if (!frozen_.empty()) return;
  for (const auto& words : all_) frozen_.push_back(*words);
}

bool Program::is_as_frozen() const {
  for (std::size_t i = 0; i < frozen_.size(); ++i) {
    if (*all_[i] != frozen_[i]) return false;
  }
  return true;
}

void Program::on_published(std::uint64_t head_seq) {
  if (control_.sleep_at != 0 && head_seq >= control_.sleep_at) control_.sleep_at = 0;
}

bool Program::on_epoch(const LogPlace& place) {
  if (!is_deaf_) next_.push_back(epoch_of(place));
  return !is_deaf_;
}

void Program::on_own_evicted(std::uint64_t seq, std::uint64_t count) {
  status_.own_evicted_seq = seq;
  status_.own_evicted = count;
  status_.own_version += 2;
}

}  // namespace ipn::sim
