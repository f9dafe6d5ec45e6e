// SPDX-License-Identifier: MIT
#include "bench/team.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "bench/signals.h"

namespace ipn_bench {

/// In front of the records.
struct alignas(128) BoardHead {
  std::atomic<std::uint32_t> command;            ///< number of the run * 4 + what
  alignas(128) std::atomic<std::uint32_t> news;  ///< changes when somebody rests or fails
};

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

enum Command : std::uint32_t { kOver, kGo, kStop, kQuit };
constexpr std::uint32_t kCommands = 4;

enum State : std::uint32_t { kStarting, kReady, kFailed };

constexpr milliseconds kLookAgain{50};
constexpr milliseconds kDeadline{60'000};
constexpr milliseconds kQuitPatience{1000};

Command command_of(std::uint32_t word) { return static_cast<Command>(word % kCommands); }
std::uint32_t run_of(std::uint32_t word) { return word / kCommands; }

void sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t value,
              std::optional<milliseconds> patience) {
  timespec time{};
  if (patience) {
    time.tv_sec = patience->count() / 1000;
    time.tv_nsec = patience->count() % 1000 * 1'000'000;
  }
  syscall(SYS_futex, &word, FUTEX_WAIT, value, patience ? &time : nullptr, nullptr, 0);
}

void wake(const std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void publish(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  word.store(value);
  wake(word);
}

void tell(BoardHead& head) {
  head.news.fetch_add(1);
  wake(head.news);
}

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

void Desk::ready() {
  record_->state.store(kReady);
  tell(*head_);
}

std::optional<std::uint32_t> Desk::next_run() {
  for (;;) {
    const std::uint32_t word = head_->command.load();
    if (command_of(word) == kQuit) return std::nullopt;
    // A run that was stopped before we looked is a run, too.
    if (command_of(word) != kOver && run_of(word) > run_) return run_ = run_of(word);
    sleep_on(head_->command, word, std::nullopt);
  }
}

bool Desk::is_going() const {
  return head_->command.load(std::memory_order_relaxed) == run_ * kCommands + kGo;
}

bool Desk::is_over() const {
  const std::uint32_t word = head_->command.load();
  return run_of(word) != run_ || command_of(word) == kOver || command_of(word) == kQuit;
}

void Desk::wait_over(milliseconds patience) const {
  const std::uint32_t word = head_->command.load();
  if (!is_over()) sleep_on(head_->command, word, patience);
}

void Desk::rest() {
  record_->rested_run.store(run_);
  tell(*head_);
}

void Desk::note(const Seen& seen) {
  record_->deliveries.store(seen.deliveries);
  record_->lost.store(seen.lost);
  record_->repeated.store(seen.repeated);
  record_->damaged.store(seen.damaged);
  record_->last_ns.store(now_ns());
}

void Desk::fail(const std::string& text) {
  std::strncpy(record_->text, text.c_str(), sizeof record_->text - 1);
  record_->state.store(kFailed);
  tell(*head_);
}

struct Team::Shared {
  explicit Shared(std::size_t places)
      : count(places), bytes(sizeof(BoardHead) + places * sizeof(Record)) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) head = static_cast<BoardHead*>(memory);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    if (head != nullptr) munmap(head, bytes);
  }
  Record& record(std::size_t i) { return reinterpret_cast<Record*>(head + 1)[i]; }

  std::size_t count;
  std::size_t bytes;
  BoardHead* head = nullptr;
};

namespace {

/// In the child. Fresh pages are zeros, which is kStarting and nothing done.
[[noreturn]] void work(const Member& member, std::vector<Desk> desks, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExitFailure);
  const auto done = member.work(desks);
  if (!done) desks[0].fail(done.error().text);
  _exit(done ? 0 : kExitFailure);
}

/// Waits for the end of a child; kills it when the time has come.
void end_of(pid_t pid, Clock::time_point time) {
  constexpr useconds_t kPause = 1000;
  bool is_killed = false;
  while (waitpid(pid, nullptr, WNOHANG) == 0) {
    if (!is_killed && Clock::now() >= time) is_killed = kill(pid, SIGKILL) == 0;
    usleep(kPause);
  }
}

}  // namespace

Team::Team(std::string name, std::unique_ptr<Shared> shared)
    : name_(std::move(name)), shared_(std::move(shared)) {}

Result<Team> Team::start(std::string name, const std::vector<Member>& members) {
  std::size_t places = 0;
  for (const Member& member : members) places += member.places;
  auto shared = std::make_unique<Shared>(places);
  if (shared->head == nullptr) {
    return Failure{name + ": no memory to share: " + std::strerror(errno)};
  }
  Team team(std::move(name), std::move(shared));
  if (auto hired = team.hire(members); !hired) return hired.error();
  return team;
}

Result<void> Team::hire(const std::vector<Member>& members) {
  const pid_t parent = getpid();
  std::size_t place = 0;
  for (const Member& member : members) {
    std::vector<Desk> desks;
    for (unsigned i = 0; i < member.places; i++) {
      shared_->record(place).serves.store(member.serves);
      desks.emplace_back(*shared_->head, shared_->record(place++));
    }
    const pid_t child = fork();
    if (child < 0) return Failure{name_ + ": a process cannot be made: " + std::strerror(errno)};
    if (child == 0) work(member, std::move(desks), parent);
    pids_.push_back(child);
    if (member.serves) servants_.push_back(child);
    // One after the other, so that ports and numbers are the same each time.
    const Record& last = shared_->record(place - 1);
    auto ready = wait_for(
        [&last](const Record& record) { return &record > &last || record.state.load() == kReady; },
        "become ready");
    if (!ready) return ready;
  }
  return {};
}

Team::Team(Team&&) noexcept = default;

Team::~Team() {
  if (!shared_) return;
  publish(shared_->head->command, run_ * kCommands + kQuit);
  const auto end = Clock::now() + kQuitPatience;
  for (const pid_t pid : pids_) {
    const bool serves = std::find(servants_.begin(), servants_.end(), pid) != servants_.end();
    if (!serves) end_of(pid, end);
  }
  for (const pid_t pid : servants_) end_of(pid, Clock::now());
}

/// Looks after signals and after processes that ended or failed.
Result<void> Team::look_after() {
  if (is_interrupted()) return interrupted();
  for (std::size_t i = 0; i < shared_->count; i++) {
    const Record& record = shared_->record(i);
    if (record.state.load() == kFailed) return Failure{name_ + ": " + record.text};
  }
  for (pid_t& pid : pids_) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) != pid) continue;
    const pid_t ended = pid;
    std::erase(servants_, ended);
    std::erase(pids_, ended);
    return Failure{name_ + ": one of its processes " + how_it_ended(status)};
  }
  return {};
}

Result<void> Team::wait_for(const std::function<bool(const Record&)>& is_done, const char* what) {
  const auto end = Clock::now() + kDeadline;
  for (;;) {
    const std::uint32_t news = shared_->head->news.load();
    if (auto well = look_after(); !well) return well;
    std::size_t done = 0;
    for (std::size_t i = 0; i < shared_->count; i++) done += is_done(shared_->record(i)) ? 1 : 0;
    if (done == shared_->count) return {};
    if (Clock::now() > end) {
      return Failure{name_ + ": " + std::to_string(shared_->count - done) + " of " +
                     std::to_string(shared_->count) + " did not " + what + " within 60 s"};
    }
    sleep_on(shared_->head->news, news, kLookAgain);
  }
}

Team::Run Team::sum() const {
  Run run;
  for (std::size_t i = 0; i < shared_->count; i++) {
    const Record& record = shared_->record(i);
    run.sent += record.sent.load();
    run.seen.deliveries += record.deliveries.load();
    run.seen.lost += record.lost.load();
    run.seen.repeated += record.repeated.load();
    run.seen.damaged += record.damaged.load();
    if (const std::uint64_t p50 = record.p50_ns.load(); p50 != 0) {
      run.p50_ns = p50;
      run.p99_ns = record.p99_ns.load();
    }
  }
  return run;
}

Result<Team::Run> Team::run(Nanoseconds duration) {
  const Run before = sum();
  run_++;
  const std::int64_t begin = now_ns();
  const auto end = Clock::now() + duration;
  publish(shared_->head->command, run_ * kCommands + kGo);
  while (Clock::now() < end) {
    if (auto well = look_after(); !well) return well.error();
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (left.count() > 0) sleep_on(shared_->head->news, shared_->head->news.load(), left);
  }
  publish(shared_->head->command, run_ * kCommands + kStop);
  auto rested = wait_for(
      [this](const Record& record) { return record.serves || record.rested_run.load() == run_; },
      "get the end of a run");
  if (!rested) return rested.error();
  publish(shared_->head->command, run_ * kCommands + kOver);
  Run run = sum();
  std::int64_t last = begin;
  for (std::size_t i = 0; i < shared_->count; i++) {
    last = std::max(last, shared_->record(i).last_ns.load());
  }
  run.wall = Nanoseconds(last - begin);
  run.sent -= before.sent;
  run.seen.deliveries -= before.seen.deliveries;
  run.seen.lost -= before.seen.lost;
  run.seen.repeated -= before.seen.repeated;
  run.seen.damaged -= before.seen.damaged;
  return run;
}

}  // namespace ipn_bench
