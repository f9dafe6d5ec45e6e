// SPDX-License-Identifier: MIT
#include "bench/exchange.h"

#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ipn_bench {
namespace {

constexpr std::size_t kSize = 64;
constexpr Nanoseconds kShort = std::chrono::milliseconds(1);

using Message = std::array<std::byte, kSize>;

Message message(std::uint64_t number) {
  Message bytes{};
  write_message(bytes, number);
  return bytes;
}

/// A pipe that keeps messages apart: what a perfect device would be.
struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends.data(), O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0); }
  OpenFile reader() const { return OpenFile(ends[0]); }
  OpenFile writer() const { return OpenFile(ends[1]); }
  void put(std::span<const std::byte> bytes) const {
    EXPECT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  std::array<int, 2> ends{};
};

Exchange through(const Pipe& pipe) {
  return {"pipe", pipe.writer(), pipe.reader(), kSize, Exchange::Answer::kTheMessage};
}

TEST(Message, DiffersFromEveryOtherInEachWord) {
  const Message one = message(1);
  const Message two = message(2);
  for (std::size_t at = 0; at < kSize; at += 8) {
    EXPECT_FALSE(std::equal(one.begin() + static_cast<std::ptrdiff_t>(at),
                            one.begin() + static_cast<std::ptrdiff_t>(at) + 8,
                            two.begin() + static_cast<std::ptrdiff_t>(at)))
        << at;
  }
}

TEST(Message, OfAnyLengthBeginsAsALongerOne) {
  const Message whole = message(0x1234567);
  for (std::size_t size = 0; size <= kSize; size++) {
    std::vector<std::byte> part(size);
    write_message(part, 0x1234567);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin())) << size;
  }
}

TEST(Judge, KnowsRightRepeatedAndDamagedMessages) {
  const Message seven = message(7);
  EXPECT_EQ(judge(seven, seven, 7), Verdict::kRight);
  EXPECT_EQ(judge(message(6), seven, 7), Verdict::kRepeated);
  EXPECT_EQ(judge(message(8), seven, 7), Verdict::kDamaged);
  EXPECT_EQ(judge(std::span(seven).first(63), seven, 7), Verdict::kDamaged);
  EXPECT_EQ(judge({}, seven, 7), Verdict::kDamaged);
  for (std::size_t at = 0; at < kSize; at++) {
    Message bent = seven;
    bent[at] ^= std::byte{1};
    EXPECT_EQ(judge(bent, seven, 7), Verdict::kDamaged) << at;
  }
}

TEST(Exchange, FindsNothingWrongWithAPipe) {
  const Pipe pipe;
  Exchange exchange = through(pipe);
  const auto messages = exchange.run(kShort);
  ASSERT_TRUE(messages) << messages.error().text;
  EXPECT_GT(*messages, 0u);
  EXPECT_FALSE(exchange.faults().any()) << describe(exchange.faults());
}

TEST(Exchange, TimesEachRoundTrip) {
  const Pipe pipe;
  Exchange exchange = through(pipe);
  const auto times = exchange.time_round_trips(kShort);
  ASSERT_TRUE(times) << times.error().text;
  EXPECT_FALSE(times->empty());
  EXPECT_FALSE(exchange.faults().any());
}

TEST(Exchange, CountsARepeatedMessage) {
  const Pipe pipe;
  pipe.put(message(1));  // the first comes twice
  Exchange exchange = through(pipe);
  ASSERT_TRUE(exchange.run(kShort));
  EXPECT_EQ(exchange.faults().repeated, 1u);
  EXPECT_EQ(exchange.faults().damaged, 0u);
  EXPECT_EQ(exchange.faults().lost, 0u);
}

TEST(Exchange, CountsADamagedMessage) {
  const Pipe pipe;
  Message bent = message(1);
  bent.back() ^= std::byte{0x80};
  pipe.put(bent);
  Exchange exchange = through(pipe);
  ASSERT_TRUE(exchange.run(kShort));
  EXPECT_EQ(exchange.faults().damaged, 1u);
}

TEST(Exchange, CountsAMessageThatDoesNotCome) {
  const Pipe to_nowhere;
  const Pipe from_nowhere;
  const OpenFile unread = to_nowhere.reader();
  const OpenFile unwritten = from_nowhere.writer();
  Exchange exchange("pipe", to_nowhere.writer(), from_nowhere.reader(), kSize,
                    Exchange::Answer::kTheMessage);
  const auto messages = exchange.run(kShort);
  ASSERT_TRUE(messages) << messages.error().text;
  EXPECT_EQ(*messages, 1u);
  EXPECT_EQ(exchange.faults().lost, 1u);
}

/// Reads one answer of `answer` where zeros are expected for a message of `size`.
Faults faults_of_zeros(std::size_t size, std::span<const std::byte> answer) {
  const Pipe pipe;
  const OpenFile keeps_it_open = pipe.writer();
  pipe.put(answer);
  Exchange exchange("pipe", OpenFile(open("/dev/null", O_RDWR | O_CLOEXEC)), pipe.reader(), size,
                    Exchange::Answer::kZeros);
  EXPECT_TRUE(exchange.time_round_trips(Nanoseconds(0)));
  return exchange.faults();
}

TEST(Exchange, TakesAsManyZerosAsItWroteFromADeviceThatDoesNothing) {
  const Message zeros{};
  EXPECT_FALSE(faults_of_zeros(16, std::span(zeros).first(16)).any());
  EXPECT_EQ(faults_of_zeros(16, std::span(zeros).first(15)).damaged, 1u);
  EXPECT_EQ(faults_of_zeros(16, std::span(zeros).first(17)).damaged, 1u);
  EXPECT_FALSE(faults_of_zeros(1500, zeros).any());
  EXPECT_EQ(faults_of_zeros(64, message(1)).damaged, 1u);
}

TEST(Exchange, FailsAtTheEndOfTheNetwork) {
  Exchange exchange("/dev/null", OpenFile(open("/dev/null", O_RDWR | O_CLOEXEC)),
                    OpenFile(open("/dev/null", O_RDWR | O_CLOEXEC)), kSize,
                    Exchange::Answer::kTheMessage);
  const auto messages = exchange.run(kShort);
  ASSERT_FALSE(messages);
  EXPECT_EQ(messages.error().text, "/dev/null: gave the end of the network instead of a message");
}

TEST(Exchange, FailsWhenTheDeviceRefusesAMessage) {
  Exchange exchange("/dev/full", OpenFile(open("/dev/full", O_RDWR | O_CLOEXEC)),
                    OpenFile(open("/dev/zero", O_RDWR | O_CLOEXEC)), kSize,
                    Exchange::Answer::kTheMessage);
  const auto messages = exchange.run(kShort);
  ASSERT_FALSE(messages);
  EXPECT_EQ(messages.error().text, "/dev/full: writing a message: No space left on device");
}

}  // namespace
}  // namespace ipn_bench
