// SPDX-License-Identifier: MIT
#include "ipnctl/errors.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ipnctl/suggest.h"

namespace ipnctl {
namespace {

/// Where the remedy of "reason (remedy)" begins: at the bracket that the last
/// character closes. npos if there is none.
std::size_t remedy_begin(std::string_view text) {
  if (text.empty() || text.back() != ')') return std::string_view::npos;
  int depth = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == ')') ++depth;
    if (text[i] == '(' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string sentence(const Failure& failure) {
  std::string text = failure.object.empty() ? "" : failure.object + ": ";
  text += failure.reason;
  if (!failure.remedy.empty()) text += " (" + failure.remedy + ")";
  return text;
}

std::string error_json(const Failure& failure) {
  const nlohmann::ordered_json form = {{"error",
                                        {{"object", failure.object},
                                         {"errno", failure.code},
                                         {"reason", failure.reason},
                                         {"remedy", failure.remedy}}}};
  return form.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Failure errno_failure(int code, std::string_view object, std::string_view remedy) {
  return {std::string(object), code, std::strerror(code), std::string(remedy), false};
}

Failure explained(int code, std::string_view explanation, std::string_view object) {
  if (explanation.empty()) return errno_failure(code, object);
  Failure failure{std::string(object), code, {}, {}, false};
  std::string_view rest = explanation;
  if (const auto colon = rest.find(": "); colon != std::string_view::npos) {
    failure.object = rest.substr(0, colon);
    rest.remove_prefix(colon + 2);
  }
  if (const auto begin = remedy_begin(rest); begin != std::string_view::npos && begin > 0) {
    failure.remedy = rest.substr(begin + 1, rest.size() - begin - 2);
    rest = trimmed(rest.substr(0, begin));
  }
  failure.reason = rest;
  return failure;
}

Failure no_network(std::string_view name, std::string_view device,
                   std::span<const std::string> visible) {
  Failure failure{std::string(name), ENOENT, {}, {}, false};
  failure.reason = "no such network on " + std::string(device);
  if (const std::string* like = closest(name, visible)) {
    failure.reason += "; did you mean \"" + *like + "\"?";
  }
  failure.remedy = "make it: ipnctl net add " + std::string(name);
  return failure;
}

Failure usage_failure(std::string_view verb, std::string_view reason) {
  Failure failure{std::string(verb), EINVAL, std::string(reason), {}, true};
  failure.remedy = "see: ipnctl " + failure.object + (verb.empty() ? "--help" : " --help");
  return failure;
}

Failure bad_network_name(std::string_view name) {
  return {std::string(name), EINVAL, "no name for a network",
          "1 to 107 of letters, digits and . _ : @ / -, the first a letter, a digit or _"};
}

Failure no_node(std::string_view network, std::string_view node) {
  const std::string name(network);
  return {name + " port " + std::string(node), ENOENT, "no such node",
          "see who is there: ipnctl node list " + name};
}

Failure malformed_answer(std::string_view device) {
  return {std::string(device), EPROTO, "the daemon's answer makes no sense",
          "are ipnctl and ipnd of the same version? ipnctl version"};
}

}  // namespace ipnctl
