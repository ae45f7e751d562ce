#include "fleetward/base/id128.h"

#include <sys/random.h>

#include <cstdlib>

#include "fleetward/base/encoding.h"

namespace fleetward {

std::string Id128::Bytes() const {
  std::string bytes(16, '\0');
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<char>(low >> (56 - 8 * i));
  }
  return bytes;
}

std::string Id128::Hex() const { return HexEncode(Bytes()); }

std::string Id128::Uuid() const {
  std::string hex = Hex();
  return hex.substr(0, 8) + '-' + hex.substr(8, 4) + '-' + hex.substr(12, 4) + '-' + hex.substr(16, 4) + '-' +
         hex.substr(20);
}

std::optional<Id128> Id128::Parse(std::string_view text) {
  std::string digits;
  if (text.size() == 36) {
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
    for (char c : text) {
      if (c != '-') digits += c;
    }
  } else {
    digits = text;
  }
  auto bytes = HexDecode(digits);
  if (!bytes) return std::nullopt;
  return FromBytes(*bytes);
}

std::optional<Id128> Id128::FromBytes(std::string_view bytes) {
  if (bytes.size() != 16) return std::nullopt;
  Id128 id;
  for (int i = 0; i < 8; ++i) {
    id.high = id.high << 8 | static_cast<unsigned char>(bytes[i]);
    id.low = id.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return id;
}

Id128 Id128::Random() {
  Id128 id;
  if (getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) std::abort();
  id.high = (id.high & ~0xf000ULL) | 0x4000ULL;
  id.low = (id.low & ~(3ULL << 62)) | (2ULL << 62);
  return id;
}

}  // namespace fleetward
