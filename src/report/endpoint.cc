#include "endpoint.h"

#include <string>

namespace fleetward::report {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Decimal number of at most `max`, without a sign or superfluous zeros; moves `at` behind it.
bool ReadDecimal(const char*& at, const char* end, unsigned max, unsigned& value) {
  const char* begin = at;
  value = 0;
  while (at != end && IsDigit(*at)) {
    value = value * 10 + static_cast<unsigned>(*at - '0');
    if (value > max) return false;
    ++at;
  }
  return at != begin && (*begin != '0' || at - begin == 1);
}

bool ReadPort(std::string_view text, std::uint16_t& port) {
  const char* at = text.data();
  const char* end = at + text.size();
  unsigned value = 0;
  if (!ReadDecimal(at, end, 65535, value) || at != end) return false;
  port = static_cast<std::uint16_t>(value);
  return true;
}

/// Dotted IPv4 with or without a port: by far the most frequent form.
bool ReadV4(std::string_view text, RemoteEndpoint& out) {
  const char* at = text.data();
  const char* end = at + text.size();
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      if (at == end || *at != '.') return false;
      ++at;
    }
    unsigned octet = 0;
    if (!ReadDecimal(at, end, 255, octet)) return false;
    out.address.bytes[static_cast<std::size_t>(12 + i)] = static_cast<std::uint8_t>(octet);
  }
  out.address.bytes[10] = out.address.bytes[11] = 0xff;
  if (at == end) return true;
  return *at == ':' && ReadPort({at + 1, static_cast<std::size_t>(end - at - 1)}, out.port);
}

std::optional<model::IpAddress> ParseZoned(std::string_view text) {
  return model::IpAddress::Parse(text.substr(0, text.find('%')));
}

/// IPv6, with or without brackets.
bool ReadOther(std::string_view text, RemoteEndpoint& out) {
  out = {};
  if (text.starts_with('[')) {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    auto address = ParseZoned(text.substr(1, close - 1));
    if (!address) return false;
    out.address = *address;
    std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && ReadPort(rest.substr(1), out.port));
  }
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  auto address = ParseZoned(text.substr(0, colon));
  if (!address || !ReadPort(text.substr(colon + 1), out.port)) {
    out.port = 0;
    address = ParseZoned(text);
  }
  if (address) out.address = *address;
  return address.has_value();
}

}  // namespace

bool ParseEndpoint(std::string_view text, RemoteEndpoint& out) {
  out = {};
  return ReadV4(text, out) || ReadOther(text, out);
}

std::optional<model::IpPrefix> ParseAddress(std::string_view text) {
  if (text.find('%') != std::string_view::npos) {
    auto address = ParseZoned(text);
    if (!address) return std::nullopt;
    return model::IpPrefix{*address, 128};
  }
  return model::IpPrefix::Parse(text);
}

}  // namespace fleetward::report
