// SPDX-License-Identifier: MIT
#include "bench/message.h"

#include <algorithm>

namespace ipn_bench {
namespace {

// A stamp: the end's mark, 11 bits of sender, 12 bits of run (in ends), 40 bits
// of number.
constexpr std::uint64_t kEnd = std::uint64_t{1} << 63;
constexpr unsigned kRunShift = 40;
constexpr std::uint64_t kRunMask = 0xfff;
constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << kRunShift) - 1;
constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;

}  // namespace

std::uint64_t end_stamp(unsigned sender, std::uint32_t run, std::uint64_t number) {
  return kEnd | stamp(sender, number) | ((run & kRunMask) << kRunShift);
}

bool is_end(std::uint64_t stamp) { return (stamp & kEnd) != 0; }

std::uint64_t sum_of(const std::byte* bytes, std::size_t size) {
  constexpr std::size_t kLanes = 4;
  std::array<std::uint64_t, kLanes> lanes{};
  for (; size >= sizeof lanes; bytes += sizeof lanes, size -= sizeof lanes) {
    std::array<std::uint64_t, kLanes> words{};
    std::memcpy(words.data(), bytes, sizeof words);
    for (std::size_t i = 0; i < kLanes; i++) lanes[i] += words[i];
  }
  std::uint64_t sum = lanes[0] + lanes[1] + lanes[2] + lanes[3];
  while (size > 0) {
    const std::size_t part = std::min(size, sizeof sum);
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, part);
    sum += word;
    bytes += part;
    size -= part;
  }
  return sum;
}

Pattern::Pattern(std::size_t size)
    : size_(size), table_((size / kStampBytes + kPlaces + 1) * kStampBytes) {
  std::uint64_t word = kStep;
  for (std::size_t at = 0; at < table_.size(); at += kStampBytes) {
    std::memcpy(table_.data() + at, &word, kStampBytes);
    word = word * kStep + 1;
  }
  for (std::size_t i = 0; i < kPlaces; i++) {
    sums_[i] = sum_of(table_.data() + place(i), size_ - kStampBytes);
  }
}

Checker::Checker(const Pattern& pattern, Reading reading, unsigned senders, unsigned self)
    : pattern_(pattern),
      reading_(reading),
      senders_(self < senders ? senders - 1 : senders),
      next_(kSendersMax + 1, kEnd - 1),
      has_ended_(senders),
      is_known_(senders, true) {
  for (unsigned i = 0; i < senders; i++) next_[i] = stamp(i, 0);
  if (self >= senders) return;
  is_known_[self] = false;
  next_[self] = kEnd - 1;  // no message has this stamp
}

void Checker::begin(std::uint32_t run) {
  run_ = run;
  ended_ = 0;
  has_ended_.assign(has_ended_.size(), false);
}

void Checker::surprise(std::uint64_t stamp) {
  const unsigned sender = sender_of(stamp);
  if (sender >= is_known_.size()) {
    seen_.damaged++;
    return;
  }
  if (!is_known_[sender]) return;  // our own
  std::uint64_t& next = next_[sender];
  if (is_end(stamp)) {
    end(stamp, next);
  } else if (stamp < next) {
    seen_.repeated++;
  } else {
    seen_.lost += stamp - next;
    seen_.deliveries++;
    next = stamp + 1;
  }
}

void Checker::end(std::uint64_t stamp, std::uint64_t& next) {
  const unsigned sender = sender_of(stamp);
  const bool is_this_run = ((stamp >> kRunShift) & kRunMask) == (run_ & kRunMask);
  if (!is_this_run || has_ended_[sender]) return;
  has_ended_[sender] = true;
  ended_++;
  const std::uint64_t sent = stamp & kNumberMask;
  const std::uint64_t came = next & kNumberMask;
  if (sent > came) seen_.lost += sent - came;
  next += sent - came;
}

}  // namespace ipn_bench
