// Keys of several parts that sort part by part, for any bytes in the parts.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetward::store {

/// Each part has its NUL bytes written as 00 FF and ends in 00 01, so OrderedKey({a}) is a prefix of
/// OrderedKey({a, b}) and of no key with another first part.
std::string OrderedKey(std::initializer_list<std::string_view> parts);
std::string OrderedKey(const std::vector<std::string>& parts);

/// The parts again; nothing when the bytes are no ordered key.
std::optional<std::vector<std::string>> SplitOrderedKey(std::string_view key);

/// The least key greater than every key that starts with `prefix` (empty: there is none).
std::string PrefixEnd(std::string_view prefix);

/// The least key greater than `key`: where a scan goes on after it.
inline std::string KeyAfter(std::string_view key) { return std::string(key) + '\0'; }

}  // namespace fleetward::store
