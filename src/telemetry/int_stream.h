// Streams of integers of one column: the smaller of "as they are" and "differences", in as few bytes each as the
// largest needs, one byte plane after the other, so that zstd meets like with like (docs/storage-telemetry.md §4).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fleetward/base/encoding.h"

namespace fleetward::telemetry {

/// Appends the stream; its length is not stored. `scratch` is overwritten.
void PutInts(std::span<const std::uint64_t> values, std::vector<std::uint64_t>& scratch, std::string& out);

/// Reads `count` integers. False: makes no sense. The caller bounds `count`.
bool GetInts(ByteReader& in, std::size_t count, std::vector<std::uint64_t>& values);

}  // namespace fleetward::telemetry
