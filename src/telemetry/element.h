// List elements as bytes, and doubles as scaled integers: shared by both block formats.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "fleetward/base/encoding.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

inline constexpr std::uint64_t kMaxListElements = 1 << 17;  // a report is at most 128 KB
inline constexpr std::uint64_t kMaxFields = 1 << 14;

inline bool IsList(model::ValueKind kind) {
  return kind != model::ValueKind::kCount && kind != model::ValueKind::kNumber;
}

/// By words: a call of memcmp costs more than all of it.
inline bool SamePrefix(const model::IpPrefix& a, const model::IpPrefix& b) {
  std::uint64_t x[2], y[2];
  std::memcpy(x, a.address.bytes.data(), sizeof x);
  std::memcpy(y, b.address.bytes.data(), sizeof y);
  return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a.length == b.length;
}

inline bool SameElement(const Sample& a, const Sample::Field& f, std::uint32_t i, const Sample& b,
                        const Sample::Field& g, std::uint32_t j) {
  switch (f.kind) {
    case model::ValueKind::kCidrs: return SamePrefix(a.prefixes()[f.first + i], b.prefixes()[g.first + j]);
    case model::ValueKind::kStrings: return a.String(f.first + i) == b.String(g.first + j);
    default: return a.words()[f.first + i] == b.words()[g.first + j];
  }
}

/// The first of the first `common` elements in which two lists of one kind differ; `common` when none does.
inline std::uint32_t FirstDifference(const Sample& a, const Sample::Field& f, const Sample& b, const Sample::Field& g,
                                     std::uint32_t common) {
  std::uint32_t i = 0;
  switch (f.kind) {
    case model::ValueKind::kCidrs: {
      const model::IpPrefix *x = a.prefixes().data() + f.first, *y = b.prefixes().data() + g.first;
      while (i < common && SamePrefix(x[i], y[i])) ++i;
      return i;
    }
    case model::ValueKind::kStrings:
      while (i < common && a.String(f.first + i) == b.String(g.first + i)) ++i;
      return i;
    default: {
      const std::uint64_t *x = a.words().data() + f.first, *y = b.words().data() + g.first;
      while (i < common && x[i] == y[i]) ++i;
      return i;
    }
  }
}

/// Appends element `i` of a list field.
void PutElement(const Sample& sample, const Sample::Field& field, std::uint32_t i, std::string& out);
/// All elements of a list field, the same bytes.
void PutElements(const Sample& sample, const Sample::Field& field, std::string& out);
/// Reads one element into the sample's storage (the field itself is the caller's). False: makes no sense.
bool GetElement(ByteReader& in, model::ValueKind kind, Sample& out);
/// Reads `count` elements.
bool GetElements(ByteReader& in, model::ValueKind kind, std::uint32_t count, Sample& out);
/// Copies element `i` of another sample's list into the storage.
void CopyElement(const Sample& from, const Sample::Field& field, std::uint32_t i, Sample& out);
/// Copies the list's first `count` elements.
void CopyElements(const Sample& from, const Sample::Field& field, std::uint32_t count, Sample& out);

/// v times scale as an integer, if dividing it gives exactly v again.
inline std::optional<std::int64_t> Scaled(double v, int scale) {
  double scaled = v * scale;
  if (!(std::fabs(scaled) < 9.0e15)) return std::nullopt;
  auto whole = static_cast<std::int64_t>(scale == 1 ? scaled : std::nearbyint(scaled));
  double back = static_cast<double>(whole);
  if (scale != 1) back /= scale;  // most numbers are whole, and a division is slow
  if (std::bit_cast<std::uint64_t>(back) != std::bit_cast<std::uint64_t>(v)) return std::nullopt;
  return whole;
}

inline std::uint64_t ZigZag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
inline std::int64_t UnZigZag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

}  // namespace fleetward::telemetry
