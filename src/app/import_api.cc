#include "import_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fleetward::app {
namespace {

using nlohmann::json;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The patterns of the API's names and attributes (core.md §3).
bool Fits(std::string_view text, std::string_view others, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most && std::all_of(text.begin(), text.end(), [&](char c) {
           return IsAlphanumeric(c) || others.find(c) != others.npos;
         });
}
constexpr std::string_view kNameOthers = ":_-", kPolicyOthers = "_+=,.@-", kAttributeOthers = "_.,@/:#-";

Error Bad(std::string_view member, std::string_view why) {
  return Error(Code::kInvalidArgument, std::string(member) + " " + std::string(why));
}

Result<std::string> TextAt(const json& row, const char* member) {
  auto found = row.find(member);
  if (found == row.end() || found->is_null()) return std::string();
  if (!found->is_string()) return Bad(member, "must be text");
  return found->get<std::string>();
}

Result<std::string> NameAt(const json& row, const char* member) {
  FW_ASSIGN(std::string name, TextAt(row, member));
  if (!name.empty() && !Fits(name, kNameOthers, 1, 128)) {
    return Bad(member, "must have 1 to 128 characters of a-z A-Z 0-9 : _ -");
  }
  return name;
}

Result<std::vector<std::string>> NamesAt(const json& row, const char* member, std::string_view others) {
  std::vector<std::string> names;
  auto found = row.find(member);
  if (found == row.end() || found->is_null()) return names;
  if (!found->is_array() || found->size() > 100) return Bad(member, "must be a list of at most 100 names");
  for (const json& name : *found) {
    if (!name.is_string() || !Fits(name.get_ref<const std::string&>(), others, 1, 128)) {
      return Bad(member, "holds something that is no such name");
    }
    names.push_back(name.get<std::string>());
  }
  return names;
}

Result<registry::Attributes> AttributesAt(const json& row) {
  registry::Attributes attributes;
  auto found = row.find("attributes");
  if (found == row.end() || found->is_null()) return attributes;
  if (!found->is_object()) return Bad("attributes", "must be an object of texts");
  for (const auto& [name, value] : found->items()) {
    if (!Fits(name, kAttributeOthers, 1, 128)) return Bad("attributes", "holds a name the API does not allow: " + name.substr(0, 128));
    if (!value.is_string() || !Fits(value.get_ref<const std::string&>(), kAttributeOthers, 0, 800)) {
      return Bad("attributes." + name, "must be text of at most 800 characters of a-z A-Z 0-9 _ . , @ / : # -");
    }
    attributes.emplace(name, value.get<std::string>());
  }
  return attributes;
}

}  // namespace

Result<registry::ImportRow> ImportRowFromJson(const json& json) {
  static constexpr std::string_view kMembers[] = {"thingName", "thingTypeName", "billingGroupName", "attributes",
                                                  "thingGroupNames", "certificatePem", "csr", "certificateStatus",
                                                  "policyNames"};
  if (!json.is_object()) return Error(Code::kInvalidArgument, "a row must be an object");
  for (const auto& [member, value] : json.items()) {
    if (std::find(std::begin(kMembers), std::end(kMembers), member) == std::end(kMembers)) {
      return Error(Code::kInvalidArgument, "unknown member " + member.substr(0, 128));
    }
  }
  registry::ImportRow row;
  FW_ASSIGN(row.thing_name, NameAt(json, "thingName"));
  if (row.thing_name.empty()) return Error(Code::kInvalidArgument, "thingName is required");
  FW_ASSIGN(row.type, NameAt(json, "thingTypeName"));
  FW_ASSIGN(row.billing_group, NameAt(json, "billingGroupName"));
  FW_ASSIGN(row.attributes, AttributesAt(json));
  FW_ASSIGN(row.groups, NamesAt(json, "thingGroupNames", kNameOthers));
  FW_ASSIGN(row.policies, NamesAt(json, "policyNames", kPolicyOthers));
  FW_ASSIGN(row.certificate_pem, TextAt(json, "certificatePem"));
  FW_ASSIGN(row.csr_pem, TextAt(json, "csr"));
  if (row.certificate_pem.size() > 65536 || row.csr_pem.size() > 65536) {
    return Error(Code::kInvalidArgument, "certificatePem and csr may have 65536 bytes");
  }
  FW_ASSIGN(std::string status, TextAt(json, "certificateStatus"));
  if (!status.empty()) {
    auto parsed = registry::ParseCertificateStatus(status);
    if (!parsed || (*parsed != registry::CertificateStatus::kActive && *parsed != registry::CertificateStatus::kInactive)) {
      return Error(Code::kInvalidArgument, "certificateStatus must be ACTIVE or INACTIVE");
    }
    row.certificate_status = *parsed;
  }
  return row;
}

}  // namespace fleetward::app
