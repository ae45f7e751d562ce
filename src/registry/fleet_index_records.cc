#include "fleet_index_records.h"

#include <algorithm>
#include <set>

#include "fleetward/base/encoding.h"

namespace fleetward::registry {
namespace {

constexpr std::uint8_t kConfigurationVersion = 1;

void WriteFields(ByteWriter& out, const std::vector<IndexField>& fields) {
  out.Varint(fields.size());
  for (const IndexField& field : fields) {
    out.Bytes(field.name);
    out.U8(static_cast<std::uint8_t>(field.type));
  }
}

std::vector<IndexField> ReadFields(ByteReader& in) {
  std::vector<IndexField> fields;
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    IndexField field;
    field.name = std::string(in.Bytes());
    field.type = static_cast<FieldType>(std::min<std::uint8_t>(in.U8(), 2));
    fields.push_back(std::move(field));
  }
  return fields;
}

Error Damaged() { return Error(Code::kCorrupt, "the stored indexing configuration is damaged"); }

}  // namespace

std::string Encode(const ThingIndexing& indexing) {
  std::string record;
  ByteWriter out(record);
  out.U8(kConfigurationVersion);
  for (bool flag : {indexing.on, indexing.shadows, indexing.connectivity, indexing.violations, indexing.named_shadows}) {
    out.U8(flag ? 1 : 0);
  }
  out.Varint(indexing.named_shadow_names.size());
  for (const std::string& name : indexing.named_shadow_names) out.Bytes(name);
  WriteFields(out, indexing.custom_fields);
  return record;
}

std::string Encode(const ThingGroupIndexing& indexing) {
  std::string record;
  ByteWriter out(record);
  out.U8(kConfigurationVersion);
  out.U8(indexing.on ? 1 : 0);
  WriteFields(out, indexing.custom_fields);
  return record;
}

Result<ThingIndexing> DecodeThingIndexing(std::string_view record) {
  ByteReader in(record);
  bool good = in.U8() == kConfigurationVersion;
  ThingIndexing indexing;
  for (bool* flag : {&indexing.on, &indexing.shadows, &indexing.connectivity, &indexing.violations,
                     &indexing.named_shadows}) {
    *flag = in.U8() == 1;
  }
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    indexing.named_shadow_names.emplace_back(in.Bytes());
  }
  indexing.custom_fields = ReadFields(in);
  if (!good || !in.ok() || !in.AtEnd()) return Damaged();
  return indexing;
}

Result<ThingGroupIndexing> DecodeThingGroupIndexing(std::string_view record) {
  ByteReader in(record);
  bool good = in.U8() == kConfigurationVersion;
  ThingGroupIndexing indexing;
  indexing.on = in.U8() == 1;
  indexing.custom_fields = ReadFields(in);
  if (!good || !in.ok() || !in.AtEnd()) return Damaged();
  return indexing;
}

Status CheckCustomFields(const std::vector<IndexField>& fields, const std::vector<std::string_view>& prefixes,
                         const Quotas& quotas) {
  if (fields.size() > quotas.custom_index_fields) {
    return Error(Code::kInvalidArgument, "An index may have at most " + std::to_string(quotas.custom_index_fields) +
                                             " custom fields");
  }
  std::set<std::string_view> names;
  for (const IndexField& field : fields) {
    bool known = std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
      return field.name.starts_with(prefix) && field.name.size() > prefix.size();
    });
    if (!known) {
      std::string all;
      for (std::string_view prefix : prefixes) all += (all.empty() ? "" : ", ") + std::string(prefix);
      return Error(Code::kInvalidArgument, "The custom field " + field.name + " must begin with one of: " + all);
    }
    if (!names.insert(field.name).second) {
      return Error(Code::kInvalidArgument, "The custom field " + field.name + " is given twice");
    }
  }
  return {};
}

std::vector<IndexField> ManagedFields(const ThingIndexing& indexing) {
  if (!indexing.on) return {};
  std::vector<IndexField> fields = {{"thingId", FieldType::kString},
                                    {"thingName", FieldType::kString},
                                    {"registry.version", FieldType::kNumber},
                                    {"registry.thingTypeName", FieldType::kString},
                                    {"registry.thingGroupNames", FieldType::kString}};
  if (indexing.connectivity) {
    fields.insert(fields.end(), {{"connectivity.timestamp", FieldType::kNumber},
                                 {"connectivity.connected", FieldType::kBoolean},
                                 {"connectivity.disconnectReason", FieldType::kString}});
  }
  if (indexing.violations) fields.push_back({"deviceDefender.violationCount", FieldType::kNumber});
  return fields;
}

std::vector<IndexField> ManagedFields(const ThingGroupIndexing& indexing) {
  if (!indexing.on) return {};
  return {{"description", FieldType::kString},
          {"parentGroupNames", FieldType::kString},
          {"thingGroupId", FieldType::kString},
          {"thingGroupName", FieldType::kString},
          {"version", FieldType::kNumber}};
}

}  // namespace fleetward::registry
