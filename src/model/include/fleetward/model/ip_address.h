// IP addresses and prefixes as values.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace fleetward::model {

/// An IPv4 address is kept as IPv4-mapped IPv6 (::ffff:a.b.c.d), so that both compare in one order.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool IsV4() const {
    std::uint64_t high;
    std::uint32_t middle;
    std::memcpy(&high, bytes.data(), sizeof high);
    std::memcpy(&middle, bytes.data() + 8, sizeof middle);
    return high == 0 && middle == std::bit_cast<std::uint32_t>(std::array<std::uint8_t, 4>{0, 0, 0xff, 0xff});
  }
  /// "192.0.2.1" or RFC 5952 form.
  std::string ToString() const;
  /// Plain addresses only: no port, no brackets, no zone.
  static std::optional<IpAddress> Parse(std::string_view text);
  auto operator<=>(const IpAddress&) const = default;
};

/// A CIDR prefix. `length` counts bits of the 16-byte form: an IPv4 /24 has length 120.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 128;

  bool Contains(const IpAddress& candidate) const;
  /// "192.0.2.0/24"; a full-length prefix prints as a bare address.
  std::string ToString() const;
  /// "192.0.2.0/24", "2001:db8::/32", or a bare address (a full-length prefix). Host bits are cleared.
  static std::optional<IpPrefix> Parse(std::string_view text);
  auto operator<=>(const IpPrefix&) const = default;
};

}  // namespace fleetward::model
