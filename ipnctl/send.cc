// SPDX-License-Identifier: MIT
// ipnctl send: lines, pieces or hex digits become messages.
//
// Input is read in big blocks and cut into views of the block; what a block
// completes goes out in one call. Through shared memory a send returns before the
// network has taken the message, so the last one of a block asks for a completion:
// it comes when all of them were taken. Whether somebody received is asked at the
// sending node's own counter of messages without receiver: it is exact, also
// for receivers that came and went meanwhile, and costs nothing per message.
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "ipnctl/errors.h"
#include "ipnctl/parse.h"
#include "ipnctl/split.h"
#include "ipnctl/terminal.h"
#include "ipnctl/units.h"
#include "ipnctl/verbs.h"

namespace ipnctl {
namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;

/// The longest line that may still become a message: two digits and a blank
/// for each byte.
constexpr std::size_t kLineMax = 3 * IPN_MSG_MAX;

struct SendOptions {
  std::string net;
  std::optional<std::string> text;
  std::optional<std::string> raw;  ///< the file; "-" or empty: standard input
  bool hex = false;
  std::optional<std::uint32_t> wait;
  std::optional<std::uint32_t> timeout_ms;
};

using Messages = std::span<const std::string_view>;

/// A send-only node and what it has sent.
class Sender {
 public:
  Sender(Device& device, const SendOptions& options) : device_(device), options_(options) {}

  Result<void> join();
  Result<void> send(Messages messages);
  /// Says on standard error, once, if nobody received.
  void note_unreceived();
  std::uint64_t sent() const { return sent_; }

 private:
  Result<void> wait_for_receivers();
  Result<void> wait_for_room();
  Result<void> send_many(Messages messages);
  Result<void> send_reported(std::string_view message);
  Failure send_failure(int code, std::size_t bytes);
  std::uint64_t unreceived();

  Device& device_;
  const SendOptions& options_;
  std::vector<ipn_buf> bufs_;
  std::uint64_t sent_ = 0;
  bool noted_ = false;
};

Result<void> Sender::join() {
  if (auto done = device_.connect(options_.net, IPN_ROLE_SEND); !done) return done;
  // A ring has room where a receiver has none: only calls tell how long that lasts.
  if (options_.timeout_ms) {
    const int error = ::ipn_setdoor(device_.node(), IPN_DOOR_DEVICE);
    if (error < 0) return device_.failure(-error, options_.net);
  }
  return wait_for_receivers();
}

Result<void> Sender::wait_for_receivers() {
  if (!options_.wait) return {};
  const int timeout = options_.timeout_ms
                          ? static_cast<int>(std::min<std::uint32_t>(*options_.timeout_ms, INT_MAX))
                          : -1;
  const int readers = ::ipn_wait_peers(device_.node(), *options_.wait, timeout);
  if (readers >= 0) return {};
  if (readers != -ETIMEDOUT) return device_.failure(-readers, options_.net);
  Failure failure = errno_failure(ETIMEDOUT, options_.net);
  failure.reason = "fewer than " + counted(*options_.wait, "receiver") + " came in " +
                   duration(std::uint64_t{*options_.timeout_ms} * 1'000'000);
  failure.remedy = "see who is there: ipnctl node list " + options_.net;
  return failure;
}

Result<void> Sender::wait_for_room() {
  pollfd device{device_.fd(), POLLOUT, 0};
  const int timeout = static_cast<int>(std::min<std::uint32_t>(*options_.timeout_ms, INT_MAX));
  const int ready = ::poll(&device, 1, timeout);
  if (ready > 0 || (ready < 0 && errno == EINTR)) return {};
  if (ready < 0) return errno_failure(errno, options_.net);
  Failure failure = errno_failure(ETIMEDOUT, options_.net);
  failure.reason = "a receiver left no room for " +
                   duration(std::uint64_t{*options_.timeout_ms} * 1'000'000) + "; " +
                   counted(sent_, "message") + " sent";
  failure.remedy = "see who does not read: ipnctl node list " + options_.net;
  return failure;
}

Failure Sender::send_failure(int code, std::size_t bytes) {
  Failure failure = device_.failure(code, options_.net);
  std::uint32_t mtu = 0;
  if (code != EMSGSIZE || ::ipn_getopt(device_.node(), IPN_OPT_MTU, &mtu) < 0) return failure;
  failure.object = options_.net;
  failure.reason = "message " + std::to_string(sent_ + 1) + " has " + counted(bytes, "byte") +
                   ", the mtu is " + std::to_string(mtu);
  failure.remedy = "ipnctl net set " + options_.net + " --mtu N, or send pieces with --raw";
  return failure;
}

Result<void> Sender::send(Messages messages) {
  if (options_.timeout_ms || messages.empty()) return send_many(messages);
  if (auto done = send_many(messages.first(messages.size() - 1)); !done) return done;
  return send_reported(messages.back());
}

Result<void> Sender::send_reported(std::string_view message) {
  ipn_msg header{};
  header.flags = IPN_MSG_REPORT;
  const ssize_t sent = ::ipn_sendmsg(device_.node(), &header, message.data(), message.size(), 0);
  if (sent < 0) return send_failure(static_cast<int>(-sent), message.size());
  ipn_completion done{};
  const int n = ::ipn_completions(device_.node(), &done, 1, 0);
  if (n < 0) return device_.failure(-n, options_.net);
  if (n > 0 && done.error != 0) {
    return errno_failure(
        done.error, options_.net,
        "see whether it ended or the node lost the right to send: ipnctl net show " + options_.net);
  }
  ++sent_;
  return {};
}

Result<void> Sender::send_many(Messages messages) {
  bufs_.clear();
  for (const std::string_view message : messages) {
    // The library does not write through `data` when sending.
    bufs_.push_back({const_cast<char*>(message.data()), message.size(), 0, nullptr});
  }
  const unsigned flags = options_.timeout_ms ? IPN_MSG_DONTWAIT : 0;
  std::span<const ipn_buf> rest = bufs_;
  while (!rest.empty()) {
    const auto n = static_cast<unsigned>(std::min<std::size_t>(rest.size(), INT_MAX));
    const int sent = ::ipn_sendmany(device_.node(), rest.data(), n, flags);
    if (sent >= 0) {
      sent_ += static_cast<unsigned>(sent);
      rest = rest.subspan(static_cast<unsigned>(sent));
    } else if (sent == -EAGAIN) {
      if (auto room = wait_for_room(); !room) return room;
    } else {
      return send_failure(-sent, rest.front().size);
    }
  }
  return {};
}

std::uint64_t Sender::unreceived() {
  const auto info = device_.info();
  const auto nodes = device_.nodes(info.net);
  if (!nodes) return 0;
  const auto own = std::find_if(nodes->begin(), nodes->end(),
                                [&](const ipn_node_record& node) { return node.id == info.node; });
  return own == nodes->end() ? 0 : own->drops[IPN_DROP_NO_RECEIVER];
}

void Sender::note_unreceived() {
  if (noted_ || sent_ == 0) return;
  const std::uint64_t lost = unreceived();
  if (lost == 0) return;
  noted_ = true;
  std::string text = options_.net + ": 0 receivers";
  if (lost < sent_) text += " for " + std::to_string(lost) + " of " + counted(sent_, "message");
  write_note(text);
}

// ---- input

/// A file descriptor; standard input is not closed.
class Input {
 public:
  explicit Input(int fd) : fd_(fd) {}
  Input(Input&& other) noexcept : fd_(std::exchange(other.fd_, STDIN_FILENO)) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  Input& operator=(Input&&) = delete;
  ~Input() {
    if (fd_ != STDIN_FILENO) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Result<Input> open_input(const SendOptions& options) {
  if (!options.raw || options.raw->empty() || *options.raw == "-") return Input(STDIN_FILENO);
  const int fd = ::open(options.raw->c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno_failure(errno, *options.raw);
  return Input(fd);
}

/// Reads what is there, waiting for some. 0: the end.
Result<std::size_t> read_some(const Input& input, char* to, std::size_t room) {
  while (true) {
    const ssize_t n = ::read(input.fd(), to, room);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) {
      pollfd place{input.fd(), POLLIN, 0};
      ::poll(&place, 1, -1);
    } else if (errno != EINTR) {
      return errno_failure(errno, "input");
    }
  }
}

/// Cuts input into messages in the form that the options ask for.
class Cutter {
 public:
  Cutter(const SendOptions& options, std::size_t mtu) : options_(options), mtu_(mtu) {}

  Result<Split> cut(std::string_view input, bool last) {
    if (options_.raw) return split_pieces(input, mtu_, last);
    Split split = split_lines(input, last);
    if (input.size() - split.used > kLineMax) return too_long(lines_ + split.messages.size() + 1);
    if (options_.hex) {
      if (auto done = decode(split.messages); !done) return done.error();
    }
    lines_ += split.messages.size();
    return split;
  }

 private:
  Failure line_failure(std::uint64_t line, int code, const char* reason, const char* remedy) {
    return {"line " + std::to_string(line) + " of the input", code, reason, remedy, false};
  }

  Failure too_long(std::uint64_t line) {
    return line_failure(line, EMSGSIZE, "longer than any message",
                        "--raw sends input in pieces of the network's mtu");
  }

  /// Puts bytes in the place of hex digits.
  Result<void> decode(std::vector<std::string_view>& messages) {
    decoded_.clear();
    for (const std::string_view digits : messages) {
      auto bytes = parse_hex(digits);
      if (!bytes) {
        return line_failure(lines_ + decoded_.size() + 1, EINVAL, "not pairs of hex digits",
                            "such as 48656c6c6f or 48 65 6c 6c 6f");
      }
      decoded_.push_back(std::move(*bytes));
    }
    std::copy(decoded_.begin(), decoded_.end(), messages.begin());
    return {};
  }

  const SendOptions& options_;
  const std::size_t mtu_;
  std::uint64_t lines_ = 0;           ///< cut before this block
  std::vector<std::string> decoded_;  ///< what the messages of the last cut point to
};

Result<void> send_input(Sender& sender, Cutter& cutter, const Input& input) {
  std::string buffer;
  bool last = false;
  while (!last) {
    const std::size_t kept = buffer.size();
    buffer.resize(kept + kBlockBytes);
    const auto got = read_some(input, buffer.data() + kept, kBlockBytes);
    if (!got) return got.error();
    buffer.resize(kept + *got);
    last = *got == 0;
    const bool is_first = sender.sent() == 0;
    const auto split = cutter.cut(buffer, last);
    if (!split) return split.error();
    if (auto done = sender.send(split->messages); !done) return done;
    buffer.erase(0, split->used);
    if (is_first) sender.note_unreceived();
  }
  return {};
}

// ---- the verb

Result<void> send_messages(Sender& sender, Device& device, const SendOptions& options,
                           const Input& input) {
  if (auto done = sender.join(); !done) return done;
  if (options.text) {
    const std::string_view message = *options.text;
    return sender.send({&message, 1});
  }
  std::uint32_t mtu = 0;
  const int error = ::ipn_getopt(device.node(), IPN_OPT_MTU, &mtu);
  if (error < 0) return device.failure(-error, options.net);
  Cutter cutter(options, std::max<std::size_t>(mtu, 1));
  return send_input(sender, cutter, input);
}

Result<void> send(const Globals& globals, const SendOptions& options) {
  const auto input = open_input(options);
  if (!input) return input.error();
  auto device = Device::open(globals);
  if (!device) return device.error();
  Sender sender(*device, options);
  auto done = send_messages(sender, *device, options, *input);
  sender.note_unreceived();
  return done;
}

constexpr const char* kSendMore = R"(Examples:
  ipnctl send chat -m "good morning"
  echo hello | ipnctl send chat --wait 1
      wait until somebody listens, then say it
  tar -c . | ipnctl send backup --raw --wait 1
      a stream, in pieces of the network's mtu
  ipnctl send backup --raw disk.img
  echo "48 65 6c 6c 6f" | ipnctl send chat --hex

A line of input is a message, without its newline; an empty line is an empty
message. -m, --raw and --hex exclude each other. --raw without FILE reads
standard input; put NET before it. Says "0 receivers" on standard error if
nobody received.)";

Action prepare_send(Options& options) {
  auto what = std::make_shared<SendOptions>();
  options.add_word("NET", what->net, "the network");
  options.add_text("-m,--message", "TEXT", what->text, "this text is the message");
  options.add_optional_text("--raw", "[FILE]", what->raw,
                            "pieces of mtu bytes, from a file or standard input");
  options.add_flag("--hex", what->hex, "lines of hex digits");
  options.add_value("--wait", what->wait, kCount, "wait until N nodes receive");
  options.add_value("--timeout", what->timeout_ms, kSeconds,
                    "do not wait longer for receivers or for room");
  options.exclude_each_other({"--message", "--raw", "--hex"});
  return [what](const Globals& globals) { return send(globals, *what); };
}

constexpr std::array kVerbs{
    Verb{"", "send", "send messages to a network", kSendMore, prepare_send},
};

}  // namespace

std::span<const Verb> send_verbs() { return kVerbs; }

}  // namespace ipnctl
