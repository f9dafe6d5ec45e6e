// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace ipnctl {

/// What went wrong, in the parts that people and --json see.
struct Failure {
  std::string object;  ///< what it is about: a network, a node, a file
  int code = 0;        ///< errno
  std::string reason;
  std::string remedy;     ///< what to do about it; may be empty
  bool is_usage = false;  ///< the command line was wrong
};

/// A value or a Failure. The names are those of std::expected (C++23).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Failure failure) : failure_(std::move(failure)) {}

  explicit operator bool() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  Failure& error() { return failure_; }
  const Failure& error() const { return failure_; }

 private:
  std::optional<T> value_;
  Failure failure_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}

  explicit operator bool() const { return !failure_.has_value(); }
  Failure& error() { return *failure_; }
  const Failure& error() const { return *failure_; }

 private:
  std::optional<Failure> failure_;
};

}  // namespace ipnctl
