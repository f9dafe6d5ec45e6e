// SPDX-License-Identifier: MIT
#include "ipnd/journal.h"

#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <spdlog/common.h>
#include <spdlog/details/circular_q.h>
#include <spdlog/details/log_msg_buffer.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

constexpr std::size_t kQueueLines = 8192;
constexpr int kPatienceMs = 100;
constexpr const char* kPattern = "%Y-%m-%d %H:%M:%S.%e %l %v";
constexpr const char* kJournalPattern = "%*%v";

/// True if standard error is the socket of the journal, see systemd.exec(5).
bool is_read_by_journal() {
  const char* stream = ::secure_getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == stream;
}

/// The level as sd-daemon(3) wants it in front of a line: "<6>".
class JournalLevel final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string_view prefix = prefix_of(line.level);
    out.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalLevel>();
  }

 private:
  static std::string_view prefix_of(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::debug:
        return "<7>";
      case spdlog::level::warn:
        return "<4>";
      case spdlog::level::err:
        return "<3>";
      default:
        return "<6>";
    }
  }
};

/// Writes whole lines, and drops one rather than wait long for a reader.
class FdSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FdSink(UniqueFd file) : file_(std::move(file)) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    if (!file_ && is_read_by_journal()) {
      formatter->add_flag<JournalLevel>('*').set_pattern(kJournalPattern);
    } else {
      formatter->set_pattern(kPattern);
    }
    set_formatter_(std::move(formatter));
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    spdlog::memory_buf_t text;
    formatter_->format(line, text);
    const int fd = file_ ? file_.get() : STDERR_FILENO;
    pollfd wait{fd, POLLOUT, 0};
    // Patience for one line only: a queue of thousands has to drain at the end.
    stuck_ = ::poll(&wait, 1, stuck_ ? 0 : kPatienceMs) != 1;
    if (stuck_) return;
    // A pipe that is writable takes this many bytes at once.
    if (text.size() > PIPE_BUF) {
      text.resize(PIPE_BUF);
      text.data()[PIPE_BUF - 1] = '\n';
    }
    [[maybe_unused]] const ssize_t n = ::write(fd, text.data(), text.size());
  }
  void flush_() override {}

 private:
  UniqueFd file_;
  bool stuck_ = false;
};

/// Queues lines for a thread of its own, which writes them to another sink. That of spdlog's
/// asynchronous loggers looks every 10 s whether there is something to do; this one sleeps.
class BackgroundSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit BackgroundSink(std::unique_ptr<spdlog::sinks::sink> target)
      : sink_(std::move(target)), thread_([this] { write_lines(); }) {}
  /// Writes what is still queued.
  ~BackgroundSink() override {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    news_.notify_one();
    thread_.join();
  }
  BackgroundSink(const BackgroundSink&) = delete;
  BackgroundSink& operator=(const BackgroundSink&) = delete;

 protected:
  /// With mutex_ locked. A full queue loses its oldest line.
  void sink_it_(const spdlog::details::log_msg& line) override {
    lines_.push_back(spdlog::details::log_msg_buffer(line));
    news_.notify_one();
  }
  void flush_() override {}

 private:
  void write_lines() {
    std::unique_lock lock(mutex_);
    for (;;) {
      news_.wait(lock, [this] { return ends_ || !lines_.empty(); });
      if (lines_.empty()) return;
      const spdlog::details::log_msg_buffer line = std::move(lines_.front());
      lines_.pop_front();
      lock.unlock();
      sink_->log(line);
      lock.lock();
    }
  }

  const std::unique_ptr<spdlog::sinks::sink> sink_;
  spdlog::details::circular_q<spdlog::details::log_msg_buffer> lines_{kQueueLines};
  bool ends_ = false;
  std::condition_variable news_;
  std::thread thread_;
};

spdlog::level::level_enum level_of(std::string_view level, spdlog::level::level_enum otherwise) {
  if (level == "debug") return spdlog::level::debug;
  if (level == "info") return spdlog::level::info;
  if (level == "warning") return spdlog::level::warn;
  if (level == "error") return spdlog::level::err;
  if (level == "off") return spdlog::level::off;
  return otherwise;
}

}  // namespace

struct Journal::Engine {
  explicit Engine(UniqueFd file)
      : logger("ipnd",
               std::make_shared<BackgroundSink>(std::make_unique<FdSink>(std::move(file)))) {}

  void write(spdlog::level::level_enum level, std::string_view line) {
    logger.log(level, spdlog::string_view_t(line.data(), line.size()));
  }

  spdlog::logger logger;
};

Journal::Journal(UniqueFd file) : engine_(std::make_unique<Engine>(std::move(file))) {}
Journal::~Journal() = default;

void Journal::set_level(std::string_view level) {
  engine_->logger.set_level(level_of(level, engine_->logger.level()));
}

void Journal::debug(std::string_view line) { engine_->write(spdlog::level::debug, line); }
void Journal::info(std::string_view line) { engine_->write(spdlog::level::info, line); }
void Journal::warning(std::string_view line) { engine_->write(spdlog::level::warn, line); }
void Journal::error(std::string_view line) { engine_->write(spdlog::level::err, line); }

Result<UniqueFd> open_log_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!fd) return system_error(errno, path, "choose a place where you may make files");
  return fd;
}

}  // namespace ipn
