// SPDX-License-Identifier: MIT
#include "ipnctl/device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "ipnctl/errors.h"
#include "ipnctl/records.h"

namespace ipnctl {
namespace {

std::string explanation_of(ipn_node* node) {
  char text[512];
  const ssize_t length = ::ipn_explain(node, text, sizeof text);
  return length <= 0 ? "" : text;
}

/// The answer to one IPN_IOC_LIST: head and records in one piece.
struct ListPage {
  ipn_list head;
  std::array<std::byte, IPN_LIST_DATA_MAX> data;
};
static_assert(offsetof(ListPage, data) == sizeof(ipn_list));

}  // namespace

Device::Device(ipn_node* node) : node_(node) {
  if (const auto* path = info().device; path != nullptr) path_ = path;
}

struct ipn_info Device::info() const {
  struct ipn_info info {};
  info.size = sizeof info;
  return ::ipn_info(node_.get(), &info) < 0 ? decltype(info){} : info;
}

Result<Device> Device::open(const Globals& globals, unsigned flags) {
  const char* path = globals.device.empty() ? nullptr : globals.device.c_str();
  ipn_node* node = nullptr;
  const int error = ::ipn_open(path, flags, &node);
  if (error < 0) {
    return explained(-error, explanation_of(nullptr), path == nullptr ? "device" : path);
  }
  return Device(node);
}

Failure Device::failure(int code, std::string_view object) {
  return explained(code, explanation_of(node_.get()), object);
}

Result<int> Device::call(unsigned long request, void* argument, std::string_view object) {
  const int answer = ::ipn_ioctl(node_.get(), request, argument);
  if (answer < 0) return failure(-answer, object);
  return answer;
}

Failure Device::network_failure(int code, std::string_view name) {
  Failure failure = this->failure(code, name);
  if (code != ENOENT) return failure;
  std::vector<std::string> names;
  if (const auto visible = networks()) {
    for (const ipn_net_record& network : *visible) names.push_back(text_of(network.name));
  }
  return no_network(name, path_, names);
}

Result<void> Device::network_call(unsigned long request, ipn_netcfg& config,
                                  std::string_view name) {
  if (!put_text(config.name, name)) return bad_network_name(name);
  const auto answer = call(request, &config, name);
  if (answer) return {};
  if (answer.error().code == ENOENT) return network_failure(ENOENT, name);
  return answer.error();
}

template <typename Record>
Result<std::vector<Record>> Device::list(std::uint32_t kind, std::uint64_t net) {
  std::vector<Record> records;
  const auto page = std::make_unique<ListPage>();
  std::uint64_t cursor = 0;
  while (true) {
    page->head = {};
    page->head.size = sizeof(ListPage);
    page->head.cursor = cursor;
    page->head.net = net;
    page->head.kind = kind;
    const auto answer = call(IPN_IOC_LIST(IPN_LIST_DATA_MAX), page.get(), path_);
    if (!answer) return answer.error();
    if (page->head.n == 0) return records;
    // A cursor that stands still would have us ask for ever.
    if (page->head.cursor <= cursor || !append_records(page->head, page->data, records)) {
      return malformed_answer(path_);
    }
    cursor = page->head.cursor;
  }
}

Result<std::vector<ipn_net_record>> Device::networks() {
  return list<ipn_net_record>(IPN_LIST_NETWORKS, 0);
}

Result<std::vector<ipn_node_record>> Device::nodes(std::uint64_t net) {
  return list<ipn_node_record>(IPN_LIST_NODES, net);
}

Result<ipn_net_record> Device::network(std::string_view name) {
  // NET_GET knows why we may not see it; the list has the counters.
  auto config = request_of<ipn_netcfg>();
  if (const auto done = network_call(IPN_IOC_NET_GET, config, name); !done) return done.error();
  const auto records = networks();
  if (!records) return records.error();
  const auto found =
      std::find_if(records->begin(), records->end(),
                   [&](const ipn_net_record& record) { return record.id == config.net; });
  if (found == records->end()) return network_failure(ENOENT, name);
  return *found;
}

Result<ipn_version> Device::version() {
  auto version = request_of<ipn_version>();
  const auto done = call(IPN_IOC_VERSION, &version, path_);
  if (!done) return done.error();
  return version;
}

Result<ipn_stats> Device::stats() {
  auto stats = request_of<ipn_stats>();
  const auto done = call(IPN_IOC_STATS, &stats, path_);
  if (!done) return done.error();
  return stats;
}

Result<void> Device::connect(const std::string& name, unsigned role) {
  const int error = ::ipn_connect(node_.get(), name.c_str(), IPN_ANY, role);
  if (error < 0) return network_failure(-error, name);
  return {};
}

}  // namespace ipnctl
