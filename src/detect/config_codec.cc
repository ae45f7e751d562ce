#include "fleetward/detect/config_codec.h"

#include "fleetward/base/encoding.h"
#include "fleetward/model/json.h"

namespace fleetward::detect {
namespace {

constexpr std::uint8_t kVersion = 1;

Error Corrupt(std::string_view what) { return Error(Code::kCorrupt, "detect configuration: " + std::string(what)); }

/// A list never has more entries than bytes are left: bounds what corrupt counts can allocate.
bool ReadCount(ByteReader& in, std::uint64_t& count) {
  count = in.Varint();
  return in.ok() && count <= in.remaining();
}

}  // namespace

void EncodeConfig(const ProfileConfig& config, std::string& bytes) {
  ByteWriter out(bytes);
  out.U8(kVersion);
  out.Bytes(model::ToJsonText(config.profile));
  out.Varint(config.definition_versions.size());
  for (std::int64_t version : config.definition_versions) out.SignedVarint(version);
  out.Varint(config.targets.size());
  for (const model::ProfileTarget& target : config.targets) {
    out.U8(static_cast<std::uint8_t>(target.kind));
    out.Bytes(target.group.value());
  }
}

void EncodeConfig(const CustomMetricConfig& config, std::string& bytes) {
  ByteWriter out(bytes);
  out.U8(kVersion);
  out.Bytes(config.name.value());
  out.Varint(config.id);
  out.Bytes(model::CustomMetricTypeName(config.type));
}

void EncodeConfig(const ThingConfig& config, std::string& bytes) {
  ByteWriter out(bytes);
  out.U8(kVersion);
  out.U64(config.entity.high);
  out.U64(config.entity.low);
  out.Bytes(config.name.value());
  out.U8(config.registered);
  out.Varint(config.groups.size());
  for (const model::ThingGroupName& group : config.groups) out.Bytes(group.value());
}

Result<ProfileConfig> DecodeProfileConfig(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kVersion) return Corrupt("unknown version of a profile");
  auto profile = model::ParseSecurityProfile(in.Bytes());
  if (!profile.ok()) return Corrupt(profile.error().message());
  ProfileConfig config;
  config.profile = std::move(*profile);
  std::uint64_t count = 0;
  if (!ReadCount(in, count)) return Corrupt("definition versions");
  for (std::uint64_t i = 0; i < count; ++i) config.definition_versions.push_back(in.SignedVarint());
  if (!ReadCount(in, count)) return Corrupt("targets");
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint8_t kind = in.U8();
    if (kind > static_cast<std::uint8_t>(model::ProfileTarget::Kind::kThingGroup)) return Corrupt("a target");
    config.targets.push_back({static_cast<model::ProfileTarget::Kind>(kind), model::ThingGroupName(in.Bytes())});
  }
  if (!in.ok() || !in.AtEnd()) return Corrupt("length of a profile");
  return config;
}

Result<CustomMetricConfig> DecodeCustomMetricConfig(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kVersion) return Corrupt("unknown version of a custom metric");
  CustomMetricConfig config;
  config.name = model::CustomMetricName(in.Bytes());
  config.id = static_cast<model::MetricId>(in.Varint());
  auto type = model::ParseCustomMetricType(in.Bytes());
  if (!type || !in.AtEnd()) return Corrupt("a custom metric");
  config.type = *type;
  return config;
}

Result<ThingConfig> DecodeThingConfig(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kVersion) return Corrupt("unknown version of a thing");
  ThingConfig config;
  config.entity.high = in.U64();
  config.entity.low = in.U64();
  config.name = model::ThingName(in.Bytes());
  config.registered = in.U8() != 0;
  std::uint64_t count = 0;
  if (!ReadCount(in, count)) return Corrupt("groups");
  for (std::uint64_t i = 0; i < count; ++i) config.groups.emplace_back(in.Bytes());
  if (!in.ok() || !in.AtEnd()) return Corrupt("length of a thing");
  return config;
}

}  // namespace fleetward::detect
