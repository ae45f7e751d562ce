// 128-bit identifiers: UUIDs, violation ids, entity keys.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace fleetward {

struct Id128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const Id128&) const = default;
  bool IsZero() const { return high == 0 && low == 0; }

  /// 32 lower-case hex digits.
  std::string Hex() const;
  /// "8-4-4-4-12" lower-case hex, as UUIDs are printed.
  std::string Uuid() const;
  /// 16 big-endian bytes, for ordered storage keys.
  std::string Bytes() const;

  /// Takes Hex() or Uuid() form, either case.
  static std::optional<Id128> Parse(std::string_view text);
  /// Needs exactly 16 bytes.
  static std::optional<Id128> FromBytes(std::string_view bytes);
  /// A random (version 4) UUID from the kernel's generator. Aborts when the kernel gives no randomness.
  static Id128 Random();
};

}  // namespace fleetward

template <>
struct std::hash<fleetward::Id128> {
  std::size_t operator()(const fleetward::Id128& id) const noexcept {
    return static_cast<std::size_t>(id.high * 0x9e3779b97f4a7c15ULL ^ id.low);
  }
};
