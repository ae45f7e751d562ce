#include "fleetward/model/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fleetward::model {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  if (IsV4()) {
    inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  }
  return text;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  if (std::strlen(buffer) != text.size()) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET6, buffer, address.bytes.data()) == 1) return address;
  if (inet_pton(AF_INET, buffer, address.bytes.data() + 12) != 1) return std::nullopt;
  std::copy(kV4Mapped.begin(), kV4Mapped.end(), address.bytes.begin());
  return address;
}

bool IpPrefix::Contains(const IpAddress& candidate) const {
  std::size_t whole = length / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, candidate.bytes.begin())) return false;
  if (length % 8 == 0) return true;
  std::uint8_t mask = static_cast<std::uint8_t>(0xff << (8 - length % 8));
  return ((address.bytes[whole] ^ candidate.bytes[whole]) & mask) == 0;
}

std::string IpPrefix::ToString() const {
  if (length == 128) return address.ToString();
  // An IPv4-mapped address with fewer than 96 bits is an IPv6 prefix such as ::/0.
  bool v4 = address.IsV4() && length >= 96;
  return address.ToString() + "/" + std::to_string(v4 ? length - 96 : length);
}

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  std::size_t slash = text.find('/');
  auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  bool dotted = text.substr(0, slash).find(':') == std::string_view::npos;
  unsigned length = dotted ? 32 : 128;
  if (slash != std::string_view::npos) {
    std::string_view digits = text.substr(slash + 1);
    unsigned given = 0;
    auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    if (fault != std::errc() || end != digits.data() + digits.size() || given > length) return std::nullopt;
    length = given;
  }
  IpPrefix prefix{*address, static_cast<std::uint8_t>(dotted ? length + 96 : length)};
  for (std::size_t bit = prefix.length; bit < 128; ++bit) {
    prefix.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
  }
  return prefix;
}

}  // namespace fleetward::model
