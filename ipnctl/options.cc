// SPDX-License-Identifier: MIT
#include "ipnctl/options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "ipnctl/parse.h"

namespace ipnctl {

const Syntax<std::uint32_t> kCount{parse_count, "N", "a number"};
const Syntax<std::uint32_t> kMode{parse_mode, "MODE", "an octal mode from 0 to 0777"};
const Syntax<std::uint32_t> kSeconds{parse_seconds, "SECONDS", "a number of seconds"};
const Syntax<std::uint32_t> kPolicy{
    parse_policy, "POLICY", "a policy: broadcast, ethernet, l3, bus or a number from 1 to 63"};
const Syntax<std::uint32_t> kUser{parse_user, "USER", "a user of this system"};
const Syntax<std::uint32_t> kGroup{parse_group, "GROUP", "a group of this system"};
const Syntax<std::uint32_t> kNodeOverflow{parse_node_overflow, "HOW",
                                          "one of network, drop-newest, latest"};
const Syntax<std::uint64_t> kSize{parse_size, "BYTES",
                                  "a number of bytes such as 65536, 64K or 2M"};
const Syntax<std::uint64_t> kId{parse_id, "N", "a number"};

void Options::add_word(const std::string& name, std::string& into, const std::string& help,
                       Need need) {
  app_.add_option(name, into, help)->required(need == Need::kRequired)->type_name("");
}

void Options::add_flag(const std::string& name, bool& into, const std::string& help) {
  app_.add_flag(name, into, help);
}

void Options::add_text(const std::string& name, const std::string& metavar,
                       std::optional<std::string>& into, const std::string& help) {
  app_.add_option(name, into, help)->type_name(metavar);
}

void Options::add_optional_text(const std::string& name, const std::string& metavar,
                                std::optional<std::string>& into, const std::string& help) {
  app_.add_option(name, into, help)->type_name(metavar)->expected(0, 1);
}

void Options::add_checked(const std::string& name, const std::string& metavar,
                          const std::string& help,
                          std::function<std::string(const std::string&)> check,
                          const std::function<void(const std::string&)>& store) {
  CLI::Option* option = app_.add_option_function<std::string>(name, store, help);
  option->type_name(name.starts_with('-') ? metavar : "")->check(std::move(check));
}

void Options::exclude_each_other(std::initializer_list<const char*> names) {
  for (const char* one : names) {
    for (const char* other : names) {
      if (one != other) app_.get_option(one)->excludes(app_.get_option(other));
    }
  }
}

}  // namespace ipnctl
