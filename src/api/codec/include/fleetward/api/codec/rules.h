// The model's constraints as constants. Generated code names one rule per constrained shape.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

namespace fleetward::api::codec {

/// A pattern that the whole value must match. Compiled at its first use, once; thread-safe.
class Pattern {
 public:
  /// `re2` is the pattern in RE2's syntax, `shown` as the model spells it.
  constexpr Pattern(const char* re2, const char* shown) : re2_(re2), shown_(shown) {}
  bool Matches(std::string_view value) const;
  /// False when RE2 does not take the pattern: a fault of the generator, found by its test.
  bool Compiles() const;
  std::string_view shown() const { return shown_; }

 private:
  const void* Get() const;
  const char* re2_;
  const char* shown_;
  mutable std::atomic<const void*> compiled_{nullptr};
};

/// Lengths count Unicode code points.
struct StringRule {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  const Pattern* pattern = nullptr;
  bool sensitive = false;  // never shown in a message
};

struct IntRule {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

struct DoubleRule {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// Elements of a list or map, bytes of a blob.
struct SizeRule {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace fleetward::api::codec
