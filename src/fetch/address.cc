#include "fleetward/fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace fleetward::fetch {
namespace {

struct Range {
  std::uint8_t prefix[16];
  int bits;
  AddressClass is;
};

// The first that fits counts. IANA's special-purpose registries, as of 2024.
constexpr Range kV4[] = {
    {{127}, 8, AddressClass::kLoopback},
    {{10}, 8, AddressClass::kPrivate},
    {{172, 16}, 12, AddressClass::kPrivate},
    {{192, 168}, 16, AddressClass::kPrivate},
    {{100, 64}, 10, AddressClass::kPrivate},
    {{0}, 8, AddressClass::kForbidden},
    {{169, 254}, 16, AddressClass::kForbidden},
    {{192, 0, 0}, 24, AddressClass::kForbidden},
    {{192, 88, 99}, 24, AddressClass::kForbidden},
    {{198, 18}, 15, AddressClass::kForbidden},
    {{224}, 3, AddressClass::kForbidden},  // multicast, reserved, broadcast
};
constexpr Range kV6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, AddressClass::kLoopback},
    {{0xfc}, 7, AddressClass::kPrivate},
    {{0x20, 0x01, 0x00, 0x00}, 32, AddressClass::kForbidden},  // Teredo: leads to an address nobody sees here
    {{0x20}, 3, AddressClass::kPublic},                        // global unicast
};

bool In(const std::uint8_t* address, const Range& range) {
  int whole = range.bits / 8;
  if (std::memcmp(address, range.prefix, static_cast<std::size_t>(whole)) != 0) return false;
  int rest = range.bits % 8;
  return rest == 0 || (address[whole] >> (8 - rest)) == (range.prefix[whole] >> (8 - rest));
}

template <std::size_t N>
AddressClass Lookup(const std::uint8_t* address, const Range (&ranges)[N], AddressClass otherwise) {
  const Range* found = std::find_if(std::begin(ranges), std::end(ranges), [&](const Range& r) { return In(address, r); });
  return found == std::end(ranges) ? otherwise : found->is;
}

// The IPv4 address that an IPv6 address stands for, or null.
const std::uint8_t* Embedded(const std::uint8_t* a) {
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr std::uint8_t kNat64[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(a, kMapped, 12) == 0 || std::memcmp(a, kNat64, 12) == 0) return a + 12;
  if (a[0] == 0x20 && a[1] == 0x02) return a + 2;  // 6to4
  return nullptr;
}

}  // namespace

std::string Address::Text() const {
  char text[INET6_ADDRSTRLEN] = "";
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes.data(), kMapped, 12) == 0) {
    inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  }
  return text;
}

std::optional<Address> ParseAddress(std::string_view text) {
  std::string copy(text);
  Address address;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1 && copy.size() == text.size()) return address;
  address = {};
  address.bytes[10] = address.bytes[11] = 0xff;
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
  return std::nullopt;
}

std::optional<Address> AddressOf(const sockaddr* from) {
  Address address;
  if (from->sa_family == AF_INET6) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr, 16);
    return address;
  }
  if (from->sa_family != AF_INET) return std::nullopt;
  address.bytes[10] = address.bytes[11] = 0xff;
  std::memcpy(address.bytes.data() + 12, &reinterpret_cast<const sockaddr_in*>(from)->sin_addr, 4);
  return address;
}

AddressClass ClassOf(const Address& address) {
  if (const std::uint8_t* v4 = Embedded(address.bytes.data())) return Lookup(v4, kV4, AddressClass::kPublic);
  return Lookup(address.bytes.data(), kV6, AddressClass::kForbidden);
}

}  // namespace fleetward::fetch
