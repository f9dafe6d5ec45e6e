// SPDX-License-Identifier: MIT
#include "ipnd/options.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <memory>

#include "ipnd/values.h"

#include <ipn/ioctl.h>

namespace ipn {
namespace {

constexpr const char* kAbout =
    "ipnd: serves the IPN device, through which processes share networks.\n"
    "It stays in the foreground and ends on SIGTERM; SIGHUP reads the configuration again.";

constexpr const char* kMore =
    "Without --path ipnd serves /dev/NAME as root, and $XDG_RUNTIME_DIR/NAME for anybody else.\n"
    "With --path, and neither --device cuse nor --name, it serves only these FILEs, keeps what it\n"
    "needs beside the first of them (FILE.lock, FILE.state, FILE.log), and reads no configuration\n"
    "but that of --config.\n"
    "\n"
    "Examples:\n"
    "  ipnd                              /dev/ipn, from /etc/ipn/ipnd.toml\n"
    "  ipnd --check                      is the configuration good, and what would be served?\n"
    "  ipnd --device fuse --group users  a FUSE file at /dev/ipn for members of group users\n"
    "  ipnd --path /tmp/ipn              a device of your own (then: IPN_DEVICE=/tmp/ipn ipnctl)\n"
    "\n"
    "See ipnd(8), ipn(4).";

/// CLI11 begins its sentences with a capital.
std::string small_first(std::string text) {
  const bool is_word = text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0;
  if (is_word) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

/// Options with the name of their value only.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string value = option->get_type_name();
    return value.empty() ? "" : " " + value;
  }
};

std::string check_mode(const std::string& text) {
  return parse_mode(text) ? "" : "\"" + text + "\" is not a mode (0 to 0777, such as 0660)";
}

std::string check_device(const std::string& text) {
  return is_one_of(text, kDeviceKinds) ? "" : "\"" + text + "\" is none of auto, cuse, fuse";
}

std::string check_loop(const std::string& text) {
  return is_one_of(text, kLoopBackends) ? ""
                                        : "\"" + text + "\" is none of " + listed(kLoopBackends);
}

std::string check_spin(const std::string& text) {
  return is_one_of(text, kSpinKinds) ? "" : "\"" + text + "\" is none of " + listed(kSpinKinds);
}

std::string check_log_level(const std::string& text) {
  return is_one_of(text, kLogLevels) ? "" : "\"" + text + "\" is none of " + listed(kLogLevels);
}

std::string check_name(const std::string& text) {
  return is_device_name(text) ? ""
                              : "\"" + text +
                                    "\" is not a name for a device (1 to 64 of A-Z a-z "
                                    "0-9 . _ - with a letter, digit or _ first)";
}

std::string check_path(const std::string& text) {
  return is_short_path(text) ? "" : "the name of the file is empty or longer than 4000 bytes";
}

void add_options(CLI::App& app, Options& options, std::string& mode) {
  app.add_option("--device", options.device,
                 "auto: CUSE if /dev/cuse opens, else a FUSE file; or cuse, or fuse")
      ->type_name("KIND")
      ->check(check_device);
  app.add_option("--name", options.name, "the device is /dev/NAME (ipn)")
      ->type_name("NAME")
      ->check(check_name);
  app.add_option("--path", options.paths, "serve a FUSE file at FILE; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->check(check_path);
  app.add_option("--mode", mode, "permissions of the device, in octal (0660; without root 0600)")
      ->type_name("MODE")
      ->check(check_mode);
  app.add_option("--group", options.group, "group of the device, by name or number (ipn)")
      ->type_name("GROUP");
  app.add_option("--config", options.config, "read this file instead of /etc/ipn")
      ->type_name("FILE")
      ->check(check_path);
  app.add_option("--loop", options.loop,
                 "auto: io_uring, or epoll where the kernel forbids it; or one of them")
      ->type_name("BACKEND")
      ->check(check_loop);
  app.add_option("--spin", options.spin,
                 "look for messages in shared memory for up to 50 us before sleeping (adaptive), "
                 "never, or always, which takes a whole CPU")
      ->type_name("KIND")
      ->check(check_spin);
  app.add_option("--log-level", options.log_level, listed(kLogLevels) + " (info)")
      ->type_name("LEVEL")
      ->check(check_log_level);
  app.add_flag("--log-file", options.log_file, "log into NAME.log instead of standard error");
  app.add_flag("--fresh", options.fresh, "forget the persistent networks of the last run");
  app.add_flag("--check", options.check, "say what would be done, and end");
  app.add_option("--null-device", options.null_device,
                 "serve a device that does nothing at FILE, to measure against; no networks")
      ->type_name("FILE")
      ->check(check_path);
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  std::string mode;
  CLI::App app(kAbout, "ipnd");
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(24);
  app.formatter(formatter);
  app.footer(kMore);
  app.set_help_flag("-h,--help", "this help");
  app.set_version_flag("--version", "ipnd " IPND_VERSION ", ABI 0." + std::to_string(IPN_ABI),
                       "the version of ipnd");
  add_options(app, line.options, mode);
  try {
    app.parse(argc, argv);
    if (!mode.empty()) line.options.mode = parse_mode(mode);
    line.run = true;
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
  } catch (const CLI::CallForVersion& version) {
    line.text = std::string(version.what()) + '\n';
  } catch (const CLI::ParseError& error) {
    line.status = 2;
    line.text = "ipnd: " + small_first(error.what()) + " (see: ipnd --help)\n";
  }
  return line;
}

}  // namespace ipn
