#include "fleetward/store/ordered_key.h"

namespace fleetward::store {
namespace {

constexpr char kEscape = '\0';
constexpr char kEscapedNul = '\xff';
constexpr char kPartEnd = '\x01';

template <class Parts>
std::string KeyOf(const Parts& parts) {
  std::string key;
  for (std::string_view part : parts) {
    for (char c : part) {
      key.push_back(c);
      if (c == kEscape) key.push_back(kEscapedNul);
    }
    key.push_back(kEscape);
    key.push_back(kPartEnd);
  }
  return key;
}

}  // namespace

std::string OrderedKey(std::initializer_list<std::string_view> parts) { return KeyOf(parts); }
std::string OrderedKey(const std::vector<std::string>& parts) { return KeyOf(parts); }

std::optional<std::vector<std::string>> SplitOrderedKey(std::string_view key) {
  std::vector<std::string> parts;
  std::string part;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] != kEscape) {
      part.push_back(key[i]);
      continue;
    }
    if (++i == key.size()) return std::nullopt;
    if (key[i] == kEscapedNul) {
      part.push_back('\0');
    } else if (key[i] == kPartEnd) {
      parts.push_back(std::move(part));
      part.clear();
    } else {
      return std::nullopt;
    }
  }
  if (!part.empty()) return std::nullopt;
  return parts;
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace fleetward::store
