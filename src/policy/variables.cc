#include "variables.h"

#include <array>
#include <utility>

#include "fleetward/policy/pattern.h"

namespace fleetward::policy {
namespace {

constexpr std::string_view kThingAttributes = "iot:Connection.Thing.Attributes[";
constexpr std::string_view kSubject = "iot:Certificate.Subject.";
constexpr std::string_view kIssuer = "iot:Certificate.Issuer.";

constexpr std::pair<std::string_view, VariableKind> kPlain[] = {
    {"iot:ClientId", VariableKind::kClientId},
    {"aws:SourceIp", VariableKind::kSourceIp},
    {"iot:Connection.Thing.ThingName", VariableKind::kThingName},
    {"iot:Connection.Thing.ThingTypeName", VariableKind::kThingTypeName},
    {"iot:Connection.Thing.IsAttached", VariableKind::kThingIsAttached},
    {"iot:CertificateId", VariableKind::kCertificateId},
    {"iot:Certificate.SerialNumber", VariableKind::kCertificateSerial},
    {"iot:Certificate.AvailableKeys", VariableKind::kAvailableKeys},
    {"iot:ConnectAttributes", VariableKind::kConnectAttributes},
    {"iot:LastWillTopic", VariableKind::kLastWillTopic},
    {"aws:CurrentTime", VariableKind::kCurrentTime},
    {"aws:EpochTime", VariableKind::kEpochTime},
    {"aws:SecureTransport", VariableKind::kSecureTransport},
};

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && EqualsIgnoringCase(text.substr(0, prefix.size()), prefix);
}

/// "CommonName", "CommonName.2", "CommonName.List".
bool ParseCertificateField(std::string_view text, CertificateParty party, Variable& variable) {
  for (std::uint8_t i = 0; i < kCertificateFieldCount; ++i) {
    auto field = static_cast<CertificateField>(i);
    std::string_view name = CertificateFieldName(field);
    if (!StartsWithIgnoringCase(text, name)) continue;
    std::string_view rest = text.substr(name.size());
    if (rest.empty()) {
      variable.index = 0;
    } else if (EqualsIgnoringCase(rest, ".List")) {
      variable.index = kWholeList;
    } else if (rest.size() == 2 && rest[0] == '.' && rest[1] >= '0' && rest[1] < '0' + kMaxAttributeValues) {
      variable.index = static_cast<std::uint8_t>(rest[1] - '0');
    } else {
      continue;  // "Organization" is a prefix of "OrganizationalUnit"
    }
    variable.kind = VariableKind::kCertificateAttribute;
    variable.code = AttributeCode(party, field);
    return true;
  }
  return false;
}

const std::array<std::string, 256>& AttributeKeyNames() {
  static const std::array<std::string, 256> names = [] {
    std::array<std::string, 256> made;
    for (auto party : {CertificateParty::kSubject, CertificateParty::kIssuer}) {
      for (std::uint8_t i = 0; i < kCertificateFieldCount; ++i) {
        auto field = static_cast<CertificateField>(i);
        std::string_view prefix = party == CertificateParty::kSubject ? kSubject : kIssuer;
        made[AttributeCode(party, field)] = std::string(prefix) + std::string(CertificateFieldName(field));
      }
    }
    return made;
  }();
  return names;
}

template <class Visit>
void ForEachAttribute(std::string_view encoded, Visit visit) {
  ByteReader reader(encoded);
  while (reader.ok() && !reader.AtEnd()) {
    std::uint8_t code = reader.U8();
    std::string_view value = reader.Bytes();
    if (reader.ok()) visit(code, value);
  }
}

std::string_view AttributeNameOf(const Variable& variable) {
  std::string_view name = variable.name.substr(std::min(variable.name.size(), kThingAttributes.size()));
  if (!name.empty()) name.remove_suffix(1);
  return name;
}

void Add(std::vector<std::string_view>& values, std::string_view value) {
  if (!value.empty()) values.push_back(value);
}

}  // namespace

Variable ParseVariable(std::string_view name) {
  Variable variable;
  variable.name = name;
  for (const auto& [plain, kind] : kPlain) {
    if (EqualsIgnoringCase(plain, name)) {
      variable.kind = kind;
      return variable;
    }
  }
  if (StartsWithIgnoringCase(name, kThingAttributes) && name.ends_with(']')) {
    variable.kind = VariableKind::kThingAttribute;
  } else if (StartsWithIgnoringCase(name, kSubject)) {
    ParseCertificateField(name.substr(kSubject.size()), CertificateParty::kSubject, variable);
  } else if (StartsWithIgnoringCase(name, kIssuer)) {
    ParseCertificateField(name.substr(kIssuer.size()), CertificateParty::kIssuer, variable);
  }
  return variable;
}

void WriteVariable(const Variable& variable, ByteWriter& writer) {
  writer.U8(static_cast<std::uint8_t>(variable.kind));
  writer.U8(variable.code);
  writer.U8(variable.index);
  writer.Bytes(variable.name);
}

Variable ReadVariable(ByteReader& reader) {
  Variable variable;
  variable.kind = static_cast<VariableKind>(reader.U8());
  variable.code = reader.U8();
  variable.index = reader.U8();
  variable.name = reader.Bytes();
  return variable;
}

std::string_view VariableSource::Keep(std::string text) {
  kept_.push_back(std::move(text));
  return kept_.back();
}

void VariableSource::Values(const Variable& variable, std::vector<std::string_view>& values) {
  values.clear();
  switch (variable.kind) {
    case VariableKind::kUnknown: return;
    case VariableKind::kClientId: return Add(values, facts_.client_id);
    case VariableKind::kSourceIp:
      if (facts_.source_ip) Add(values, Keep(facts_.source_ip->ToString()));
      return;
    case VariableKind::kThingName: return Add(values, facts_.thing_name);
    case VariableKind::kThingTypeName: return Add(values, facts_.thing_type);
    case VariableKind::kThingIsAttached: return Add(values, facts_.thing_name.empty() ? "false" : "true");
    case VariableKind::kCertificateId: return Add(values, facts_.certificate_id);
    case VariableKind::kCertificateSerial: return Add(values, facts_.certificate_serial);
    case VariableKind::kThingAttribute: {
      ByteReader reader(facts_.thing_attributes);
      std::string_view wanted = AttributeNameOf(variable);
      while (reader.ok() && !reader.AtEnd()) {
        std::string_view name = reader.Bytes();
        std::string_view value = reader.Bytes();
        if (reader.ok() && name == wanted) return Add(values, value);
      }
      return;
    }
    case VariableKind::kCertificateAttribute: {
      std::uint8_t index = 0;
      ForEachAttribute(facts_.certificate_attributes, [&](std::uint8_t code, std::string_view value) {
        if (code != variable.code) return;
        if (variable.index == kWholeList || variable.index == index) Add(values, value);
        ++index;
      });
      return;
    }
    case VariableKind::kAvailableKeys: {
      std::array<bool, 256> seen{};
      Add(values, facts_.certificate_id.empty() ? std::string_view{} : "iot:CertificateId");
      Add(values, facts_.certificate_serial.empty() ? std::string_view{} : "iot:Certificate.SerialNumber");
      ForEachAttribute(facts_.certificate_attributes, [&](std::uint8_t code, std::string_view) {
        if (!std::exchange(seen[code], true)) Add(values, AttributeKeyNames()[code]);
      });
      return;
    }
    case VariableKind::kConnectAttributes:
      if (facts_.connect && facts_.connect->persistent) values.push_back("PersistentConnect");
      if (facts_.connect && facts_.connect->last_will) values.push_back("LastWill");
      return;
    case VariableKind::kLastWillTopic:
      if (facts_.connect && facts_.connect->last_will && !facts_.connect->last_will_topic.empty()) {
        Add(values, Keep("arn:aws:iot:" + std::string(facts_.region) + ":" + std::string(facts_.account_id) +
                         ":topic/" + std::string(facts_.connect->last_will_topic)));
      }
      return;
    case VariableKind::kCurrentTime:
      if (facts_.now) Add(values, Keep(Iso8601(*facts_.now)));
      return;
    case VariableKind::kEpochTime:
      if (facts_.now) Add(values, Keep(std::to_string(ToMillis(*facts_.now) / 1000)));
      return;
    case VariableKind::kSecureTransport: return Add(values, "true");
  }
}

std::optional<std::string_view> VariableSource::Substitute(const Variable& variable, bool in_topic_filter) {
  // The commonest ones without a list.
  std::string_view value;
  switch (variable.kind) {
    case VariableKind::kClientId: value = facts_.client_id; break;
    case VariableKind::kThingName: value = facts_.thing_name; break;
    case VariableKind::kCertificateId: value = facts_.certificate_id; break;
    case VariableKind::kAvailableKeys:
    case VariableKind::kConnectAttributes: return std::nullopt;
    default: {
      if (variable.index == kWholeList) return std::nullopt;
      std::vector<std::string_view> values;
      Values(variable, values);
      if (values.empty()) return std::nullopt;
      value = values.front();
    }
  }
  if (value.empty()) return std::nullopt;
  if (variable.kind == VariableKind::kCertificateAttribute && value.find_first_of("*$+?#") != std::string_view::npos) {
    return std::nullopt;
  }
  if (in_topic_filter && value.find_first_of("+#") != std::string_view::npos) return std::nullopt;
  return value;
}

}  // namespace fleetward::policy
