// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace ipnctl {

/// How the value of an option is read, and the words for one that is not.
template <typename T>
struct Syntax {
  std::optional<T> (*parse)(std::string_view text);
  const char* metavar;  ///< in --help
  const char* wanted;   ///< "is not WANTED"
};

extern const Syntax<std::uint32_t> kCount, kMode, kSeconds, kPolicy, kUser, kGroup, kNodeOverflow;
extern const Syntax<std::uint64_t> kSize, kId;

/// The command line of one verb. What is found goes to variables that outlive
/// the parser. Only this file and the command line itself know the library
/// that reads.
class Options {
 public:
  explicit Options(CLI::App& app) : app_(app) {}

  enum class Need { kRequired, kOptional };

  /// A word that stands by itself.
  void add_word(const std::string& name, std::string& into, const std::string& help,
                Need need = Need::kRequired);
  void add_flag(const std::string& name, bool& into, const std::string& help);
  void add_text(const std::string& name, const std::string& metavar,
                std::optional<std::string>& into, const std::string& help);
  /// An option that may stand without a value: then it is empty.
  void add_optional_text(const std::string& name, const std::string& metavar,
                         std::optional<std::string>& into, const std::string& help);

  /// A value of some syntax. A name without dashes is a word that may be missing.
  template <typename T>
  void add_value(const std::string& name, std::optional<T>& into, const Syntax<T>& syntax,
                 const std::string& help) {
    const auto check = [syntax](const std::string& text) -> std::string {
      if (syntax.parse(text)) return {};
      return "\"" + text + "\" is not " + syntax.wanted;
    };
    const auto store = [syntax, &into](const std::string& text) { into = syntax.parse(text); };
    add_checked(name, syntax.metavar, help, check, store);
  }

  /// At most one of these may be given.
  void exclude_each_other(std::initializer_list<const char*> names);

 private:
  void add_checked(const std::string& name, const std::string& metavar, const std::string& help,
                   std::function<std::string(const std::string&)> check,
                   const std::function<void(const std::string&)>& store);

  CLI::App& app_;
};

}  // namespace ipnctl
