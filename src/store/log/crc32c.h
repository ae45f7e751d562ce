// CRC-32C (Castagnoli, RFC 3720 appendix B.4), with the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace fleetward::store {

/// Extends `crc` (0 at the start) by `bytes`.
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t crc = 0);
/// The same by table, for processors without the instruction and for the test.
std::uint32_t Crc32cTable(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace fleetward::store
