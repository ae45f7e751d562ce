#include "endpoint.h"

#include <bit>
#include <cstring>
#include <string>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "names.h"

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

constexpr std::uint64_t kOnes = 0x0101010101010101U;

/// The number of which `digits` holds the eight decimal digits, the first in the lowest byte.
unsigned EightDigits(std::uint64_t digits) {
  digits = digits * 10 + (digits >> 8);  // pairs, then fours, then all eight
  constexpr std::uint64_t kPairs = 0x000000ff000000ffU;
  std::uint64_t value = ((digits & kPairs) * 0x000f424000000064U + (digits >> 16 & kPairs) * 0x0000271000000001U) >> 32;
  return static_cast<unsigned>(value & 0xffffffff);
}

/// One bit for each of 32 bytes that is no digit.
#ifdef __SSE2__
std::uint32_t OthersIn32(const char* at) {
  auto others = [](const char* text) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
    bytes = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));  // a digit is below 10 now, anything else is not
    __m128i other = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(10)), bytes);
    return static_cast<std::uint32_t>(_mm_movemask_epi8(other));
  };
  return others(at) | others(at + 16) << 16;
}
#else
std::uint32_t OthersIn32(const char* at) {
  auto others = [](const char* text) {
    std::uint64_t digits = LoadWord(text) ^ kOnes * '0';
    std::uint64_t high = (((digits & kOnes * 0x7f) + kOnes * 0x76) | digits) & kOnes * 0x80;
    return static_cast<std::uint32_t>(((high >> 7) * 0x0102040810204080U) >> 56);
  };
  return others(at) | others(at + 8) << 8 | others(at + 16) << 16 | others(at + 24) << 24;
}
#endif

/// Reads one to three digits, at most 255, without superfluous zeros.
[[gnu::always_inline]] inline bool ReadOctet(const char* at, unsigned size, std::uint32_t& octet) {
  std::uint32_t digits;
  std::memcpy(&digits, at, sizeof digits);
  digits ^= 0x30303030U;
  bool ok = (size - 1 < 3) & ((size == 1) | ((digits & 0xff) != 0));
  digits <<= (8 * (3 - size)) & 31;  // hundreds, tens and ones are now bytes 0, 1 and 2
  ok &= __builtin_bswap32(digits) <= 0x020505ffU;
  octet = digits * 0x640a01U >> 16 & 0xff;  // its ninth bit is known to be 0
  return ok;
}

/// Four octets and a port between the first five bits of `others`; `end` becomes the last of them. The digits of random
/// addresses cannot be foretold, so there is no branch on where the dots are, and all is read before any is judged.
[[gnu::always_inline]] inline bool ReadV4(const char* at, std::uint64_t others, RemoteEndpoint& out, unsigned& end) {
  others |= std::uint64_t{0x1f} << 32;  // five ends there always are
  auto next = [&others]() __attribute__((always_inline)) {
    auto bit = static_cast<unsigned>(__builtin_ctzll(others));
    others &= others - 1;
    return bit;
  };
  const unsigned first = next(), second = next(), third = next(), fourth = next();
  end = next();
  bool ok = (at[first] == '.') & (at[second] == '.') & (at[third] == '.') & (at[fourth] == ':');
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  ok &= ReadOctet(at, first, a);
  ok &= ReadOctet(at + first + 1, second - first - 1, b);
  ok &= ReadOctet(at + second + 1, third - second - 1, c);
  ok &= ReadOctet(at + third + 1, fourth - third - 1, d);
  const unsigned size = end - fourth - 1;
  std::uint64_t digits = LoadWord(at + fourth + 1) ^ kOnes * '0';
  ok &= (size - 1 < 5) & ((size == 1) | ((digits & 0xff) != 0));
  const unsigned port = EightDigits(digits << ((8 * (8 - size)) & 63));
  const std::uint64_t low = std::uint64_t{d << 24 | c << 16 | b << 8 | a} << 32 | 0xffff0000U;
  std::memset(out.address.bytes.data(), 0, 8);
  std::memcpy(out.address.bytes.data() + 8, &low, sizeof low);
  out.port = static_cast<std::uint16_t>(port);
  return ok & (port <= 65535);
}

/// Dotted IPv4 with or without a port, wherever it lies.
bool ReadAnyV4(std::string_view text, RemoteEndpoint& out) {
  constexpr std::size_t kShortest = 7, kLongest = 21;
  if (text.size() < kShortest || text.size() > kLongest) return false;
  char padded[kEndpointBytes] = {};
  std::memcpy(padded, text.data(), text.size());
  if (ParseV4({padded, text.size()}, out)) return true;
  // Without a port: as one with port 0.
  if (text.size() > 15) return false;
  std::memcpy(padded + text.size(), ":0", 2);
  return ParseV4({padded, text.size() + 2}, out);
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

bool ParseQuotedV4(const char* text, RemoteEndpoint& out) {
  unsigned end = 0;
  return ReadV4(text, OthersIn32(text), out, end) && text[end] == '"';
}

bool ParseV4(std::string_view text, RemoteEndpoint& out) {
  unsigned end = 0;
  if (text.size() >= 32) return false;
  return ReadV4(text.data(), OthersIn32(text.data()) | std::uint64_t{1} << text.size(), out, end) && end == text.size();
}

bool ParseEndpoint(std::string_view text, RemoteEndpoint& out) { return ReadAnyV4(text, out) || ReadOther(text, out); }

std::optional<model::IpPrefix> ParseAddress(std::string_view text) {
  if (text.find('%') != std::string_view::npos) {
    auto address = ParseZoned(text);
    if (!address) return std::nullopt;
    return model::IpPrefix{*address, 128};
  }
  return model::IpPrefix::Parse(text);
}

}  // namespace fleetward::report
