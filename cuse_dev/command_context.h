// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "cuse_dev/commands.h"
#include "cuse_dev/device.h"

#include <ipn/ioctl.h>

// What the files of the commands share; nobody else includes it.
namespace ipn::device {

/// Everything that a command may use.
struct Context {
  Device& device;
  OpenFile& file;
  const CommandRequest& request;

  Switch& core() const { return device.core(); }
  /// Read once per request: the caller cannot change while it waits.
  const Credentials& who() const {
    if (!who_) who_ = device.identify(request.caller);
    return *who_;
  }
  std::uint32_t nr() const { return _IOC_NR(request.command); }

  mutable std::optional<Credentials> who_{};
};

inline Error malformed(std::string text) { return {EINVAL, std::move(text)}; }

inline Error wrong_size() {
  return malformed(
      "size: not the size in the number of the ioctl (sizeof the structure and its data)");
}

inline Error unknown_flags() {
  return malformed("flags or a reserved field: not zero (see ipn/ioctl.h for what is known)");
}

inline bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

template <std::size_t N>
Result<std::string_view> text_of(const char (&field)[N]) {
  const std::size_t length = strnlen(field, N);
  if (length == N) return malformed("name: no terminating NUL (1 to 107 bytes and a NUL)");
  return std::string_view(field, length);
}

template <std::size_t N>
void put_text(char (&field)[N], std::string_view text) {
  const std::size_t length = std::min(text.size(), N - 1);
  std::memcpy(field, text.data(), length);
  std::memset(field + length, 0, N - length);
}

/// The structure at the front of `in`, if it is there.
template <typename T>
std::optional<T> head_of(std::span<const std::byte> in) {
  if (in.size() < sizeof(T)) return std::nullopt;
  T head;
  std::memcpy(&head, in.data(), sizeof head);
  return head;
}

/// The structure that the program means, by the rules of size in ipn/ioctl.h.
template <typename T>
Result<T> structure_of(const Context& context) {
  const auto in = context.request.in;
  T argument{};
  std::memcpy(&argument, in.data(), std::min(in.size(), sizeof argument));
  if (in.size() < 8 || argument.size != in.size()) return wrong_size();
  if (in.size() > sizeof argument && !is_zero(in.subspan(sizeof argument))) {
    return Error{E2BIG,
                 "structure: its end is unknown to this daemon (leave it zero, or use a newer "
                 "daemon)"};
  }
  return argument;
}

/// Answers with the errno, and remembers why.
inline void refuse(const Context& context, Call& call, const Error& error) {
  if (error.code == EINVAL || error.code == E2BIG) context.device.count_bad_request();
  call.error(context.file.last_error().set(context.nr(), error));
}

/// What a full log of the network does: IPN_OVERFLOW_*.
std::uint32_t overflow_of(const NetworkConfig& config);

// Commands of one structure, which is in and out: commands_node.cc,
// commands_attach.cc and commands_network.cc. They may leave anything in it when they fail.
Result<void> version(const Context& context, ipn_version& v);
Result<void> explain(const Context& context, ipn_explain& e);
Result<void> bind(const Context& context, ipn_join& join);
Result<void> connect(const Context& context, ipn_join& join);
Result<void> shutdown(const Context& context, ipn_shutdown& request);
Result<void> attach(const Context& context, ipn_attach& request);
Result<void> node_get(const Context& context, ipn_nodecfg& c);
Result<void> node_set(const Context& context, ipn_nodecfg& c);
Result<void> net_add(const Context& context, ipn_netcfg& c);
Result<void> net_get(const Context& context, ipn_netcfg& c);
Result<void> net_set(const Context& context, ipn_netcfg& c);
Result<void> net_end(const Context& context, ipn_netcfg& c);
Result<void> node_kick(const Context& context, ipn_ref& ref);
Result<void> stats(const Context& context, ipn_stats& s);

// Commands with data behind the structure, and those that may wait.
void set_option(const Context& context, Call call);
void get_option(const Context& context, Call call);
void send(const Context& context, Call call);
void receive(const Context& context, Call call);
void detach(const Context& context, Call call);
void wait_peers(const Context& context, Call call);
void check(const Context& context, Call call);
void list(const Context& context, Call call);  // commands_list.cc

}  // namespace ipn::device
