// A fast 64-bit hash for tables and checksums of our own files; not for secrets.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace fleetward::policy {

/// Folds the 128-bit product of its arguments.
inline std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t LoadWord(const char* at, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, size);
  return word;
}

/// Stored in snapshot files (tables, checksums): the function must not change within a format version.
inline std::uint64_t HashBytes(std::string_view bytes, std::uint64_t seed) {
  constexpr std::uint64_t kA = 0x9e3779b97f4a7c15;
  constexpr std::uint64_t kB = 0xc2b2ae3d27d4eb4f;
  std::uint64_t hash = Mix(seed ^ kA, bytes.size() ^ kB);
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) hash = Mix(hash ^ LoadWord(bytes.data() + at, 8) ^ kA, hash + kB);
  if (at < bytes.size()) hash = Mix(hash ^ LoadWord(bytes.data() + at, bytes.size() - at) ^ kB, hash + kA);
  return Mix(hash ^ kA, kB);
}

}  // namespace fleetward::policy
