// SPDX-License-Identifier: MIT
#include "bench/exchange.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "bench/signals.h"

namespace ipn_bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;
constexpr std::size_t kZerosMax = 64;
/// Looking at the clock costs little, but something.
constexpr unsigned kMessagesPerLook = 16;
constexpr int kPatienceMs = 1000;

std::string error_text(int error) { return std::strerror(error); }

bool is_equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string describe(const Faults& faults) {
  return std::to_string(faults.lost) + " lost, " + std::to_string(faults.repeated) +
         " repeated or out of order, " + std::to_string(faults.damaged) + " damaged";
}

void write_message(std::span<std::byte> message, std::uint64_t number) {
  std::uint64_t word = number;
  for (; message.size() >= kWord; message = message.subspan(kWord)) {
    std::memcpy(message.data(), &word, kWord);
    word += kStep;
  }
  if (!message.empty()) std::memcpy(message.data(), &word, message.size());
}

Verdict judge(std::span<const std::byte> received, std::span<const std::byte> expected,
              std::uint64_t number) {
  if (is_equal(received, expected)) return Verdict::kRight;
  if (received.size() != expected.size() || received.size() < kWord) return Verdict::kDamaged;
  std::uint64_t other = 0;
  std::memcpy(&other, received.data(), kWord);
  std::vector<std::byte> earlier(received.size());
  write_message(earlier, other);
  return other < number && is_equal(received, earlier) ? Verdict::kRepeated : Verdict::kDamaged;
}

OpenFile::OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

OpenFile::~OpenFile() {
  if (fd_ >= 0) close(fd_);
}

Exchange::Exchange(std::string device, OpenFile writer, OpenFile reader, std::size_t size,
                   Answer answer)
    : device_(std::move(device)),
      writer_(std::move(writer)),
      reader_(std::move(reader)),
      answer_(answer),
      message_(size),
      zeros_(std::min(size, kZerosMax)),
      room_(size + 1) {}  // one more, so that a longer answer shows

Result<std::uint64_t> Exchange::run(Nanoseconds duration) {
  const auto end = Clock::now() + duration;
  const std::uint64_t before = number_;
  do {
    // A lost message took its time: then look at the clock at once.
    const std::uint64_t lost = faults_.lost;
    for (unsigned i = 0; i < kMessagesPerLook && faults_.lost == lost; i++) {
      if (auto passed = pass_one(); !passed) return passed.error();
    }
    if (is_interrupted()) return interrupted();
  } while (Clock::now() < end);
  return number_ - before;
}

Result<std::vector<std::uint64_t>> Exchange::time_round_trips(Nanoseconds duration) {
  std::vector<std::uint64_t> times;
  const auto begin = Clock::now();
  auto before = begin;
  do {
    if (auto passed = pass_one(); !passed) return passed.error();
    const auto now = Clock::now();
    times.push_back(static_cast<std::uint64_t>(Nanoseconds(now - before).count()));
    before = Clock::now();
    if (is_interrupted()) return interrupted();
  } while (before - begin < duration);
  return times;
}

Result<void> Exchange::pass_one() {
  number_++;
  write_message(message_, number_);
  if (auto written = write_one(); !written) return written;
  return read_one();
}

Result<void> Exchange::write_one() {
  for (;;) {
    const ssize_t n = write(writer_.fd(), message_.data(), message_.size());
    if (n == static_cast<ssize_t>(message_.size())) return {};
    if (n >= 0) return failure("took only " + std::to_string(n) + " bytes of a message");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return failure("writing a message: " + error_text(errno));
    const auto has_room = wait_for(writer_.fd(), POLLOUT);
    if (!has_room) return has_room.error();
    if (!*has_room) return failure("took no message within a second");
  }
}

Result<void> Exchange::read_one() {
  const auto& expected = answer_ == Answer::kTheMessage ? message_ : zeros_;
  for (;;) {
    const ssize_t n = read(reader_.fd(), room_.data(), room_.size());
    if (n > 0) {
      const auto received = std::span(room_).first(static_cast<std::size_t>(n));
      const Verdict verdict = judge(received, expected, number_);
      if (verdict == Verdict::kRight) return {};
      if (verdict == Verdict::kDamaged) {
        faults_.damaged++;
        return {};
      }
      faults_.repeated++;  // the right one is still to come
      continue;
    }
    if (n == 0) return failure("gave the end of the network instead of a message");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return failure("reading a message: " + error_text(errno));
    const auto has_message = wait_for(reader_.fd(), POLLIN);
    if (!has_message) return has_message.error();
    if (!*has_message) {
      faults_.lost++;
      return {};
    }
  }
}

Result<bool> Exchange::wait_for(int fd, short events) const {
  pollfd watch{fd, events, 0};
  const int n = poll(&watch, 1, kPatienceMs);
  if (is_interrupted()) return interrupted();
  if (n < 0 && errno != EINTR) return failure("waiting for a message: " + error_text(errno));
  return n != 0;
}

Failure Exchange::failure(const std::string& what) const { return {device_ + ": " + what}; }

}  // namespace ipn_bench
