// SPDX-License-Identifier: MIT
#include "ipnd/daemon.h"

#include <algorithm>
#include <csignal>
#include <sys/random.h>
#include <time.h>
#include <utility>

#include "ipnd/file_text.h"
#include "ipnd/network_text.h"
#include "ipnd/notify.h"
#include "switchcore/io/shared_memory.h"

namespace ipn {
namespace {

// A clean stop takes 2 s at most: this, and what the helper needs at the end.
constexpr TimeNs kDrainLimit = 1400 * kMillisecond;
constexpr TimeNs kLeaveLimit = 200 * kMillisecond;
constexpr std::size_t kReloadBytesMax = 64 << 20;

std::array<std::uint8_t, 16> random_id() {
  std::array<std::uint8_t, 16> id{};
  [[maybe_unused]] const ssize_t n = ::getrandom(id.data(), id.size(), 0);
  return id;
}

TimeNs now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return TimeNs{time.tv_sec} * kSecond + time.tv_nsec;
}

/// For what happens before the first round.
Clock read_clock() { return {now(CLOCK_MONOTONIC), now(CLOCK_REALTIME)}; }

device::DeviceInfo device_info(const std::array<std::uint8_t, 16>& boot_id, const io::Loop& loop,
                               const std::vector<OpenedDoor>& doors) {
  device::DeviceInfo info;
  info.version = "ipnd " IPND_VERSION;
  info.boot_id = boot_id;
  info.loop = loop.description();
  info.device = describe(doors.front());
  return info;
}

}  // namespace

Daemon::Daemon(const Plan& plan, io::Loop& loop, Helper& helper, Journal& journal,
               Beginning beginning)
    : plan_(plan),
      loop_(loop),
      helper_(helper),
      journal_(journal),
      beginning_(std::move(beginning)),
      core_(beginning_.configuration.limits, io::shared_storage(), *this),
      boot_id_(random_id()),
      ports_(core_, loop, {boot_id_, beginning_.spin}),
      device_(core_, device::identify_by_proc, device_info(boot_id_, loop, beginning_.doors),
              &ports_),
      kept_(core_, journal),
      doors_(helper, journal, plan,
             {[this] { on_doors_ready(); }, [this](const Error& error) { on_door_lost(error); }}) {
  for (PolicyType& policy : beginning_.policies) core_.add_policy(std::move(policy));
}

// The doors close while the device can still let go of their files.
Daemon::~Daemon() {
  doors_.close();
  helper_.detach();
}

Result<void> Daemon::run() {
  if (auto ok = begin(); !ok) return ok;
  while (state_ != State::kOver) {
    if (auto ok = loop_.run_round(*this, wake_at()); !ok) return ok;
  }
  doors_.close();
  if (failure_) return *failure_;
  return {};
}

Result<void> Daemon::begin() {
  on_round_begin(read_clock());
  kept_.configure(beginning_.configuration.networks);
  kept_.restore(beginning_.saved, plan_.state_path);
  auto signals = Signals::attach(loop_, [this](int signal) { on_signal(signal); });
  if (!signals) return signals.error();
  signals_ = std::move(*signals);
  auto attached = helper_.attach(loop_, [this] {
    journal_.error(
        "helper: has died; devices, mounts and the state file cannot change any more "
        "(restart ipnd)");
  });
  if (!attached) return attached;
  if (beginning_.attach_socket) {
    if (auto ok = ports_.listen(std::move(beginning_.attach_socket), plan_.socket_path); !ok) {
      return ok;
    }
  }
  return doors_.serve(std::move(beginning_.doors), loop_, device_);
}

std::optional<TimeNs> Daemon::wake_at() const {
  if (ports_busy_) return TimeNs{0};
  std::optional<TimeNs> next = device_.next_timer();
  if (const auto timer = ports_.next_timer()) next = std::min(next.value_or(*timer), *timer);
  if (is_ending()) next = std::min(next.value_or(end_of_state_), end_of_state_);
  return next;
}

void Daemon::on_round_begin(const Clock& clock) {
  clock_ = clock;
  device_.begin_round(clock);
  ports_.begin_round(clock);
}

void Daemon::on_round_end() {
  device_.expire();
  ports_busy_ = ports_.run();
  if (device_.close_released()) ports_busy_ = true;  // there may be somebody to wake
  if (state_changed_ && !saving_ && !is_ending()) save_state();
  const bool time_over = is_ending() && clock_.monotonic >= end_of_state_;
  if (state_ == State::kDraining && (time_over || is_drained())) leave();
  if (state_ == State::kLeaving && time_over) state_ = State::kOver;
}

/// Nodes have read what is left, and what they were promised to keep is kept.
bool Daemon::is_drained() { return core_.totals().connected == 0 && !saving_; }

void Daemon::on_evicted(const Network& network, const Node& node, TimeNs blocked_ns) {
  tell_disconnected(network, node, "evicted",
                    ", senders waited " + std::to_string(blocked_ns / kSecond) + " s for it",
                    "ipnctl net set " + network.config().name + " --deadline S gives it more time");
}

void Daemon::on_cut_off(const Network& network, const Node& node, std::string_view reason) {
  tell_disconnected(network, node, "cut off", ": " + std::string(reason),
                    "its program is broken or hostile");
}

/// One line for a network and kind now and then; `kind` is a literal.
void Daemon::tell_disconnected(const Network& network, const Node& node, std::string_view kind,
                               const std::string& reason, const std::string& remedy) {
  const auto suppressed = rate_.admit(network.id().value, kind, clock_.monotonic);
  if (!suppressed) return;
  const Credentials& who = node.credentials();
  const std::string more =
      *suppressed == 0 ? "" : "; " + std::to_string(*suppressed) + " more since the last line";
  journal_.warning(network.config().name + ": node " + std::to_string(node.id().value) + " (" +
                   who.program + ", pid " + std::to_string(who.pid) + ") was disconnected" +
                   reason + more + " (" + remedy + ")");
}

void Daemon::on_signal(int signal) {
  if (signal == SIGHUP) {
    reload();
  } else {
    journal_.info(signal == SIGINT ? "SIGINT: stopping" : "SIGTERM: stopping");
    stop();
  }
}

void Daemon::on_doors_ready() {
  if (state_ != State::kStarting) return;
  state_ = State::kServing;
  journal_.info("ready");
  notify_ready("serving " + plan_.doors.front().path);
}

void Daemon::on_door_lost(const Error& error) {
  if (state_ != State::kStarting && !doors_.all_lost()) return journal_.error(error.text);
  failure_ = error;
  state_ = State::kOver;
}

// Configuration ----------------------------------------------------------------

void Daemon::reload() {
  if (is_ending()) return;
  notify_reloading();
  helper_.request(HelperCall::kReload, 0, UniqueFd(),
                  [this](Result<UniqueFd> answer) { apply(std::move(answer)); });
}

void Daemon::apply(Result<UniqueFd> answer) {
  Result<std::string> text = answer ? read_text(answer->get(), "configuration", kReloadBytesMax)
                                    : Result<std::string>(answer.error());
  auto configuration = text ? parse_reload(*text) : Result<Configuration>(text.error());
  if (configuration) {
    core_.set_limits(configuration->limits);
    if (!plan_.log_level_told) journal_.set_level(configuration->daemon.log_level.value_or("info"));
    kept_.configure(configuration->networks);
    core_.dispatch();
    journal_.info("configuration read again");
    state_changed_ = true;  // what the configuration holds does not belong into the state
  } else {
    journal_.error("the configuration stays as it was: " + configuration.error().text);
  }
  if (state_ == State::kServing) notify_ready("serving " + plan_.doors.front().path);
}

// State --------------------------------------------------------------------------

void Daemon::save_state() {
  state_changed_ = false;
  const auto networks = kept_.to_save();
  auto memory = text_in_memory(networks.empty() ? std::string() : state_text(networks));
  if (!memory) return journal_.error(plan_.state_path + ": not saved: " + memory.error().text);
  saving_ = true;
  helper_.request(HelperCall::kSaveState, 0, std::move(*memory), [this](Result<UniqueFd> done) {
    saving_ = false;
    if (!done) journal_.error(plan_.state_path + ": not saved: " + done.error().text);
  });
}

// The end ------------------------------------------------------------------------

void Daemon::stop() {
  if (is_ending()) return;
  notify_stopping();
  // Networks end now only because we do: the state file keeps them.
  if (state_changed_) save_state();
  state_ = State::kDraining;
  end_of_state_ = clock_.monotonic + kDrainLimit;
  device_.stop();
}

void Daemon::leave() {
  state_ = State::kLeaving;
  end_of_state_ = clock_.monotonic + kLeaveLimit;
  doors_.unmount([this] { state_ = State::kOver; });
}

}  // namespace ipn
