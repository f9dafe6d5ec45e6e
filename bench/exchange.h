// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/processes.h"
#include "bench/result.h"

namespace ipn_bench {

/// What came back otherwise than it was sent.
struct Faults {
  std::uint64_t lost = 0;      ///< did not come within a second
  std::uint64_t repeated = 0;  ///< came a second time, or after a later one
  std::uint64_t damaged = 0;   ///< other bytes or another length

  bool any() const { return lost + repeated + damaged != 0; }
};

/// "3 lost, 0 repeated or out of order, 1 damaged"
std::string describe(const Faults& faults);

/// The bytes of message `number`, as many as fit: first its number; each word
/// of eight bytes differs from that word of every other message.
void write_message(std::span<std::byte> message, std::uint64_t number);

/// What is wrong with `received`, where message `number` was to come.
enum class Verdict { kRight, kRepeated, kDamaged };
Verdict judge(std::span<const std::byte> received, std::span<const std::byte> expected,
              std::uint64_t number);

/// An open file, closed with this object.
class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile();
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// One thread with two opens of a device, both non-blocking: it writes a
/// message on one and reads it on the other, again and again, and looks at
/// every byte.
class Exchange {
 public:
  /// What the device gives back.
  enum class Answer {
    kTheMessage,
    kZeros,  ///< at most 64 zeros, whatever was written
  };

  /// `device` is its name in what is said of failures.
  Exchange(std::string device, OpenFile writer, OpenFile reader, std::size_t size, Answer answer);

  /// Goes on for `duration` and returns the number of messages. Failures: a
  /// call failed, a signal came. Faults are counted and are no failures.
  Result<std::uint64_t> run(Nanoseconds duration);

  /// The same with a look at the clock around each message: how long each took,
  /// in nanoseconds.
  Result<std::vector<std::uint64_t>> time_round_trips(Nanoseconds duration);

  const Faults& faults() const { return faults_; }

 private:
  Result<void> pass_one();
  Result<void> write_one();
  Result<void> read_one();
  Result<bool> wait_for(int fd, short events) const;
  Failure failure(const std::string& what) const;

  std::string device_;
  OpenFile writer_;
  OpenFile reader_;
  Answer answer_;
  std::uint64_t number_ = 0;
  std::vector<std::byte> message_;
  std::vector<std::byte> zeros_;
  std::vector<std::byte> room_;
  Faults faults_;
};

}  // namespace ipn_bench
