// SPDX-License-Identifier: MIT
//
// The ioctls of the device: the table, and the rules of size that hold for all.
//
// The kernel copies _IOC_SIZE(number) bytes in and out by itself (restricted
// ioctls), so a structure can grow like that of openat2(2): what the program
// knows is completed with zeros or has to be zero behind what we know, and the
// answer is cut to what it has room for.
#include "cuse_dev/commands.h"

#include <array>
#include <cerrno>

#include "cuse_dev/command_context.h"

namespace ipn::device {
namespace {

// Commands of one structure ---------------------------------------------------

/// Runs `command` on the structure by the rules of size, and answers.
template <typename T, Result<void> (*command)(const Context&, T&)>
void run_fixed(const Context& context, Call call) {
  auto argument = structure_of<T>(context);
  if (!argument) return refuse(context, call, argument.error());
  if (auto done = command(context, *argument); !done) return refuse(context, call, done.error());
  const std::size_t filled = std::min(context.request.in.size(), sizeof(T));
  argument->size = static_cast<__u32>(filled);
  call.ioctl(
      0, std::as_bytes(std::span(&*argument, 1)).first(std::min(filled, context.request.out_size)));
}

// The table -------------------------------------------------------------------

struct Command {
  unsigned nr;
  unsigned direction;
  void (*run)(const Context&, Call);
  bool for_foreign_abi = false;  ///< answered to programs of another ABI, too
};

constexpr unsigned kIn = _IOC_WRITE;
constexpr unsigned kInOut = _IOC_READ | _IOC_WRITE;

constexpr std::array kCommands = {
    Command{_IOC_NR(IPN_IOC_VERSION), kInOut, run_fixed<ipn_version, version>, true},
    Command{_IOC_NR(IPN_IOC_BIND), kInOut, run_fixed<ipn_join, bind>},
    Command{_IOC_NR(IPN_IOC_CONNECT), kInOut, run_fixed<ipn_join, connect>},
    Command{_IOC_NR(IPN_IOC_SETOPT(0)), kIn, set_option},
    Command{_IOC_NR(IPN_IOC_GETOPT(0)), kInOut, get_option},
    Command{_IOC_NR(IPN_IOC_SHUTDOWN), kIn, run_fixed<ipn_shutdown, shutdown>},
    Command{_IOC_NR(IPN_IOC_SEND(0)), kInOut, send},
    Command{_IOC_NR(IPN_IOC_RECV(0)), kInOut, receive},
    Command{_IOC_NR(IPN_IOC_EXPLAIN), kInOut, run_fixed<ipn_explain, explain>, true},
    Command{_IOC_NR(IPN_IOC_WAIT_PEERS), kInOut, wait_peers},
    Command{_IOC_NR(IPN_IOC_ATTACH), kInOut, run_fixed<ipn_attach, attach>},
    Command{_IOC_NR(IPN_IOC_DETACH), kInOut, detach},
    Command{_IOC_NR(IPN_IOC_NODE_GET), kInOut, run_fixed<ipn_nodecfg, node_get>},
    Command{_IOC_NR(IPN_IOC_NODE_SET), kInOut, run_fixed<ipn_nodecfg, node_set>},
    Command{_IOC_NR(IPN_IOC_NET_ADD), kInOut, run_fixed<ipn_netcfg, net_add>},
    Command{_IOC_NR(IPN_IOC_NET_GET), kInOut, run_fixed<ipn_netcfg, net_get>},
    Command{_IOC_NR(IPN_IOC_NET_SET), kInOut, run_fixed<ipn_netcfg, net_set>},
    Command{_IOC_NR(IPN_IOC_NET_END), kInOut, run_fixed<ipn_netcfg, net_end>},
    Command{_IOC_NR(IPN_IOC_NODE_KICK), kInOut, run_fixed<ipn_ref, node_kick>},
    Command{_IOC_NR(IPN_IOC_LIST(0)), kInOut, list},
    Command{_IOC_NR(IPN_IOC_STATS), kInOut, run_fixed<ipn_stats, stats>},
    Command{_IOC_NR(IPN_IOC_CHECK), _IOC_NONE, check, true},
};

const Command* find_command(std::uint32_t number) {
  if (_IOC_TYPE(number) != IPN_IOC_MAGIC) return nullptr;
  const auto* found =
      std::find_if(kCommands.begin(), kCommands.end(), [number](const Command& command) {
        return command.nr == _IOC_NR(number) && command.direction == _IOC_DIR(number);
      });
  return found == kCommands.end() ? nullptr : found;
}

/// The kernel has copied what the number says; a door could be given anything.
bool has_claimed_sizes(const CommandRequest& request) {
  const std::size_t size = _IOC_SIZE(request.command);
  const unsigned direction = _IOC_DIR(request.command);
  return request.in.size() == ((direction & _IOC_WRITE) != 0 ? size : 0) &&
         request.out_size == ((direction & _IOC_READ) != 0 ? size : 0);
}

}  // namespace

void run_command(Device& device, OpenFile& file, Call call, const CommandRequest& request) {
  const Context context{device, file, request};
  const Command* command = find_command(request.command);
  if (command == nullptr || !has_claimed_sizes(request)) {
    device.count_bad_request();
    return call.error(file.last_error().set(context.nr(), ENOTTY));
  }
  if (file.foreign_abi() != 0 && !command->for_foreign_abi) {
    const Error error{EPROTONOSUPPORT,
                      "this program: speaks IPN ABI 0." + std::to_string(file.foreign_abi()) +
                          ", ipnd 0." + std::to_string(IPN_ABI) + " (install matching versions)"};
    return call.error(file.last_error().set(context.nr(), error));
  }
  command->run(context, std::move(call));
}

}  // namespace ipn::device
