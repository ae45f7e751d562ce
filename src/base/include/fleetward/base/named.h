// Strong string types: a thing name cannot pass for a group name.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace fleetward {

template <class Tag>
class Named {
 public:
  Named() = default;
  explicit Named(std::string value) : value_(std::move(value)) {}
  explicit Named(std::string_view value) : value_(value) {}
  explicit Named(const char* value) : value_(value) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const Named&) const = default;

 private:
  std::string value_;
};

}  // namespace fleetward

template <class Tag>
struct std::hash<fleetward::Named<Tag>> {
  std::size_t operator()(const fleetward::Named<Tag>& name) const noexcept {
    return std::hash<std::string>{}(name.value());
  }
};
