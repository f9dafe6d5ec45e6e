// SPDX-License-Identifier: MIT
// ipnctl recv: messages become lines.
//
// What is there is taken in one call and written before the next sleep, so a
// message never waits in this process; a signal is a descriptor of the same
// sleep, so none is lost.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <utility>

#include "ipnctl/errors.h"
#include "ipnctl/messages.h"
#include "ipnctl/terminal.h"
#include "ipnctl/units.h"
#include "ipnctl/verbs.h"

namespace ipnctl {
namespace {

using Clock = std::chrono::steady_clock;

struct RecvOptions {
  std::string net;
  MessageStyle style;
  std::optional<std::uint64_t> count;
  std::optional<std::uint32_t> timeout_ms;
};

/// Room for some of the longest messages. Pages that no message touches cost
/// nothing.
class Batch {
 public:
  static constexpr std::size_t kMessages = 16;

  Batch() {
    for (std::size_t i = 0; i < kMessages; ++i) {
      bufs_[i] = {room_.get() + i * IPN_MSG_MAX, IPN_MSG_MAX, 0, &headers_[i]};
    }
  }

  /// The number of messages taken, or -errno.
  int take(ipn_node* node, std::uint64_t most) {
    const auto n = static_cast<unsigned>(std::min<std::uint64_t>(most, kMessages));
    return ::ipn_recvmany(node, bufs_.data(), n, IPN_MSG_DONTWAIT);
  }
  const ipn_msg& header(std::size_t i) const { return headers_[i]; }
  std::string_view payload(std::size_t i) const {
    return {static_cast<const char*>(bufs_[i].data), bufs_[i].len};
  }

 private:
  std::unique_ptr<char[]> room_ = std::make_unique_for_overwrite<char[]>(kMessages * IPN_MSG_MAX);
  std::array<ipn_msg, kMessages> headers_{};
  std::array<ipn_buf, kMessages> bufs_{};
};

/// A receive-only node that writes what it is given.
class Receiver {
 public:
  Receiver(Device& device, const RecvOptions& options, const Waiter& waiter)
      : device_(device), options_(options), waiter_(waiter) {}

  /// Until the end, which is told as text; empty: no word about it.
  Result<std::string> run();
  /// What came, for people.
  std::string account() const;

 private:
  std::uint64_t wanted() const { return options_.count ? *options_.count - msgs_ : UINT64_MAX; }
  Result<Waiter::Wake> write(std::size_t n);
  Waiter::Wake wait() const;
  Failure silence() const;
  Result<std::string> end();

  Device& device_;
  const RecvOptions& options_;
  const Waiter& waiter_;
  Batch batch_;
  std::string out_;
  Clock::time_point last_ = Clock::now();  ///< when something came
  std::uint64_t msgs_ = 0, bytes_ = 0, lost_ = 0;
};

Result<Waiter::Wake> Receiver::write(std::size_t n) {
  out_.clear();
  for (std::size_t i = 0; i < n; ++i) {
    append_message(out_, options_.style, batch_.header(i), batch_.payload(i));
    ++msgs_;
    bytes_ += batch_.payload(i).size();
    lost_ += batch_.header(i).count;
  }
  last_ = Clock::now();
  return waiter_.write_out(out_);
}

/// Until there may be something, or nothing came for the time given.
Waiter::Wake Receiver::wait() const {
  if (!options_.timeout_ms) return waiter_.wait(device_.fd(), POLLIN, -1);
  const auto end = last_ + std::chrono::milliseconds(*options_.timeout_ms);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  const auto timeout = std::clamp<std::int64_t>(left, 0, INT_MAX);
  return waiter_.wait(device_.fd(), POLLIN, static_cast<int>(timeout));
}

Failure Receiver::silence() const {
  const std::string time = duration(std::uint64_t{*options_.timeout_ms} * 1'000'000);
  const std::string what = msgs_ == 0 ? "no message" : "no more message";
  const std::string came = msgs_ == 0 ? "" : "; " + counted(msgs_, "message") + " before";
  return {options_.net, ETIMEDOUT, what + " in " + time + came,
          "see who sends: ipnctl node list " + options_.net, false};
}

/// The end of the network is the end that everybody gets; while it lives this
/// node alone was sent away.
Result<std::string> Receiver::end() {
  const auto networks = device_.networks();
  const std::uint64_t id = device_.info().net;
  const bool lives =
      networks && std::any_of(networks->begin(), networks->end(), [id](const auto& network) {
        return network.id == id && (network.nflags & IPN_NET_TERMINATED) == 0;
      });
  if (!lives) return std::string("the network ended");
  return Failure{options_.net, ECONNRESET, "this node was disconnected; " + account(),
                 "it was kicked, blocked senders too long, or lost the right to receive", false};
}

Result<std::string> Receiver::run() {
  while (wanted() > 0) {
    const int n = batch_.take(device_.node(), wanted());
    if (n == -ENODATA) return end();
    if (n < 0 && n != -EAGAIN) return device_.failure(-n, options_.net);
    const Result<Waiter::Wake> wake =
        n > 0 ? write(static_cast<std::size_t>(n)) : Result<Waiter::Wake>(wait());
    if (!wake) return wake.error();
    if (*wake == Waiter::Wake::kInterrupted) return std::string("interrupted");
    if (*wake == Waiter::Wake::kTimeout) return silence();
    if (*wake == Waiter::Wake::kClosed) return std::string();
  }
  return std::string("that many were asked for");
}

std::string Receiver::account() const {
  return counted(msgs_, "message") + ", " + counted(bytes_, "byte") + " received, " +
         std::to_string(lost_) + " lost";
}

Result<void> recv(const Globals& globals, const RecvOptions& options) {
  const auto waiter = Waiter::make();
  if (!waiter) return waiter.error();
  auto device = Device::open(globals, IPN_NONBLOCK);
  if (!device) return device.error();
  if (auto done = device->connect(options.net, IPN_ROLE_RECV); !done) return done;
  Receiver receiver(*device, options, *waiter);
  const auto end = receiver.run();
  if (!end) return end.error();
  if (!end->empty() && !options.style.json) {
    write_note(options.net + ": " + receiver.account() + ": " + *end);
  }
  return {};
}

constexpr const char* kRecvMore = R"(Examples:
  ipnctl recv chat
      print each message on a line, until SIGINT or the end of the network
  ipnctl recv chat --count 1 --timeout 5
      the next message; status 1 if none comes within 5 seconds
  ipnctl recv backup --raw | tar -x
  ipnctl recv chat --verbose
      seq=7 port=2 len=5 lost=0 hello
  ipnctl --json recv chat
      an object on a line, "text" or, if it is not UTF-8, "hex"

--raw excludes --hex, --verbose and --json. At its end recv says on standard
error how much came and how many messages this node lost.)";

Action prepare_recv(Options& options) {
  auto what = std::make_shared<RecvOptions>();
  MessageStyle& style = what->style;
  options.add_word("NET", what->net, "the network");
  options.add_flag("--raw", style.raw, "the bytes as they are, no newlines");
  options.add_flag("--hex", style.hex, "hex digits");
  options.add_flag("--verbose", style.verbose, "number, port, length and loss in front");
  options.add_value("--count", what->count, kId, "end after so many messages");
  options.add_value("--timeout", what->timeout_ms, kSeconds,
                    "fail if nothing (more) came for this long");
  options.exclude_each_other({"--raw", "--hex"});
  options.exclude_each_other({"--raw", "--verbose"});
  return [what](const Globals& globals) -> Result<void> {
    if (globals.json && what->style.raw) {
      return usage_failure("recv", "--raw and --json exclude each other");
    }
    what->style.json = globals.json;
    return recv(globals, *what);
  };
}

constexpr std::array kVerbs{
    Verb{"", "recv", "print the messages of a network", kRecvMore, prepare_recv},
};

}  // namespace

std::span<const Verb> recv_verbs() { return kVerbs; }

}  // namespace ipnctl
