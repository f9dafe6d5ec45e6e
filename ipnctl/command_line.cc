// SPDX-License-Identifier: MIT
#include "ipnctl/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "ipnctl/errors.h"
#include "ipnctl/suggest.h"

namespace ipnctl {
namespace {

constexpr const char* kAbout =
    "ipnctl: make, look at and use networks of processes, through the IPN device";

/// Options with the name of their value and no more: what excludes what stands
/// below the examples.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string value = option->get_type_name();
    return value.empty() ? "" : " " + value;
  }
};

constexpr const char* kVerbsTitle = "Verbs";

constexpr const char* kGroupMore =
    "Each verb has its own help, with examples. Options of ipnctl itself (--device,\n"
    "--json, --human) may stand anywhere.";

const char* group_summary(std::string_view name) {
  return name == "net" ? "networks: add, list, show, set, del" : "nodes: list, show, set, kick";
}

/// "net add" of the parser of that verb; empty for the tool itself.
std::string path_of(const CLI::App& app) {
  std::string path;
  for (const CLI::App* at = &app; at->get_parent() != nullptr; at = at->get_parent()) {
    path.insert(0, at->get_name() + (path.empty() ? "" : " "));
  }
  return path;
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

std::string unknown_verb(const std::string& word, const CLI::App& app) {
  const auto names = verbs_of(app);
  std::string text = "unknown verb \"" + word + "\"";
  if (const std::string* like = closest(word, names)) text += "; did you mean \"" + *like + "\"?";
  return text;
}

std::string missing_verb(const CLI::App& app) {
  std::string text = "a verb is missing:";
  for (const std::string& name : verbs_of(app)) text += (text.back() == ':' ? " " : ", ") + name;
  return text;
}

std::string with_small_first(std::string text) {
  // "NAME is required" begins with the name of an argument: leave it.
  const bool is_word = text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0;
  if (is_word) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

class CommandLine::Parser {
 public:
  Parser();
  Outcome parse(int argc, const char* const* argv);
  const Globals& globals() const { return globals_; }

 private:
  void set_words();
  void add_globals();
  void add(const Verb& verb);
  CLI::App& group(const std::string& name);
  CLI::App& deepest();
  Failure explain(const CLI::ParseError& error);

  Globals globals_;
  CLI::App app_;
  std::map<std::string, CLI::App*> groups_;
  std::map<const CLI::App*, Action> actions_;
};

CommandLine::Parser::Parser() : app_(kAbout, "ipnctl") {
  app_.require_subcommand(0, 1);
  set_words();
  add_globals();
  for (const auto verbs :
       {status_verbs(), network_verbs(), node_verbs(), send_verbs(), recv_verbs()}) {
    for (const Verb& verb : verbs) add(verb);
  }
}

void CommandLine::Parser::set_words() {
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(24);
  formatter->label("SUBCOMMAND", "VERB");
  formatter->label("Positionals", "Arguments");
  app_.formatter(formatter);
  app_.set_help_flag("-h,--help", "this help, or that of a verb");
}

void CommandLine::Parser::add_globals() {
  app_.add_option("--device", globals_.device, "the IPN device ($IPN_DEVICE, /dev/ipn)")
      ->type_name("PATH");
  app_.add_flag("--json", globals_.json, "JSON instead of tables, also for errors");
  app_.add_flag("--human", globals_.human, "short numbers with units");
  app_.set_version_flag("--version", "ipnctl " IPNCTL_VERSION ", ABI 0." + std::to_string(IPN_ABI),
                        "the version of this tool");
}

CLI::App& CommandLine::Parser::group(const std::string& name) {
  if (name.empty()) return app_;
  CLI::App*& group = groups_[name];
  if (group == nullptr) {
    group = app_.add_subcommand(name, group_summary(name));
    group->require_subcommand(1)->fallthrough()->footer(kGroupMore)->group(kVerbsTitle);
  }
  return *group;
}

void CommandLine::Parser::add(const Verb& verb) {
  CLI::App& parent = group(verb.group);
  const bool is_tool = std::string_view(verb.name).empty();
  CLI::App& parser = is_tool ? app_ : *parent.add_subcommand(verb.name, verb.summary);
  if (!is_tool) parser.fallthrough()->group(kVerbsTitle);
  parser.footer(verb.more);
  Options options(parser);
  actions_[&parser] = verb.prepare(options);
}

CLI::App& CommandLine::Parser::deepest() {
  CLI::App* at = &app_;
  for (auto chosen = at->get_subcommands(); !chosen.empty(); chosen = at->get_subcommands()) {
    at = chosen.front();
  }
  return *at;
}

Failure CommandLine::Parser::explain(const CLI::ParseError& error) {
  const CLI::App& app = deepest();
  const std::string path = path_of(app);
  const auto rest = app_.remaining(true);
  const std::string word = rest.empty() ? "" : rest.front();
  if (word.starts_with('-')) return usage_failure(path, "unknown option " + word);
  const bool takes_verb = !verbs_of(app).empty();
  if (takes_verb && !word.empty()) return usage_failure(path, unknown_verb(word, app));
  if (!word.empty()) return usage_failure(path, "one word too many: \"" + word + "\"");
  const std::string kind = error.get_name();
  const std::string text = error.what();
  if (takes_verb && kind == "RequiredError") return usage_failure(path, missing_verb(app));
  if (kind == "ArgumentMismatch") {
    return usage_failure(path, text.substr(0, text.find(':')) + " needs a value");
  }
  return usage_failure(path, with_small_first(text));
}

CommandLine::Outcome CommandLine::Parser::parse(int argc, const char* const* argv) {
  const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
  try {
    app_.parse(argc, argv);
    return {actions_.at(&deepest()), {}, {}};
  } catch (const CLI::CallForHelp&) {
    return {{}, app_.help(), {}};
  } catch (const CLI::CallForVersion& version) {
    return {{}, std::string(version.what()) + '\n', {}};
  } catch (const CLI::ParseError& error) {
    // Options are stored at the end of parsing, which was not reached.
    globals_.json =
        std::find(words.begin(), words.end(), std::string_view("--json")) != words.end();
    return {{}, {}, explain(error)};
  }
}

CommandLine::CommandLine() : parser_(std::make_unique<Parser>()) {}

CommandLine::~CommandLine() = default;

CommandLine::Outcome CommandLine::parse(int argc, const char* const* argv) {
  return parser_->parse(argc, argv);
}

const Globals& CommandLine::globals() const { return parser_->globals(); }

}  // namespace ipnctl
