// Result<T>: a value or an Error. FW_TRY and FW_ASSIGN pass an error on.
#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "fleetward/base/error.h"

namespace fleetward {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by intent
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { assert(ok()); return *std::get_if<0>(&state_); }
  const T& value() const& { assert(ok()); return *std::get_if<0>(&state_); }
  T&& value() && { assert(ok()); return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { assert(!ok()); return *std::get_if<1>(&state_); }
  Error&& error() && { assert(!ok()); return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by intent

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { assert(!ok()); return *error_; }
  Error&& error() && { assert(!ok()); return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

#define FW_CONCAT_INNER(a, b) a##b
#define FW_CONCAT(a, b) FW_CONCAT_INNER(a, b)

/// Returns the error of a Result expression from the enclosing function, if it failed.
#define FW_TRY(expression)                                          \
  do {                                                              \
    auto fw_try_result = (expression);                              \
    if (!fw_try_result.ok()) return std::move(fw_try_result).error(); \
  } while (false)

/// FW_ASSIGN(auto x, Parse(text)): declares or assigns x, or returns the error.
#define FW_ASSIGN(target, expression) FW_ASSIGN_INNER(FW_CONCAT(fw_assign_, __LINE__), target, expression)
#define FW_ASSIGN_INNER(result, target, expression)    \
  auto result = (expression);                          \
  if (!result.ok()) return std::move(result).error();  \
  target = std::move(result).value()

}  // namespace fleetward
