// Which addresses the server may visit on somebody else's word (threats.md p). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace fleetward::fetch {

/// IPv6; IPv4 as ::ffff:a.b.c.d.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Address&) const = default;
  std::string Text() const;
};

/// "192.0.2.1" or "2001:db8::1", without brackets or a zone.
std::optional<Address> ParseAddress(std::string_view text);
/// Nothing for other families than IPv4 and IPv6.
std::optional<Address> AddressOf(const sockaddr* address);

enum class AddressClass : std::uint8_t {
  kPublic,
  kPrivate,    // RFC 1918, unique local, shared (RFC 6598): a site's own network
  kLoopback,
  kForbidden,  // link-local (and with it the clouds' metadata services), multicast, unspecified, reserved
};

/// An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as that IPv4 address: it is where packets end.
AddressClass ClassOf(const Address& address);

}  // namespace fleetward::fetch
