#include "records.h"

#include "fleetward/base/encoding.h"

namespace fleetward::registry {
namespace {

constexpr std::uint8_t kVersion = 1;

class Writer : public ByteWriter {
 public:
  explicit Writer(std::string& out) : ByteWriter(out) { U8(kVersion); }
  void Time(Timestamp time) { SignedVarint(ToMillis(time)); }
  void Id(const Id128& id) { Raw(id.Bytes()); }
  void Map(const Attributes& attributes) {
    Varint(attributes.size());
    for (const auto& [name, value] : attributes) {
      Bytes(name);
      Bytes(value);
    }
  }
};

class Reader : public ByteReader {
 public:
  explicit Reader(std::string_view in) : ByteReader(in) { good_ = U8() == kVersion; }
  Timestamp Time() { return FromMillis(SignedVarint()); }
  Id128 Id() { return Id128::FromBytes(Raw(16)).value_or(Id128{}); }
  std::string Text() { return std::string(Bytes()); }
  Attributes Map() {
    Attributes attributes;
    for (std::uint64_t left = Varint(); left > 0 && ok(); --left) {
      std::string name = Text();
      attributes[std::move(name)] = Text();
    }
    return attributes;
  }
  template <class T>
  Result<T> Finish(T value, std::string_view what) {
    if (good_ && ok() && AtEnd()) return value;
    return Error(Code::kCorrupt, "the stored " + std::string(what) + " is damaged");
  }

 private:
  bool good_;
};

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
