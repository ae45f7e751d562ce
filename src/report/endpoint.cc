#include "endpoint.h"

#include <bit>
#include <cstring>
#include <string>

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

/// The high bit of every byte of `digits` (text with '0' taken away by exclusive or) that is no digit.
std::uint64_t NotDigits(std::uint64_t digits) {
  return (((digits & kOnes * 0x7f) + kOnes * 0x76) | digits) & kOnes * 0x80;
}

/// One bit for each byte of the two words (16 bytes of text) that is no digit.
unsigned OthersIn16(std::uint64_t first, std::uint64_t second) {
  auto gather = [](std::uint64_t digits) {
    return static_cast<unsigned>(((NotDigits(digits) >> 7) * 0x0102040810204080U) >> 56);
  };
  return gather(first ^ kOnes * '0') | gather(second ^ kOnes * '0') << 8;
}

/// Reads `size` characters, which must be one to three digits, at most 255, without superfluous zeros. Four bytes are
/// read at `at` once `size` is known to be good.
bool ReadOctet(const char* at, std::size_t size, std::uint8_t& octet) {
  if (size - 1 >= 3) return false;
  std::uint32_t digits;
  std::memcpy(&digits, at, sizeof digits);
  digits ^= 0x30303030U;
  if (size > 1 && (digits & 0xff) == 0) return false;
  digits <<= 8 * (3 - size);  // hundreds, tens and ones are now bytes 0, 1 and 2
  unsigned value = (digits & 0xff) * 100 + (digits >> 8 & 0xff) * 10 + (digits >> 16 & 0xff);
  octet = static_cast<std::uint8_t>(value);
  return value <= 255;
}

/// ReadPort for what ends a text of eight bytes or more, in one go.
bool ReadPortAtEnd(std::string_view text, std::size_t size, std::uint16_t& port) {
  if (size == 0 || size > 5) return false;
  std::uint64_t digits = LoadWord(text.data() + text.size() - 8);
  const std::size_t unused = 8 * (8 - size);
  digits = (digits ^ kOnes * '0') >> unused << unused;
  if (NotDigits(digits) != 0 || (size > 1 && (digits >> unused & 0xff) == 0)) return false;
  digits = digits * 10 + (digits >> 8);  // pairs, then fours, then all eight
  constexpr std::uint64_t kPairs = 0x000000ff000000ffU;
  std::uint64_t value = ((digits & kPairs) * 0x000f424000000064U + (digits >> 16 & kPairs) * 0x0000271000000001U) >> 32;
  value &= 0xffffffff;
  port = static_cast<std::uint16_t>(value);
  return value <= 65535;
}

/// Dotted IPv4 with or without a port: by far the most frequent form. The digits of random addresses cannot be
/// foretold, so there is no branch on where the dots are.
bool ReadV4(std::string_view text, RemoteEndpoint& out) {
  constexpr std::size_t kShortest = 7, kLongest = 21;
  if (text.size() < kShortest || text.size() > kLongest) return false;
  const char* at = text.data();
  char padded[16] = {};
  if (text.size() < sizeof padded) {
    if (text.size() > kShortest) {
      std::memcpy(padded, at, 8);
      std::memcpy(padded + text.size() - 8, at + text.size() - 8, 8);
    } else {
      std::memcpy(padded, at, kShortest);
    }
    at = padded;
  }
  unsigned others = OthersIn16(LoadWord(at), LoadWord(at + 8));
  std::size_t ends[4];
  for (std::size_t& end : ends) {
    if (others == 0) return false;
    end = static_cast<std::size_t>(std::countr_zero(others));
    others &= others - 1;
  }
  auto& bytes = out.address.bytes;
  if (at[ends[0]] != '.' || at[ends[1]] != '.' || at[ends[2]] != '.' || ends[3] > text.size()) return false;
  // An octet that is too long ends this before one behind it is read: the last begins at most 12 bytes behind `at`.
  if (!ReadOctet(at, ends[0], bytes[12])) return false;
  for (std::size_t i = 1; i < 4; ++i) {
    if (!ReadOctet(at + ends[i - 1] + 1, ends[i] - ends[i - 1] - 1, bytes[12 + i])) return false;
  }
  bytes[10] = bytes[11] = 0xff;
  if (ends[3] == text.size()) return true;
  return at[ends[3]] == ':' && ReadPortAtEnd(text, text.size() - ends[3] - 1, out.port);
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
