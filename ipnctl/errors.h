// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ipnctl/result.h"

namespace ipnctl {

/// The only place where the words of an error are put together. An error has
/// an object, a reason and a remedy; the daemon explains its refusals in the
/// same three parts, "object: reason (remedy)".

/// "object: reason (remedy)", without the name of the program.
std::string sentence(const Failure& failure);

/// {"error":{"object","errno","reason","remedy"}}
std::string error_json(const Failure& failure);

/// An errno in the words of the C library.
Failure errno_failure(int code, std::string_view object, std::string_view remedy = {});

/// The daemon's or the library's explanation taken apart. What it leaves out
/// comes from `code` and `object`.
Failure explained(int code, std::string_view explanation, std::string_view object);

/// A network that is not there, with the visible name that is spelled most
/// like it.
Failure no_network(std::string_view name, std::string_view device,
                   std::span<const std::string> visible);

/// A command line that makes no sense; `verb` is "net add" or the like, empty
/// for the tool itself.
Failure usage_failure(std::string_view verb, std::string_view reason);

/// A name that no network can have.
Failure bad_network_name(std::string_view name);

/// A node that is not there.
Failure no_node(std::string_view network, std::string_view node);

/// An answer of the daemon that contradicts itself.
Failure malformed_answer(std::string_view device);

}  // namespace ipnctl
