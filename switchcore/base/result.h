// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "switchcore/base/assert.h"

namespace ipn {

/// Why an operation failed: an errno for programs and a sentence for people,
/// "object: reason (remedy)". Made on management paths only; the message path
/// answers with enums.
struct Error {
  int code = 0;
  std::string text;
};

/// A value or an Error; the names are those of std::expected (C++23).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() {
    IPN_ASSERT(has_value());
    return std::get<0>(state_);
  }
  const T& value() const {
    IPN_ASSERT(has_value());
    return std::get<0>(state_);
  }
  const Error& error() const {
    IPN_ASSERT(!has_value());
    return std::get<1>(state_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const {
    IPN_ASSERT(!ok_);
    return error_;
  }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace ipn
