// Byte layout of snapshot files, shared by view and builder. Little-endian; explained in docs/policy.md.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "hashing.h"

namespace fleetward::policy::format {

inline constexpr std::string_view kMagic = "FWPOLICY";
inline constexpr std::uint32_t kVersion = 1;

// Header offsets.
inline constexpr std::size_t kHeaderBytes = 256;
inline constexpr std::size_t kAtVersion = 8;
inline constexpr std::size_t kAtHeaderBytes = 12;
inline constexpr std::size_t kAtTotalBytes = 16;
inline constexpr std::size_t kAtSnapshotVersion = 24;
inline constexpr std::size_t kAtSeed = 32;
inline constexpr std::size_t kAtBodyChecksum = 40;
inline constexpr std::size_t kAtSections = 48;   // {u64 offset, u64 size} each
inline constexpr std::size_t kAtHeaderChecksum = 248;
inline constexpr std::uint64_t kHeaderSalt = 0x48;
inline constexpr std::uint64_t kBodySalt = 0x42;

enum class SectionId : std::uint8_t {
  kBlobs, kLists, kCertificates, kCertificateSlots, kThings, kThingSlots, kPolicies, kPolicySets, kDimensions, kInfo,
};
inline constexpr std::size_t kSectionCount = 10;
static_assert(kAtSections + kSectionCount * 16 <= kAtHeaderChecksum);

// Records.
inline constexpr std::size_t kCertificateBytes = 60;
inline constexpr std::size_t kCertNotAfter = 32;    // i64 ms
inline constexpr std::size_t kCertPolicySet = 40;
inline constexpr std::size_t kCertAttributes = 44;  // blob
inline constexpr std::size_t kCertThings = 48;      // list of name blobs
inline constexpr std::size_t kCertSerial = 52;      // blob
inline constexpr std::size_t kCertStatus = 56;      // u8
inline constexpr std::size_t kCertFlags = 57;       // u8: kCertAlone; 2 bytes zero
inline constexpr std::uint8_t kCertAlone = 1;

inline constexpr std::size_t kThingBytes = 24;
inline constexpr std::size_t kThingName = 0;        // blob
inline constexpr std::size_t kThingType = 4;        // blob
inline constexpr std::size_t kThingAttributes = 8;  // blob
inline constexpr std::size_t kThingPolicySet = 12;
inline constexpr std::size_t kThingCertificates = 16;  // list of certificate indexes
inline constexpr std::size_t kThingOverride = 20;   // policy set, kNoOverride

inline constexpr std::size_t kPolicyBytes = 8;      // blob name, blob body; both 0: absent
inline constexpr std::size_t kPolicySetBytes = 4;   // list; kAbsentSet

inline constexpr std::uint32_t kNoOverride = 0xfffffffe;
inline constexpr std::uint32_t kAbsentSet = 0xfffffffe;
inline constexpr std::uint32_t kEmptySlot = 0xffffffff;
inline constexpr std::uint32_t kEmptyList = 0xffffffff;
/// A list of one value is held in the reference itself.
inline constexpr std::uint32_t kInlineList = 0x80000000;

template <class T>
T Load(std::string_view bytes, std::size_t at) {
  T value{};
  if (at <= bytes.size() && bytes.size() - at >= sizeof(T)) std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <class T>
void Store(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

inline std::string_view Record(std::string_view section, std::size_t record_bytes, std::uint64_t index) {
  std::uint64_t at = index * record_bytes;
  return at + record_bytes <= section.size() ? section.substr(at, record_bytes) : std::string_view{};
}

/// The first slot to try, of `slots`.
inline std::uint64_t FirstSlot(std::uint64_t hash, std::uint64_t slots) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(hash) * slots) >> 64);
}

/// Room for `count` at 5/7 full.
inline std::uint64_t SlotsFor(std::uint64_t count) { return count + count * 2 / 5 + 1; }

inline std::uint64_t HeaderChecksum(std::string_view bytes) {
  return HashBytes(bytes.substr(0, kAtHeaderChecksum), kHeaderSalt);
}
inline std::uint64_t BodyChecksum(std::string_view bytes) { return HashBytes(bytes.substr(kHeaderBytes), kBodySalt); }

/// Makes both checksums right, for the builder, and for tests that damage what they protect.
inline void Seal(std::string& bytes) {
  Store(bytes, kAtBodyChecksum, BodyChecksum(bytes));
  Store(bytes, kAtHeaderChecksum, HeaderChecksum(bytes));
}

}  // namespace fleetward::policy::format
