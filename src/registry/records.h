// Stored forms of the registry's objects: a version byte, then ByteWriter fields. The key holds the name.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/objects.h"

namespace fleetward::registry {

std::string Encode(const Thing& thing);
std::string Encode(const ThingType& type);
std::string Encode(const ThingGroup& group);
std::string Encode(const Certificate& certificate);  // without the DER form, which has a table of its own
std::string Encode(const CaCertificate& certificate);  // without the DER form
std::string Encode(const Policy& policy);
std::string Encode(const PolicyVersion& version);
std::string Encode(const SecurityProfile& profile);
std::string Encode(const CustomMetric& metric);
std::string Encode(const Dimension& dimension);

// Errors: kCorrupt.
Result<Thing> DecodeThing(std::string_view name, std::string_view record);
Result<ThingType> DecodeThingType(std::string_view name, std::string_view record);
Result<ThingGroup> DecodeThingGroup(std::string_view name, std::string_view record);
Result<Certificate> DecodeCertificate(std::string_view id, std::string_view record);
Result<CaCertificate> DecodeCaCertificate(std::string_view id, std::string_view record);
Result<Policy> DecodePolicy(std::string_view name, std::string_view record);
Result<PolicyVersion> DecodePolicyVersion(std::uint32_t number, std::string_view record);
Result<SecurityProfile> DecodeSecurityProfile(std::string_view name, std::string_view record);
Result<CustomMetric> DecodeCustomMetric(std::string_view name, std::string_view record);
Result<Dimension> DecodeDimension(std::string_view name, std::string_view record);

/// 8 and 4 bytes that sort as the numbers do.
std::string BigEndian64(std::uint64_t value);
std::string BigEndian32(std::uint32_t value);
/// Nothing when `bytes` is not 4 long.
std::optional<std::uint32_t> FromBigEndian32(std::string_view bytes);

}  // namespace fleetward::registry
