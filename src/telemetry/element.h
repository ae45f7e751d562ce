// List elements as bytes, and doubles as scaled integers: shared by both block formats.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
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

inline bool SameElement(const Sample& a, const Sample::Field& f, std::uint32_t i, const Sample& b,
                        const Sample::Field& g, std::uint32_t j) {
  switch (f.kind) {
    case model::ValueKind::kCidrs: return a.prefixes()[f.first + i] == b.prefixes()[g.first + j];
    case model::ValueKind::kStrings: return a.String(f.first + i) == b.String(g.first + j);
    default: return a.words()[f.first + i] == b.words()[g.first + j];
  }
}

/// Appends element `i` of a list field.
void PutElement(const Sample& sample, const Sample::Field& field, std::uint32_t i, std::string& out);
/// Reads one element into the sample's storage (the field itself is the caller's). False: makes no sense.
bool GetElement(ByteReader& in, model::ValueKind kind, Sample& out);
/// Copies element `i` of another sample's list into the storage.
void CopyElement(const Sample& from, const Sample::Field& field, std::uint32_t i, Sample& out);

/// v times scale as an integer, if dividing it gives exactly v again.
inline std::optional<std::int64_t> Scaled(double v, int scale) {
  double scaled = v * scale;
  if (!(std::fabs(scaled) < 9.0e15)) return std::nullopt;
  auto whole = static_cast<std::int64_t>(scale == 1 ? scaled : std::nearbyint(scaled));
  double back = static_cast<double>(whole) / scale;
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
