// SPDX-License-Identifier: MIT
// ipnd: the daemon behind /dev/ipn. Two processes: a helper, which keeps the
// privileges and blocks where it has to, and the loop, which serves everybody
// and gives up all privileges before it serves anybody. main() decides, locks,
// forks and wires; docs/architecture.md has the picture.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "ipnd/attach_socket.h"
#include "ipnd/configuration.h"
#include "ipnd/daemon.h"
#include "ipnd/environment.h"
#include "ipnd/file_text.h"
#include "ipnd/helper.h"
#include "ipnd/journal.h"
#include "ipnd/lock.h"
#include "ipnd/network_text.h"
#include "ipnd/null_daemon.h"
#include "ipnd/options.h"
#include "ipnd/plan.h"
#include "ipnd/privileges.h"
#include "ipnd/signals.h"
#include "ipnd/system_error.h"
#include "switchcore/policy/broadcast.h"

namespace {

using namespace ipn;

constexpr std::size_t kStateBytesMax = 64 << 20;

void say(const std::string& text) { std::fprintf(stderr, "ipnd: %s\n", text.c_str()); }

int fail(const Error& error) {
  say(error.text);
  return EXIT_FAILURE;
}

std::vector<PolicyType> policies() { return {broadcast_policy()}; }

ConfigurationRules rules_of(const Environment& environment) {
  return {policies(), environment.umask, environment.uid, environment.gid};
}

/// A null device is a private file of which nothing else is wanted.
Options with_null_device(Options options) {
  if (!options.null_device) return options;
  options.paths = {*options.null_device};
  options.device = "fuse";
  options.name.reset();
  options.config.reset();
  return options;
}

Result<void> make_directory(const std::string& path) {
  if (path.empty()) return {};
  const bool made = ::mkdir(path.c_str(), 0755) == 0;
  // Others have to find what lies there, whatever our umask is.
  if (made && ::chmod(path.c_str(), 0755) != 0) return system_error(errno, path);
  if (!made && errno != EEXIST) return system_error(errno, path);
  return {};
}

Result<InstanceLock> lock(const Plan& plan) {
  const bool system = !plan.directory.empty();
  auto lock = InstanceLock::acquire(
      plan.lock_path, plan.doors.front().path,
      std::string("stop it, or choose another ") + (system ? "--name" : "--path"));
  if (!lock) return lock;
  if (auto ok = lock->sign(); !ok) return ok.error();
  return lock;
}

/// The networks that the last run has left; none if they are to be forgotten.
Result<std::vector<NetworkConfig>> read_state(const Plan& plan, bool fresh) {
  const std::string& path = plan.state_path;
  if (fresh) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(errno, path);
    return std::vector<NetworkConfig>();
  }
  const auto text = read_text(path, kStateBytesMax);
  if (!text && text.error().code == ENOENT) return std::vector<NetworkConfig>();
  if (!text) return text.error();
  auto networks = parse_state(*text);
  if (networks) return networks;
  return Error{networks.error().code, path + ": is no state of ipnd: " + networks.error().text +
                                          " (ipnd --fresh forgets it)"};
}

io::Backend loop_backend(const Options& options) {
  if (options.loop == "io_uring") return io::Backend::kUring;
  if (options.loop == "epoll") return io::Backend::kEpoll;
  return io::Backend::kAuto;
}

io::Spin spin_of(const Options& options) {
  if (options.spin == "never") return io::Spin::kNever;
  if (options.spin == "always") return io::Spin::kAlways;
  return io::Spin::kAdaptive;
}

/// Everything that is decided before anything is touched.
struct Decided {
  Options options;
  Environment environment;
  Configuration configuration;
  Plan plan;
};

/// The first line of the log is the choice that was made, and why.
void announce(Journal& journal, const std::vector<OpenedDoor>& doors, const io::Loop& loop,
              const std::optional<LoopUser>& user) {
  for (const OpenedDoor& door : doors) {
    journal.info("serving " + door.path + ": " + describe(door) + "; loop " +
                 std::string(loop.description()));
  }
  if (user && user->name != "ipn") {
    journal.warning("user ipn: not there, running as " + user->name +
                    " (make it: systemd-sysusers, or useradd --system ipn)");
  }
}

/// Two processes, of which the helper cleans up whatever happens to the other.
Result<void> serve(Decided& decided, const HelperTask& task, InstanceLock& lock) {
  const Plan& plan = decided.plan;
  auto helper = Helper::start(task, lock);
  if (!helper) return helper.error();
  auto saved = read_state(plan, decided.options.fresh);
  if (!saved) return saved.error();
  auto log_file = decided.options.log_file ? open_log_file(plan.log_path) : UniqueFd();
  if (!log_file) return log_file.error();
  const auto user = find_loop_user(decided.environment);
  if (!user) return user.error();

  Result<UniqueFd> socket = UniqueFd();
  if (!decided.options.null_device) socket = open_attach_socket(plan.socket_path);
  raise_open_files();
  if (auto ok = give_up_privileges(*user); !ok) return ok;
  auto loop = io::make_loop(loop_backend(decided.options));
  if (!loop) return loop.error();
  auto doors = open_doors(**helper, plan);
  if (!doors) return doors.error();

  Journal journal(std::move(*log_file));
  journal.set_level(plan.log_level);
  announce(journal, *doors, **loop, *user);
  if (!socket) journal.warning(socket.error().text + "; messages travel by system calls only");
  if (decided.options.null_device) {
    return run_null_daemon(plan, **loop, **helper, journal, std::move(*doors));
  }
  Daemon daemon(plan, **loop, **helper, journal,
                {std::move(decided.configuration), policies(), std::move(*saved), std::move(*doors),
                 socket ? std::move(*socket) : UniqueFd(), spin_of(decided.options)});
  auto done = daemon.run();
  if (!done && decided.options.log_file) journal.error(done.error().text);
  return done;
}

int run(const Options& given) {
  Decided decided;
  decided.options = with_null_device(given);
  decided.environment = read_environment();
  HelperTask task;
  task.source = configuration_source(decided.options, decided.environment);
  task.rules = rules_of(decided.environment);
  LoadedConfiguration loaded = load_configuration(task.source, task.rules);
  for (const std::string& error : loaded.errors) say(error);
  if (!loaded.errors.empty()) return EXIT_FAILURE;
  decided.configuration = std::move(loaded.configuration);
  auto plan = make_plan(decided.options, decided.configuration, decided.environment);
  if (!plan) return fail(plan.error());
  decided.plan = task.plan = std::move(*plan);
  if (decided.options.check) {
    std::fputs(describe(decided.plan, decided.configuration, task.rules.policies).c_str(), stdout);
    return EXIT_SUCCESS;
  }

  block_signals();
  if (auto ok = make_directory(task.plan.directory); !ok) return fail(ok.error());
  auto locked = lock(task.plan);
  if (!locked) return fail(locked.error());
  const auto served = serve(decided, task, *locked);
  return served ? EXIT_SUCCESS : fail(served.error());
}

/// A descriptor that we open must not become 0, 1 or 2, where others write.
void open_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  const CommandLine line = parse_command_line(argc, argv);
  if (line.run) return run(line.options);
  std::fputs(line.text.c_str(), line.status == 0 ? stdout : stderr);
  return line.status;
}
