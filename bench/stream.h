// SPDX-License-Identifier: MIT
#pragma once

// Works in which messages stream from senders to receivers: p2p, fanout, mesh.
// A system is a team whose members have a Source, a Sink or both; what these do
// is all that differs between systems.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/compare.h"
#include "bench/message.h"
#include "bench/options.h"
#include "bench/team.h"

namespace ipn_bench {

/// What is streamed, and how.
struct StreamPlan {
  std::size_t size = 64;
  unsigned senders = 1;
  unsigned receivers = 1;  ///< of each message
  bool is_mesh = false;    ///< every node sends and receives; `senders` of them
  Mode mode = Mode::kInPlace;
  bool lossless = true;
  unsigned pool = 4096;
};

/// Messages that go in one call or between two publications: 32, fewer if they
/// are large.
unsigned batch_of(const StreamPlan& plan);

/// Copies are read wholly, and so are large messages in place.
Reading reading_of(const StreamPlan& plan);

/// One sender's way into a system.
class Source {
 public:
  virtual ~Source() = default;
  /// Sends the messages with these `count` consecutive stamps, at most
  /// batch_of(). Waits as long as it must.
  virtual Result<void> send(std::uint64_t first, unsigned count) = 0;
};

/// One receiver's way out of it.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Waits for a message and tells `checker` each that has come.
  virtual Result<void> receive(Checker& checker) = 0;
};

/// What a member of a stream has.
struct Ends {
  std::unique_ptr<Source> source;
  std::unique_ptr<Sink> sink;
};

/// What opens the ends of receiver, sender or node number N of a mesh. Called in
/// the member's process, once.
using Opener = std::function<Result<Ends>(unsigned number)>;
struct Openers {
  Opener receiver, sender, node;
};

/// The members of a stream's team, receivers before senders. With
/// `may_lose_end` senders repeat the end of a run until all have it.
std::vector<Member> stream_members(const StreamPlan& plan, const Openers& openers,
                                   bool may_lose_end);

/// One system in one stream.
class StreamSystem : public System {
 public:
  /// `daemons` are processes besides the team's. `promises`: messages may not
  /// get lost.
  StreamSystem(std::string name, Team team, const std::vector<pid_t>& daemons, bool promises);

  const std::string& name() const override { return name_; }
  const std::vector<pid_t>& processes() const override { return processes_; }
  Result<Outcome> run(Nanoseconds duration) override;

  const Seen& seen() const { return seen_; }
  /// What came otherwise than it had to; empty: nothing.
  std::string fault() const;
  /// Something that lives as long as the system, a daemon for instance.
  void keep(std::shared_ptr<void> thing) { kept_.push_back(std::move(thing)); }

 private:
  std::vector<std::shared_ptr<void>> kept_;  // outlives the team
  std::string name_;
  Team team_;
  std::vector<pid_t> processes_;
  bool promises_;
  Seen seen_;
};

/// A system, or why it is left out: a note for people.
struct Candidate {
  std::unique_ptr<StreamSystem> system;
  std::string note;
};

}  // namespace ipn_bench
