// SPDX-License-Identifier: MIT
#include "tests/device/fast_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "libipn/src/node.h"

#include <ipn/ipn.h>

namespace ipn::scenarios {
namespace {

struct NotApplicable {
  const char* scenario;
  const char* reason;
};

constexpr NotApplicable kNotApplicable[] = {
    // The library lets one thread send and one receive: a second one gets EBUSY.
    {"EveryDoor.ReadersOfOneFileAreAnsweredInTheOrderInWhichTheyCame", "several readers at once"},
    {"EveryDoor.BlockedWritersGoInTheOrderInWhichTheyCame", "several writers at once"},
    {"EveryDoor.ANodeParksSoManyBytesAndNoMore", "several writers at once"},
    {"EveryDoor.ASignalEndsEverySleep", "what is committed to a ring is sent, signal or not"},
    {"EveryDoor.AnEmptyMessageIsOneInHeaderModeOnly", "the library receives empty messages always"},
};

constexpr std::uint32_t kReadNr = 0x100, kWriteNr = 0x101;
constexpr auto kSendNr = _IOC_NR(IPN_IOC_SEND(0));
constexpr auto kReceiveNr = _IOC_NR(IPN_IOC_RECV(0));
constexpr auto kSetOptionNr = _IOC_NR(IPN_IOC_SETOPT(0));
constexpr auto kGetOptionNr = _IOC_NR(IPN_IOC_GETOPT(0));

/// As answer_of(), for the functions of the library.
Answer answer_from(long result) {
  return result < 0 ? failure(static_cast<int>(-result)) : value(result);
}

/// Whether the library can send what has this header.
bool is_send_header(const ipn_msg& header, std::size_t room) {
  ipn_msg allowed{};
  allowed.hdr = IPN_MSG_HDR;
  allowed.flags = header.flags & IPN_MSG_DONTWAIT;
  allowed.len = header.len;
  return header.len <= room && std::memcmp(&header, &allowed, sizeof header) == 0;
}

bool is_receive_header(const ipn_msg& header) {
  ipn_msg allowed{};
  allowed.hdr = IPN_MSG_HDR;
  allowed.flags = header.flags & (IPN_MSG_DONTWAIT | IPN_MSG_PEEK);
  allowed.peer = header.peer;
  return std::memcmp(&header, &allowed, sizeof header) == 0;
}

std::string_view bytes_of(const ipn_msg& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

class FastFile final : public File {
 public:
  FastFile(const Control& control, Actors& actors, ipn_node* node, bool nonblocking, Identity who)
      : control_(control),
        actors_(actors),
        node_(node),
        who_(std::move(who)),
        nonblocking_(nonblocking) {}
  ~FastFile() override { ipn_close(node_); }

  Answer read(std::size_t size) override {
    return actors_.call_as(who_, [&] { return do_read(size, nonblocking_); });
  }
  Answer write(std::string_view bytes) override {
    return actors_.call_as(who_, [&] { return do_write(bytes, nonblocking_); });
  }
  Answer ioctl(unsigned long number, void* argument) override {
    return actors_.call_as(who_, [&] { return do_ioctl(number, argument, nonblocking_); });
  }
  unsigned poll(unsigned events) override {
    pollfd entry{descriptor(), static_cast<short>(events), 0};
    EXPECT_GE(::poll(&entry, 1, 0), 0);
    return static_cast<unsigned short>(entry.revents);
  }
  void set_nonblocking(bool on) override { nonblocking_ = on; }

  std::unique_ptr<Sleeper> start_read(std::size_t size) override {
    return start([this, size, dontwait = nonblocking_.load()] { return do_read(size, dontwait); });
  }
  std::unique_ptr<Sleeper> start_write(std::string_view bytes) override {
    return start([this, copy = std::string(bytes), dontwait = nonblocking_.load()] {
      return do_write(copy, dontwait);
    });
  }
  std::unique_ptr<Sleeper> start_ioctl(unsigned long number, std::string argument) override {
    return start(
        [this, number, argument = std::move(argument), dontwait = nonblocking_.load()]() mutable {
          Answer answer = do_ioctl(number, argument.data(), dontwait);
          if (answer.error == 0) answer.data = argument;
          return answer;
        });
  }
  std::unique_ptr<Sleeper> start_poll(unsigned events) override {
    return start([this, events] {
      pollfd entry{descriptor(), static_cast<short>(events), 0};
      const int ready = ::poll(&entry, 1, -1);
      return ready < 0 ? failure(errno) : value(static_cast<unsigned short>(entry.revents));
    });
  }
  int descriptor() const override { return ipn_fd(node_); }

 private:
  std::unique_ptr<Sleeper> start(std::function<Answer()> call) const {
    return start_call(control_, who_, std::move(call));
  }

  // Messages ----------------------------------------------------------------------

  Answer do_read(std::size_t size, bool dontwait) {
    const std::size_t header_bytes = header_mode_ ? sizeof(ipn_msg) : 0;
    ipn_msg header;
    if (size < header_bytes) return at_device(answer_of(::read(descriptor(), &header, size)));
    std::string payload;
    do {
      const Answer answer =
          receive(header, payload, size - header_bytes, dontwait ? IPN_MSG_DONTWAIT : 0);
      if (answer.error == ENODATA) return end_of_file();
      if (answer.error != 0) return answer;
      // A plain read would take an empty message for the end.
    } while (payload.empty() && !header_mode_);
    return message(header_mode_ ? std::string(bytes_of(header)) + payload : payload);
  }

  Answer receive(ipn_msg& header, std::string& payload, std::size_t room, unsigned flags) {
    payload.resize(std::min<std::size_t>(room, IPN_MSG_MAX));
    const long got = ipn_recvmsg(node_, &header, payload.data(), payload.size(), flags);
    payload.resize(static_cast<std::size_t>(std::max(got, 0L)));
    return by_library(answer_from(got), kReadNr);
  }

  Answer do_write(std::string_view bytes, bool dontwait) {
    ipn_completion completion{};
    if (!header_mode_) return bytes.empty() ? value(0) : send(bytes, dontwait, completion);
    ipn_msg header{};
    std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
    const bool is_good = bytes.size() >= sizeof header &&
                         is_send_header(header, bytes.size() - sizeof header) &&
                         header.len == bytes.size() - sizeof header;
    if (!is_good) return at_device(answer_of(::write(descriptor(), bytes.data(), bytes.size())));
    dontwait = dontwait || (header.flags & IPN_MSG_DONTWAIT) != 0;
    Answer answer = send(bytes.substr(sizeof header), dontwait, completion);
    if (answer.error == 0) answer.value += IPN_MSG_HDR;
    return answer;
  }

  Answer send(std::string_view payload, bool dontwait, ipn_completion& completion) {
    // There may be room in the ring when there is none in the network.
    if (dontwait && is_attached() && poll(POLLOUT | POLLHUP) == 0) return failure(EAGAIN);
    ipn_msg header{};
    header.flags = IPN_MSG_REPORT;
    header.cookie = ++sent_;
    const long result = ipn_sendmsg(node_, &header, payload.data(), payload.size(),
                                    dontwait ? IPN_MSG_DONTWAIT : 0);
    if (result < 0) return by_library(answer_from(result), kWriteNr);
    const int error = dontwait ? complete_soon(completion) : complete(completion);
    return error != 0 ? by_library(failure(error), kWriteNr) : value(result);
  }

  /// Waits until it is known what became of the message that was sent last.
  int complete(ipn_completion& completion) {
    do {
      const int got = ipn_completions(node_, &completion, 1, 0);
      if (got == -ECONNRESET) return why_nothing_is_sent();
      if (got <= 0) return got == 0 ? ENODATA : -got;
    } while (completion.cookie != sent_);
    return completion.error;
  }

  /// The same; but it may have lost the room to somebody else, and wait in the ring.
  int complete_soon(ipn_completion& completion) {
    for (;;) {
      const bool may_wait = poll(POLLOUT) == 0;
      const int got = ipn_completions(node_, &completion, 1, IPN_MSG_DONTWAIT);
      if (got == 1 && completion.cookie == sent_) return completion.error;
      if (got == -EAGAIN && may_wait) return 0;
      if (got == -ECONNRESET) return why_nothing_is_sent();
      if (got < 0 && got != -EAGAIN) return -got;
      if (got == -EAGAIN) std::this_thread::sleep_for(kPause);
    }
  }

  /// Nobody tells any more what became of a message; what a send fails with does. No
  /// network takes one of that length.
  int why_nothing_is_sent() {
    const std::string too_long(IPN_MSG_MAX, '\0');
    return static_cast<int>(-ipn_send(node_, too_long.data(), too_long.size(), IPN_MSG_DONTWAIT));
  }

  bool is_attached() const {
    auto info = sized_info();
    EXPECT_EQ(ipn_info(node_, &info), 0);
    return info.door == IPN_DOOR_FAST;
  }

  static struct ipn_info sized_info() {
    struct ipn_info info {};
    info.size = sizeof info;
    return info;
  }

  // ioctl -------------------------------------------------------------------------

  Answer do_ioctl(unsigned long number, void* argument, bool dontwait) {
    const auto nr = _IOC_NR(number);
    const bool is_ours = _IOC_TYPE(number) == IPN_IOC_MAGIC;
    if (number == IPN_IOC_CONNECT) return connect(*static_cast<ipn_join*>(argument));
    if (number == IPN_IOC_EXPLAIN && last_failure_ != 0) {
      return explain(*static_cast<struct ipn_explain*>(argument));
    }
    if (is_ours && (nr == kSendNr || nr == kReceiveNr) && _IOC_SIZE(number) >= sizeof(ipn_msg)) {
      const std::size_t room = _IOC_SIZE(number) - sizeof(ipn_msg);
      ipn_msg header;
      std::memcpy(&header, argument, sizeof header);
      char* payload = static_cast<char*>(argument) + sizeof header;
      dontwait = dontwait || (header.flags & IPN_MSG_DONTWAIT) != 0;
      if (number == IPN_IOC_SEND(room) && is_send_header(header, room)) {
        return send_by_ioctl(argument, header, payload, dontwait);
      }
      if (number == IPN_IOC_RECV(room) && is_receive_header(header)) {
        return receive_by_ioctl(argument, header, payload, room, dontwait);
      }
    }
    if (is_ours && (nr == kSetOptionNr || nr == kGetOptionNr) &&
        is_header_option(number, argument)) {
      return header_option(nr == kSetOptionNr, static_cast<char*>(argument));
    }
    return at_device(answer_of(::ioctl(descriptor(), number, argument)));
  }

  Answer send_by_ioctl(void* argument, ipn_msg header, const char* payload, bool dontwait) {
    ipn_completion completion{};
    const Answer answer = send({payload, header.len}, dontwait, completion);
    if (answer.error != 0) return answer;
    header.count = completion.receivers;
    header.seq = completion.seq;
    std::memcpy(argument, &header, sizeof header);
    return value(0);
  }

  Answer receive_by_ioctl(void* argument, const ipn_msg& request, char* to, std::size_t room,
                          bool dontwait) {
    unsigned flags = dontwait ? IPN_MSG_DONTWAIT : 0;
    flags |= request.flags & IPN_MSG_PEEK;
    ipn_msg header{};
    std::string payload;
    const Answer answer = receive(header, payload, IPN_MSG_MAX, flags);
    if (answer.error != 0 && answer.error != ENODATA) return answer;
    if (answer.error == ENODATA) header = {};
    const std::size_t offset = std::min<std::uint64_t>(request.peer, payload.size());
    const std::size_t part = std::min(payload.size() - offset, room);
    if (part < payload.size() - offset) header.flags = IPN_MSG_TRUNC;
    std::memcpy(argument, &header, sizeof header);
    std::memcpy(to, payload.data() + offset, part);
    return value(0);
  }

  Answer connect(ipn_join& join) {
    const ipn_join plain = [&] {
      ipn_join like{};
      like.size = sizeof like;
      like.policy = join.policy;
      like.roles = join.roles;
      like.port = IPN_PORT_ANY;
      std::memcpy(like.name, join.name, sizeof like.name);
      return like;
    }();
    const bool is_plain = std::memcmp(&plain, &join, sizeof join) == 0 &&
                          strnlen(join.name, sizeof join.name) <= IPN_NAME_MAX;
    if (!is_plain) return at_device(answer_of(::ioctl(descriptor(), IPN_IOC_CONNECT, &join)));
    const char* name = join.name[0] != '\0' ? join.name : nullptr;
    const int error = ipn_connect(node_, name, join.policy, join.roles);
    if (error != 0) return at_device(answer_from(error));
    EXPECT_TRUE(is_attached());
    join = node_->membership;
    return value(0);
  }

  Answer explain(struct ipn_explain& request) {
    const std::uint32_t failed = last_failure_;
    request.error = static_cast<int>(failed >> 16);
    request.nr = failed & 0xffff;
    request.text[0] = '\0';
    const long length = ipn_explain(node_, request.text, sizeof request.text);
    return length < 0 ? answer_from(length) : value(0);
  }

  static bool is_header_option(unsigned long number, const void* argument) {
    ipn_opt option;
    if (_IOC_SIZE(number) != sizeof option + sizeof(std::uint32_t)) return false;
    std::memcpy(&option, argument, sizeof option);
    return option.size == _IOC_SIZE(number) && option.level == 0 && option.name == IPN_OPT_HEADER &&
           option.len == sizeof(std::uint32_t);
  }

  /// The descriptor is in header mode for the library; what the scenario sees is not.
  Answer header_option(bool set, char* argument) {
    std::uint32_t on = header_mode_ ? 1 : 0;
    char* place = argument + sizeof(ipn_opt);
    if (!set) {
      std::memcpy(place, &on, sizeof on);
      return value(0);
    }
    std::memcpy(&on, place, sizeof on);
    if (on > 1) return at_device(answer_of(::ioctl(descriptor(), IPN_IOC_SETOPT(4), argument)));
    header_mode_ = on == 1;
    return value(0);
  }

  Answer by_library(Answer answer, std::uint32_t nr) {
    if (answer.error != 0) last_failure_ = static_cast<std::uint32_t>(answer.error) << 16 | nr;
    return answer;
  }
  Answer at_device(Answer answer) {
    if (answer.error != 0) last_failure_ = 0;
    return answer;
  }

  const Control& control_;
  Actors& actors_;
  ipn_node* const node_;
  const Identity who_;
  std::atomic<bool> nonblocking_;
  std::atomic<bool> header_mode_ = false;
  std::atomic<std::uint32_t> last_failure_ = 0;  ///< errno and call; 0: the device knows it
  std::uint64_t sent_ = 0;                       ///< the sender's
};

}  // namespace

Opened open_fast_file(const Control& control, Actors& actors, const std::string& path, int flags,
                      const Identity& who) {
  ipn_node* node = nullptr;
  const Answer opened =
      actors.call_as(who, [&] { return answer_from(ipn_open(path.c_str(), IPN_INTR, &node)); });
  if (opened.error != 0) return {opened.error, nullptr};
  const bool nonblocking = (flags & O_NONBLOCK) != 0;
  return {0, std::make_unique<FastFile>(control, actors, node, nonblocking, who)};
}

std::string not_for_fast_files() {
  std::string filter;
  for (const NotApplicable& entry : kNotApplicable) {
    filter += (filter.empty() ? "" : ":") + std::string(entry.scenario);
  }
  return filter;
}

}  // namespace ipn::scenarios
