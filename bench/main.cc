// SPDX-License-Identifier: MIT
// ipn-bench: measures IPN beside something to compare it with.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "bench/options.h"
#include "bench/plots.h"
#include "bench/report.h"
#include "bench/signals.h"
#include "bench/works.h"

namespace {

using namespace ipn_bench;

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void complain(const std::string& text) { write_all(STDERR_FILENO, "ipn-bench: " + text + '\n'); }

int print(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return 0;
  complain(std::string("standard output: ") + std::strerror(errno));
  return kExitFailure;
}

/// Puts plots into a file; whether that went well.
bool plot(const std::string& file, const std::vector<Row>& rows) {
  std::ofstream out(file);
  out << plots_of(rows);
  out.close();
  if (out) return true;
  complain(file + ": the plots cannot be written: " + std::strerror(errno));
  return false;
}

int run(const Options& options) {
  const bool is_loud = options.progress || isatty(STDERR_FILENO) == 1;
  const Say say = [is_loud](const std::string& text) {
    if (is_loud) complain(text);
  };
  std::vector<Row> rows;
  std::set<std::string> notes;
  bool is_faultless = true;
  for (const Work& work : options.works) {
    const auto result = work.run(options, say);
    if (!result) {
      complain(result.error().text);
      return result.error().status;
    }
    for (const std::string& note : result->notes) {
      if (notes.insert(note).second) complain(note);
    }
    for (const std::string& fault : result->faults) complain(fault);
    is_faultless = is_faultless && result->faults.empty();
    rows.insert(rows.end(), result->rows.begin(), result->rows.end());
  }
  const int printed = print(options.json ? json_of(rows) : table_of(rows));
  const bool is_plotted = !options.svg || plot(*options.svg, rows);
  return is_faultless && is_plotted ? printed : kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  const CommandLine line = parse_command_line(argc, argv);
  if (line.status != 0) {
    complain(line.text);
    return line.status;
  }
  if (!line.run) return print(line.text);
  catch_ending_signals();
  // A closed standard output is an error of write(2), not the end of us.
  std::signal(SIGPIPE, SIG_IGN);
  return run(line.options);
}
