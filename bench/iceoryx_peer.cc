// SPDX-License-Identifier: MIT
// iceoryx with a RouDi that we start: the sender publishes each message where it
// lies and waits for slow receivers; receivers sleep in a wait set.
#include <algorithm>
#include <fstream>

#include "bench/peers.h"

#ifdef IPN_BENCH_ICEORYX
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#endif

namespace ipn_bench {

#ifdef IPN_BENCH_ICEORYX

namespace {

using iox::popo::ConsumerTooSlowPolicy;
using iox::popo::QueueFullPolicy;
using iox::popo::UntypedPublisher;
using iox::popo::UntypedSubscriber;

constexpr const char* kName = "iceoryx";
constexpr const char* kRouDi = "iox-roudi";
constexpr std::chrono::seconds kReadyDeadline{20};
constexpr unsigned kQueue = 256;  // the most that iceoryx allows
constexpr unsigned kChunks = 2048;
constexpr std::size_t kChunkAlignment = 64;

std::string runtime_name(const std::string& role, pid_t process) {
  return "ipn-bench-" + role + '-' + std::to_string(process);
}

/// What iceoryx leaves behind of a process that is killed, as the members of a team are.
class Leftovers {
 public:
  explicit Leftovers(const std::vector<pid_t>& processes) : processes_(processes) {}
  ~Leftovers() {
    for (const pid_t process : processes_) {
      for (const char* role : {"sender", "receiver"}) {
        const std::string path = "/tmp/" + runtime_name(role, process);
        unlink(path.c_str());
        unlink((path + ".lock").c_str());
      }
    }
  }
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;

 private:
  const std::vector<pid_t> processes_;
};

void enter(const std::string& role) {
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kWarn,
                                                           iox::log::LogLevelOutput::kHideLogLevel);
  const std::string name = runtime_name(role, getpid());
  iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
}

iox::capro::ServiceDescription service(std::size_t size) {
  const std::string text = std::to_string(size);
  return {"ipn-bench", "stream", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, text)};
}

class IceSource : public Source {
 public:
  explicit IceSource(const Pattern& pattern)
      : pattern_(pattern), publisher_(service(pattern.size()), options()) {}

  bool has_subscribers() const { return publisher_.hasSubscribers(); }

  Result<void> send(std::uint64_t first, unsigned count) override {
    for (unsigned i = 0; i < count; i++) {
      auto chunk = publisher_.loan(static_cast<std::uint32_t>(pattern_.size()));
      while (chunk.has_error()) {
        chunk = publisher_.loan(static_cast<std::uint32_t>(pattern_.size()));
      }
      pattern_.write(chunk.value(), first + i);
      publisher_.publish(chunk.value());
    }
    return {};
  }

 private:
  static iox::popo::PublisherOptions options() {
    iox::popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    return options;
  }

  const Pattern& pattern_;
  UntypedPublisher publisher_;
};

class IceSink : public Sink {
 public:
  explicit IceSink(const StreamPlan& plan)
      : size_(plan.size), subscriber_(service(plan.size), options()) {
    copy_.resize(plan.mode == Mode::kCopy ? plan.size : 0);
    is_attached_ =
        !waits_.attachState(subscriber_, iox::popo::SubscriberState::HAS_DATA).has_error();
  }

  bool is_attached() const { return is_attached_; }

  Result<void> receive(Checker& checker) override {
    waits_.wait();
    for (;;) {
      const auto chunk = subscriber_.take();
      if (chunk.has_error()) return {};
      const void* data = chunk.value();
      if (copy_.empty()) {
        checker.see(data, size_);
      } else {
        std::memcpy(copy_.data(), data, size_);
        checker.see(copy_.data(), size_);
      }
      subscriber_.release(data);
    }
  }

 private:
  static iox::popo::SubscriberOptions options() {
    iox::popo::SubscriberOptions options;
    options.queueCapacity = kQueue;
    options.queueFullPolicy = QueueFullPolicy::BLOCK_PRODUCER;
    return options;
  }

  std::size_t size_;
  std::vector<std::byte> copy_;  ///< empty: in place
  UntypedSubscriber subscriber_;
  iox::popo::WaitSet<1> waits_;
  bool is_attached_ = false;
};

Result<Ends> open_receiver(const StreamPlan& plan) {
  enter("receiver");
  auto sink = std::make_unique<IceSink>(plan);
  if (!sink->is_attached()) return Failure{"iceoryx: a wait set cannot be used"};
  return Ends{nullptr, std::move(sink)};
}

Result<Ends> open_sender(const Pattern& pattern) {
  enter("sender");
  auto source = std::make_unique<IceSource>(pattern);
  while (!source->has_subscribers()) usleep(1000);
  return Ends{std::move(source), nullptr};
}

Result<Daemon> start_roudi(const std::string& program, const StreamPlan& plan,
                           const ScratchFolder& folder) {
  const std::string configuration = folder.path_of("roudi.toml");
  const std::size_t chunk = (plan.size + kChunkAlignment - 1) / kChunkAlignment * kChunkAlignment;
  std::ofstream file(configuration);
  file << "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\nsize = " << chunk
       << "\ncount = " << kChunks << '\n';
  file.close();
  auto daemon = Daemon::start({program, "-m", "off", "-c", configuration}, folder.path_of("roudi"),
                              folder.path_of("roudi.printed"));
  if (!daemon) return daemon.error();
  const auto ready = daemon->wait_until_ready(
      [&]() -> Result<bool> { return daemon->last_words().find("ready") != std::string::npos; },
      kReadyDeadline);
  if (!ready) return ready.error();
  return std::move(*daemon);
}

}  // namespace

Result<Candidate> start_iceoryx(const StreamPlan& plan, const Pattern& pattern,
                                const ScratchFolder& folder) {
  if (plan.senders != 1) return Candidate{nullptr, "iceoryx: left out, it is asked for one sender"};
  const auto program = find_program(kRouDi);
  if (!program) return Candidate{nullptr, "iceoryx: left out, iox-roudi is not installed"};
  auto roudi = start_roudi(*program, plan, folder);
  if (!roudi) return Candidate{nullptr, "iceoryx: left out, " + roudi.error().text};
  const auto daemon = std::make_shared<Daemon>(std::move(*roudi));
  Openers openers;
  openers.receiver = [&plan](unsigned) { return open_receiver(plan); };
  openers.sender = [&pattern](unsigned) { return open_sender(pattern); };
  auto team = Team::start(kName, stream_members(plan, openers, false));
  if (!team) return team.error();
  const auto leftovers = std::make_shared<Leftovers>(team->pids());
  Candidate candidate;
  candidate.system = std::make_unique<StreamSystem>(kName, std::move(*team),
                                                    std::vector<pid_t>{daemon->pid()}, true);
  candidate.system->keep(leftovers);
  candidate.system->keep(daemon);
  return candidate;
}

#else

Result<Candidate> start_iceoryx(const StreamPlan&, const Pattern&, const ScratchFolder&) {
  return Candidate{nullptr, "iceoryx: left out, it was not there when ipn-bench was built"};
}

#endif

}  // namespace ipn_bench
