// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipnctl/result.h"

#include <ipn/ipn.h>

namespace ipnctl {

/// Options that every verb has.
struct Globals {
  std::string device;  ///< empty: the usual one
  bool json = false;
  bool human = false;
};

/// A structure for an ioctl: zeros, and its size.
template <typename T>
T request_of() {
  T request{};
  request.size = sizeof request;
  return request;
}

/// One open of the IPN device, and what the tool asks of it. Every refusal
/// comes back as a Failure with the daemon's own explanation.
class Device {
 public:
  /// `flags` as in ipn_open().
  static Result<Device> open(const Globals& globals, unsigned flags = 0);

  ipn_node* node() const { return node_.get(); }
  int fd() const { return ::ipn_fd(node_.get()); }
  const std::string& path() const { return path_; }
  /// Which node and network this is; zeros if it is none.
  struct ipn_info info() const;

  /// An ioctl. `object` names what it is about, if the daemon does not.
  Result<int> call(unsigned long request, void* argument, std::string_view object);

  /// One of the ioctls on the network `name`. A network that is not there
  /// comes with a suggestion.
  Result<void> network_call(unsigned long request, ipn_netcfg& config, std::string_view name);

  Result<std::vector<ipn_net_record>> networks();
  /// Of one network, or of all with 0.
  Result<std::vector<ipn_node_record>> nodes(std::uint64_t net);
  Result<ipn_net_record> network(std::string_view name);

  Result<ipn_version> version();
  Result<ipn_stats> stats();

  /// Joins a network for one role.
  Result<void> connect(const std::string& name, unsigned role);

  /// Why the last call on this node failed with `code`, an errno.
  Failure failure(int code, std::string_view object);

 private:
  struct Close {
    void operator()(ipn_node* node) const { ::ipn_close(node); }
  };

  explicit Device(ipn_node* node);

  Failure network_failure(int code, std::string_view name);
  template <typename Record>
  Result<std::vector<Record>> list(std::uint32_t kind, std::uint64_t net);

  std::unique_ptr<ipn_node, Close> node_;
  std::string path_;
};

}  // namespace ipnctl
