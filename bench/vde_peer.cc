// SPDX-License-Identifier: MIT
// vde_switch as a hub, with clients of libvdeplug. A message is the payload of an
// Ethernet frame to everybody; --size is the size of the frame.
#include <csignal>
#include <linux/if_ether.h>
#include <sys/stat.h>

#include "bench/peers.h"
#include "bench/sockets.h"

#ifdef IPN_BENCH_VDE
extern "C" {
#include <libvdeplug.h>
}
#endif

namespace ipn_bench {

#ifdef IPN_BENCH_VDE

namespace {

constexpr const char* kName = "vde";
constexpr const char* kSwitch = "vde_switch";
constexpr const char* kDescription = "ipn-bench";
constexpr std::chrono::seconds kReadyDeadline{10};
constexpr unsigned kSparePorts = 8;
constexpr std::uint16_t kEtherType = 0x88b5;  // for local experiments

using Connection = std::shared_ptr<VDECONN>;

/// In front of each message; every sender has an address of its own.
std::vector<std::byte> frame_header(unsigned sender) {
  constexpr std::size_t kAddress = ETH_ALEN;
  std::vector<std::byte> header(ETH_HLEN, std::byte{0xff});
  const std::array<unsigned, ETH_HLEN - ETH_ALEN> rest{
      0x02, 0, 0, 0, sender >> 8, sender & 0xff, kEtherType >> 8, kEtherType & 0xff};
  for (std::size_t i = 0; i < rest.size(); i++) header[kAddress + i] = std::byte(rest[i]);
  return header;
}

/// Keeps the connection open for a Source or a Sink.
template <typename End>
class Connected : public End {
 public:
  template <typename... Arguments>
  explicit Connected(Connection connection, Arguments&&... arguments)
      : End(std::forward<Arguments>(arguments)...), connection_(std::move(connection)) {}

 private:
  Connection connection_;
};

Result<Connection> connect_to(std::string hub) {
  vde_open_args arguments{};
  std::string description = kDescription;
  VDECONN* connection = vde_open(hub.data(), description.data(), &arguments);
  if (connection == nullptr) return Failure{hub + ": vde_open: " + std::strerror(errno)};
  enlarge_buffers(vde_datafd(connection));
  return Connection(connection, [](VDECONN* opened) { vde_close(opened); });
}

Result<std::shared_ptr<Daemon>> start_switch(const std::string& program, const std::string& hub,
                                             unsigned ports) {
  // It ends at the end of its standard input, which therefore must have none.
  constexpr const char* kEndless = "mkfifo \"$0\" && exec \"$@\" 0<>\"$0\"";
  std::vector<std::string> words{"/bin/sh", "-c", kEndless, hub + ".input", program};
  words.insert(words.end(), {"-x", "-s", hub, "-n", std::to_string(ports)});
  auto daemon = Daemon::start(std::move(words), hub, hub + ".printed");
  if (!daemon) return daemon.error();
  const auto ready = daemon->wait_until_ready(
      [&]() -> Result<bool> {
        struct stat status {};
        return stat((hub + "/ctl").c_str(), &status) == 0;
      },
      kReadyDeadline);
  if (!ready) return ready.error();
  return std::make_shared<Daemon>(std::move(*daemon));
}

}  // namespace

Result<Candidate> start_vde(const StreamPlan& plan, const Pattern&, const ScratchFolder& folder) {
  constexpr std::size_t kSizeMin = ETH_HLEN + kStampBytes;
  if (plan.size > ETH_FRAME_LEN || plan.size < kSizeMin) {
    return Candidate{nullptr, "vde: left out, a frame has 22 to 1514 bytes"};
  }
  const auto program = find_program(kSwitch);
  if (!program) return Candidate{nullptr, "vde: left out, vde_switch is not installed"};
  const std::string hub = folder.path_of("vde");
  auto daemon = start_switch(*program, hub, plan.receivers + plan.senders + kSparePorts);
  if (!daemon) return daemon.error();

  StreamPlan payload = plan;
  payload.size -= ETH_HLEN;
  const auto pattern = std::make_shared<Pattern>(payload.size);
  const unsigned batch = batch_of(payload);
  Openers openers;
  openers.receiver = [=](unsigned) -> Result<Ends> {
    auto connection = connect_to(hub);
    if (!connection) return connection.error();
    const int data = vde_datafd(connection->get());
    return Ends{nullptr, std::make_unique<Connected<SocketSink>>(*connection, data, payload.size,
                                                                 batch, std::size_t{ETH_HLEN})};
  };
  openers.sender = [=](unsigned sender) -> Result<Ends> {
    auto connection = connect_to(hub);
    if (!connection) return connection.error();
    std::vector<int> data{vde_datafd(connection->get())};
    return Ends{std::make_unique<Connected<SocketSource>>(*connection, *pattern, std::move(data),
                                                          batch, frame_header(sender)),
                nullptr};
  };
  auto team = Team::start(kName, stream_members(payload, openers, true));
  if (!team) return team.error();
  Candidate candidate;
  candidate.system = std::make_unique<StreamSystem>(kName, std::move(*team),
                                                    std::vector<pid_t>{(*daemon)->pid()}, false);
  candidate.system->keep(*daemon);
  candidate.system->keep(pattern);
  return candidate;
}

#else

Result<Candidate> start_vde(const StreamPlan&, const Pattern&, const ScratchFolder&) {
  return Candidate{nullptr, "vde: left out, libvdeplug was not there when ipn-bench was built"};
}

#endif

}  // namespace ipn_bench
