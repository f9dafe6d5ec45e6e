// SPDX-License-Identifier: MIT
#include "ipnctl/messages.h"

#include "ipnctl/forms.h"
#include "ipnctl/parse.h"

namespace ipnctl {
namespace {

bool is_utf8(std::string_view text) {
  try {
    [[maybe_unused]] const std::string dumped = Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

std::string message_line(const MessageStyle& style, const ipn_msg& header,
                         std::string_view payload) {
  Json form = {{"seq", header.seq},    {"port", header.port},  {"node", header.peer},
               {"length", header.len}, {"lost", header.count}, {"time_ns", header.time}};
  const bool as_text = !style.hex && is_utf8(payload);
  form[as_text ? "text" : "hex"] = as_text ? std::string(payload) : to_hex(payload);
  return json_line(form);
}

}  // namespace

void append_message(std::string& out, const MessageStyle& style, const ipn_msg& header,
                    std::string_view payload) {
  if (style.json) {
    out += message_line(style, header, payload);
    return;
  }
  if (style.verbose) {
    out += "seq=" + std::to_string(header.seq) + " port=" + std::to_string(header.port) +
           " len=" + std::to_string(header.len) + " lost=" + std::to_string(header.count) + " ";
  }
  if (style.hex) {
    out += to_hex(payload);
  } else {
    out += payload;
  }
  if (!style.raw) out += '\n';
}

}  // namespace ipnctl
