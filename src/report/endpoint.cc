#include "endpoint.h"

#include <bit>
#include <cstring>
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

/// The high bit of every byte of `digits` (text with '0' taken away by exclusive or) that is no digit.
template <class Word>
Word NotDigits(Word digits) {
  constexpr Word kOnes = static_cast<Word>(0x0101010101010101U);
  return (((digits & kOnes * 0x7f) + kOnes * 0x76) | digits) & kOnes * 0x80;
}

/// One to three digits, at most 255; moves `at` behind them. The digits of random addresses cannot be foretold, so
/// where four bytes can be read there is no branch on how many they are.
bool ReadOctet(const char*& at, const char* end, unsigned& value) {
  if (end - at < 4) return ReadDecimal(at, end, 255, value);
  std::uint32_t digits;
  std::memcpy(&digits, at, sizeof digits);
  digits ^= 0x30303030U;
  std::uint32_t others = NotDigits(digits);
  int size = std::countr_zero(others) / 8;
  if (size == 0 || size > 3 || (size > 1 && (digits & 0xff) == 0)) return false;
  digits <<= 8 * (3 - size);  // hundreds, tens and ones are now bytes 0, 1 and 2
  value = (digits & 0xff) * 100 + (digits >> 8 & 0xff) * 10 + (digits >> 16 & 0xff);
  at += size;
  return value <= 255;
}

/// ReadPort for what ends a text of eight bytes or more, in one go.
bool ReadPortAtEnd(std::string_view text, std::size_t size, std::uint16_t& port) {
  if (size == 0 || size > 5) return false;
  std::uint64_t digits;
  std::memcpy(&digits, text.data() + text.size() - sizeof digits, sizeof digits);
  const std::size_t unused = 8 * (8 - size);
  digits = (digits ^ 0x3030303030303030U) >> unused << unused;
  if (NotDigits(digits) != 0 || (size > 1 && (digits >> unused & 0xff) == 0)) return false;
  digits = digits * 10 + (digits >> 8);  // pairs, then fours, then all eight
  constexpr std::uint64_t kPairs = 0x000000ff000000ffU;
  std::uint64_t value = ((digits & kPairs) * 0x000f424000000064U + (digits >> 16 & kPairs) * 0x0000271000000001U) >> 32;
  value &= 0xffffffff;
  port = static_cast<std::uint16_t>(value);
  return value <= 65535;
}

/// Dotted IPv4 with or without a port: by far the most frequent form.
bool ReadV4(std::string_view text, RemoteEndpoint& out) {
  const char* at = text.data();
  const char* end = at + text.size();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) {
      if (at == end || *at != '.') return false;
      ++at;
    }
    unsigned octet = 0;
    if (!ReadOctet(at, end, octet)) return false;
    out.address.bytes[12 + i] = static_cast<std::uint8_t>(octet);
  }
  out.address.bytes[10] = out.address.bytes[11] = 0xff;
  if (at == end) return true;
  return *at == ':' && ReadPortAtEnd(text, static_cast<std::size_t>(end - at - 1), out.port);
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
