// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "libipn/ring/log_reader.h"
#include "switchcore/core/attachment.h"
#include "switchcore/core/storage.h"

#include <ipn/ring.h>

namespace ipn::sim {

using Words = std::vector<std::uint64_t>;

/// Memory that stays as long as somebody has it mapped.
class Memory final : public LogStorage {
 public:
  explicit Memory(std::uint64_t bytes)
      : words_(std::make_shared<Words>((bytes + 7) / 8)), bytes_(bytes) {}
  std::span<std::byte> bytes() override {
    return std::as_writable_bytes(std::span(*words_)).first(bytes_);
  }
  int descriptor() const override { return 0; }  // nobody uses it as one
  std::shared_ptr<const Words> map() const { return words_; }

 private:
  std::shared_ptr<Words> words_;
  std::uint64_t bytes_;
};

/// The program's end of an attached node: reads its log by itself, as libipn does,
/// and says in its control page how far it is.
class Program final : public Attachment {
 public:
  /// `is_deaf`: it takes no descriptors of later epochs.
  Program(std::uint64_t node, bool is_deaf) : node_(node), is_deaf_(is_deaf) {}
  void begin(const LogPlace& place);

  /// The daemon has ended its reading: it goes on by calls, or not at all.
  bool is_stopped() const { return status_.recv_state == IPN_RING_ENDED; }
  bool overwrites() const { return reader_.overwrites(); }

  /// A message that it has copied, or nothing.
  struct Read {
    ipn_log_record record{};
    std::vector<std::byte> bytes;
    std::uint64_t lost_before = 0;
  };
  std::optional<Read> read();
  /// Gives back what it has read. True: it rings.
  bool publish() { return reader_.publish(at_); }
  /// Messages found overwritten so far.
  std::uint64_t lost() const { return at_.lost; }
  /// Sleeps until there is a message; is_told() says whether it was woken.
  void sleep();
  bool sleeps() const { return control_.sleep_at != 0; }
  /// It will not ring, though it has given back what there was to read.
  bool withholds_a_ring() const {
    return status_.wake_at != 0 && control_.read_seq < status_.wake_at;
  }

  bool is_deaf() const { return is_deaf_; }
  /// Writes another number into read_seq than it may; false: there is none.
  bool claim_too_little();
  void claim_too_much(std::uint64_t by) { control_.read_seq = at_.seq + 1'000 + by; }

  /// From now on nothing may be written into what it has mapped.
  void freeze();
  bool is_as_frozen() const;

  // Attachment
  std::uint64_t read_seq() const override { return control_.read_seq; }
  ReaderClaims claims() const override {
    return {control_.read_seq, control_.own, control_.msgs, control_.bytes, control_.lost};
  }
  void on_published(std::uint64_t head_seq) override;
  void set_wake_at(std::uint64_t seq) override { status_.wake_at = seq; }
  bool on_epoch(const LogPlace& place) override;
  void on_own_evicted(std::uint64_t seq, std::uint64_t count) override;
  void on_last_message() override {}
  void on_receive_stopped(bool) override { status_.recv_state = IPN_RING_ENDED; }
  void on_send_stopped(int) override {}
  void on_mtu(std::uint32_t) override {}

 private:
  struct Epoch {
    std::shared_ptr<const Words> words;
    std::uint64_t bytes, next_seq, next_pos;
    bool overwrites;
  };
  static Epoch epoch_of(const LogPlace& place);
  std::span<const std::byte> map(const Epoch& epoch);

  const std::uint64_t node_;
  const bool is_deaf_;
  ipn_control control_{};
  ipn_status status_{};
  std::shared_ptr<const Words> mapped_;
  std::deque<Epoch> next_;
  ring::LogReader reader_;
  ring::LogReader::Cursor at_{};
  std::vector<std::shared_ptr<const Words>> all_;  ///< that it has ever mapped
  std::vector<Words> frozen_;                      ///< what they held
};

}  // namespace ipn::sim
