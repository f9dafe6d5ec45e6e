// SPDX-License-Identifier: MIT
#include "ipnd/configuration.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "ipnd/file_text.h"
#include "ipnd/system_error.h"

namespace ipn {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

/// Files of directory/ipnd.d, in the order of their names.
std::vector<std::string> files_of(const std::filesystem::path& directory,
                                  std::vector<std::string>& errors) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == ".toml") files.push_back(at->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    errors.push_back(system_error(error.value(), directory.string()).text);
  }
  std::sort(files.begin(), files.end());
  return files;
}

void read_file(const std::string& file, bool must_exist, const ConfigurationRules& rules,
               LoadedConfiguration& loaded) {
  const auto text = read_text(file, kFileBytesMax);
  if (text) {
    loaded.configuration.files.push_back(file);
    read_toml(*text, file, rules, loaded);
  } else if (must_exist || text.error().code != ENOENT) {
    loaded.errors.push_back(text.error().text);
  }
}

}  // namespace

LoadedConfiguration load_configuration(const ConfigurationSource& source,
                                       const ConfigurationRules& rules) {
  LoadedConfiguration loaded;
  if (!source.file.empty()) {
    read_file(source.file, true, rules, loaded);
  } else if (!source.directory.empty()) {
    const std::filesystem::path directory(source.directory);
    read_file((directory / "ipnd.toml").string(), false, rules, loaded);
    for (const std::string& file : files_of(directory / "ipnd.d", loaded.errors)) {
      read_file(file, true, rules, loaded);
    }
  }
  return loaded;
}

}  // namespace ipn
