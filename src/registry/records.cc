#include "records.h"

#include "fleetward/model/json.h"
#include "record_form.h"

namespace fleetward::registry {
namespace {

using Writer = RecordWriter;
using Reader = RecordReader;

}  // namespace

std::string Encode(const Thing& thing) {
  std::string record;
  Writer out(record);
  out.Id(thing.id);
  out.SignedVarint(thing.version);
  out.Time(thing.created);
  out.Bytes(thing.type);
  out.Bytes(thing.billing_group);
  out.Map(thing.attributes);
  out.Varint(thing.order);
  return record;
}

Result<Thing> DecodeThing(std::string_view name, std::string_view record) {
  Reader in(record);
  Thing thing;
  thing.name = model::ThingName(name);
  thing.id = in.Id();
  thing.version = in.SignedVarint();
  thing.created = in.Time();
  thing.type = in.Text();
  thing.billing_group = in.Text();
  thing.attributes = in.Map();
  if (!in.AtEnd()) thing.order = in.Varint();  // of a build that kept no order: before all others, by name
  return in.Finish(std::move(thing), "thing");
}

std::string Encode(const ThingType& type) {
  std::string record;
  Writer out(record);
  out.Id(type.id);
  out.Bytes(type.description);
  out.Time(type.created);
  out.U8(type.deprecated ? 1 : 0);
  out.Time(type.deprecated.value_or(Timestamp{}));
  out.Varint(type.searchable_attributes.size());
  for (const std::string& name : type.searchable_attributes) out.Bytes(name);
  return record;
}

Result<ThingType> DecodeThingType(std::string_view name, std::string_view record) {
  Reader in(record);
  ThingType type;
  type.name = name;
  type.id = in.Id();
  type.description = in.Text();
  type.created = in.Time();
  bool deprecated = in.U8() == 1;
  Timestamp when = in.Time();
  if (deprecated) type.deprecated = when;
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) type.searchable_attributes.push_back(in.Text());
  return in.Finish(std::move(type), "thing type");
}

std::string Encode(const ThingGroup& group) {
  std::string record;
  Writer out(record);
  out.Id(group.id);
  out.SignedVarint(group.version);
  out.Time(group.created);
  out.Bytes(group.parent);
  out.Bytes(group.description);
  out.Map(group.attributes);
  out.Varint(group.order);
  return record;
}

Result<ThingGroup> DecodeThingGroup(std::string_view name, std::string_view record) {
  Reader in(record);
  ThingGroup group;
  group.name = model::ThingGroupName(name);
  group.id = in.Id();
  group.version = in.SignedVarint();
  group.created = in.Time();
  group.parent = in.Text();
  group.description = in.Text();
  group.attributes = in.Map();
  if (!in.AtEnd()) group.order = in.Varint();
  return in.Finish(std::move(group), "thing group");
}

std::string Encode(const Certificate& certificate) {
  std::string record;
  Writer out(record);
  out.U8(static_cast<std::uint8_t>(certificate.status));
  out.U8(static_cast<std::uint8_t>(certificate.mode));
  out.Bytes(certificate.ca_id);
  out.SignedVarint(certificate.customer_version);
  out.Id(certificate.generation);
  out.Time(certificate.created);
  out.Time(certificate.modified);
  out.Time(certificate.not_before);
  out.Time(certificate.not_after);
  out.Bytes(certificate.serial);
  out.Bytes(certificate.policy_facts);
  return record;
}

Result<Certificate> DecodeCertificate(std::string_view id, std::string_view record) {
  Reader in(record);
  Certificate certificate;
  certificate.id = model::CertificateId(id);
  certificate.status = static_cast<CertificateStatus>(in.U8());
  certificate.mode = static_cast<CertificateMode>(in.U8());
  certificate.ca_id = in.Text();
  certificate.customer_version = in.SignedVarint();
  certificate.generation = in.Id();
  certificate.created = in.Time();
  certificate.modified = in.Time();
  certificate.not_before = in.Time();
  certificate.not_after = in.Time();
  certificate.serial = in.Text();
  certificate.policy_facts = in.Text();
  return in.Finish(std::move(certificate), "certificate");
}

std::string Encode(const CaCertificate& certificate) {
  std::string record;
  Writer out(record);
  out.U8(certificate.active ? 1 : 0);
  out.U8(certificate.auto_registration ? 1 : 0);
  out.U8(static_cast<std::uint8_t>(certificate.mode));
  out.SignedVarint(certificate.customer_version);
  out.Id(certificate.generation);
  out.Time(certificate.created);
  out.Time(certificate.modified);
  out.Time(certificate.not_before);
  out.Time(certificate.not_after);
  auto text = [&out](const std::string& value) { out.Bytes(value); };
  out.Optional(certificate.config, [&](const RegistrationConfig& config) {
    out.Optional(config.template_body, text);
    out.Optional(config.role_arn, text);
    out.Optional(config.template_name, text);
  });
  return record;
}

Result<CaCertificate> DecodeCaCertificate(std::string_view id, std::string_view record) {
  Reader in(record);
  CaCertificate certificate;
  certificate.id = id;
  certificate.active = in.U8() != 0;
  certificate.auto_registration = in.U8() != 0;
  certificate.mode = static_cast<CertificateMode>(in.U8());
  certificate.customer_version = in.SignedVarint();
  certificate.generation = in.Id();
  certificate.created = in.Time();
  certificate.modified = in.Time();
  certificate.not_before = in.Time();
  certificate.not_after = in.Time();
  auto text = [&in] { return in.Text(); };
  certificate.config = in.Optional<RegistrationConfig>([&] {
    RegistrationConfig config;
    config.template_body = in.Optional<std::string>(text);
    config.role_arn = in.Optional<std::string>(text);
    config.template_name = in.Optional<std::string>(text);
    return config;
  });
  return in.Finish(std::move(certificate), "CA certificate");
}

std::string Encode(const Policy& policy) {
  std::string record;
  Writer out(record);
  out.U32(policy.default_version);
  out.U32(policy.next_version);
  out.Id(policy.generation);
  out.Time(policy.created);
  out.Time(policy.modified);
  return record;
}

Result<Policy> DecodePolicy(std::string_view name, std::string_view record) {
  Reader in(record);
  Policy policy;
  policy.name = model::PolicyName(name);
  policy.default_version = in.U32();
  policy.next_version = in.U32();
  policy.generation = in.Id();
  policy.created = in.Time();
  policy.modified = in.Time();
  return in.Finish(std::move(policy), "policy");
}

std::string Encode(const PolicyVersion& version) {
  std::string record;
  Writer out(record);
  out.Time(version.created);
  out.Bytes(version.document);
  return record;
}

Result<PolicyVersion> DecodePolicyVersion(std::uint32_t number, std::string_view record) {
  Reader in(record);
  PolicyVersion version;
  version.number = number;
  version.created = in.Time();
  version.document = in.Text();
  return in.Finish(std::move(version), "policy version");
}

namespace {

void PutRetained(Writer& out, const model::MetricToRetain& metric) {
  out.Bytes(metric.metric);
  out.Optional(metric.dimension, [&](const model::MetricDimension& dimension) {
    out.Bytes(dimension.dimension_name.value());
    out.U8(static_cast<std::uint8_t>(dimension.op));
    out.U8(dimension.op_given ? 1 : 0);
  });
  out.Optional(metric.export_metric, [&](bool value) { out.U8(value ? 1 : 0); });
}

model::MetricToRetain TakeRetained(Reader& in) {
  model::MetricToRetain metric;
  metric.metric = in.Text();
  metric.dimension = in.Optional<model::MetricDimension>([&] {
    model::DimensionName name(in.Text());
    auto op = in.U8() == 0 ? model::DimensionOperator::kIn : model::DimensionOperator::kNotIn;
    return model::MetricDimension{std::move(name), op, in.U8() == 1};
  });
  metric.export_metric = in.Optional<bool>([&] { return in.U8() == 1; });
  return metric;
}

model::Behavior TakeBehavior(Reader& in) {
  auto behavior = model::ParseBehavior(in.Bytes());
  if (behavior.ok()) return std::move(*behavior);
  in.Damaged();
  return {};
}

using AlertTargets = std::map<std::string, model::AlertTarget>;

AlertTargets TakeAlertTargets(Reader& in) {
  AlertTargets targets;
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    std::string type = in.Text(), arn = in.Text();
    targets[std::move(type)] = {std::move(arn), in.Text()};
  }
  return targets;
}

}  // namespace

std::string Encode(const SecurityProfile& profile) {
  std::string record;
  Writer out(record);
  const ProfileContent& content = profile.content;
  auto text = [&](const std::string& value) { out.Bytes(value); };
  out.SignedVarint(profile.version);
  out.Time(profile.created);
  out.Time(profile.modified);
  out.Optional(content.description, text);
  out.Optional(content.behaviors, [&](const std::vector<model::Behavior>& behaviors) {
    out.List(behaviors, [&](const model::Behavior& behavior) { out.Bytes(model::ToJsonText(behavior)); });
  });
  out.List(profile.definition_versions, [&](std::int64_t version) { out.SignedVarint(version); });
  out.Optional(content.alert_targets, [&](const AlertTargets& targets) {
    out.Varint(targets.size());
    for (const auto& [type, target] : targets) {
      out.Bytes(type);
      out.Bytes(target.alert_target_arn);
      out.Bytes(target.role_arn);
    }
  });
  out.Optional(content.metrics_to_retain, [&](const std::vector<std::string>& names) { out.List(names, text); });
  out.Optional(content.metrics_to_retain_v2, [&](const std::vector<model::MetricToRetain>& metrics) {
    out.List(metrics, [&](const model::MetricToRetain& metric) { PutRetained(out, metric); });
  });
  out.Optional(content.metrics_export, [&](const model::MetricsExportConfig& config) {
    out.Bytes(config.mqtt_topic);
    out.Bytes(config.role_arn);
  });
  return record;
}

Result<SecurityProfile> DecodeSecurityProfile(std::string_view name, std::string_view record) {
  Reader in(record);
  SecurityProfile profile;
  ProfileContent& content = profile.content;
  auto text = [&] { return in.Text(); };
  profile.name = model::SecurityProfileName(name);
  profile.version = in.SignedVarint();
  profile.created = in.Time();
  profile.modified = in.Time();
  content.description = in.Optional<std::string>(text);
  content.behaviors = in.Optional<std::vector<model::Behavior>>(
      [&] { return in.List<model::Behavior>([&] { return TakeBehavior(in); }); });
  profile.definition_versions = in.List<std::int64_t>([&] { return in.SignedVarint(); });
  content.alert_targets = in.Optional<AlertTargets>([&] { return TakeAlertTargets(in); });
  content.metrics_to_retain =
      in.Optional<std::vector<std::string>>([&] { return in.List<std::string>(text); });
  content.metrics_to_retain_v2 = in.Optional<std::vector<model::MetricToRetain>>(
      [&] { return in.List<model::MetricToRetain>([&] { return TakeRetained(in); }); });
  content.metrics_export = in.Optional<model::MetricsExportConfig>([&] {
    std::string topic = in.Text();
    return model::MetricsExportConfig{std::move(topic), in.Text()};
  });
  return in.Finish(std::move(profile), "security profile");
}

std::string Encode(const CustomMetric& metric) {
  std::string record;
  Writer out(record);
  out.U32(metric.id);
  out.Bytes(model::CustomMetricTypeName(metric.type));
  out.Optional(metric.display_name, [&](const std::string& name) { out.Bytes(name); });
  out.Bytes(metric.request_token);
  out.Time(metric.created);
  out.Time(metric.modified);
  return record;
}

Result<CustomMetric> DecodeCustomMetric(std::string_view name, std::string_view record) {
  Reader in(record);
  CustomMetric metric;
  metric.name = model::CustomMetricName(name);
  metric.id = in.U32();
  auto type = model::ParseCustomMetricType(in.Bytes());
  if (!type) in.Damaged();
  metric.type = type.value_or(model::CustomMetricType::kNumber);
  metric.display_name = in.Optional<std::string>([&] { return in.Text(); });
  metric.request_token = in.Text();
  metric.created = in.Time();
  metric.modified = in.Time();
  return in.Finish(std::move(metric), "custom metric");
}

std::string Encode(const Dimension& dimension) {
  std::string record;
  Writer out(record);
  out.Varint(dimension.number);
  out.List(dimension.topic_filters, [&](const std::string& filter) { out.Bytes(filter); });
  out.Bytes(dimension.request_token);
  out.Time(dimension.created);
  out.Time(dimension.modified);
  return record;
}

Result<Dimension> DecodeDimension(std::string_view name, std::string_view record) {
  Reader in(record);
  Dimension dimension;
  dimension.name = model::DimensionName(name);
  dimension.number = static_cast<std::uint32_t>(in.Varint());
  dimension.topic_filters = in.List<std::string>([&] { return in.Text(); });
  dimension.request_token = in.Text();
  dimension.created = in.Time();
  dimension.modified = in.Time();
  return in.Finish(std::move(dimension), "dimension");
}

std::string BigEndian64(std::uint64_t value) {
  return BigEndian32(static_cast<std::uint32_t>(value >> 32)) + BigEndian32(static_cast<std::uint32_t>(value));
}

std::string BigEndian32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::optional<std::uint32_t> FromBigEndian32(std::string_view bytes) {
  if (bytes.size() != 4) return std::nullopt;
  std::uint32_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace fleetward::registry
