#include "fleetward/policy/snapshot_delta.h"

#include <cstring>

#include "fleetward/base/encoding.h"
#include "hashing.h"

namespace fleetward::policy {
namespace {

constexpr std::string_view kMagic = "FWPDELTA";
constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kSalt = 0x44;
constexpr std::uint32_t kNoOverride = 0xfffffffe;

/// Sent: the values must not change.
enum class ChangeCode : std::uint8_t {
  kCertificate = 0, kThing = 1, kPolicy = 2, kPolicySet = 3, kRemoveCertificate = 4, kRemoveThing = 5,
  kRemovePolicy = 6, kRemovePolicySet = 7, kSetDimensions = 8,
};

constexpr std::uint8_t kAloneBit = 0x80;  // with a certificate's status

class Encoder {
 public:
  explicit Encoder(std::string& out) : w_(out) {}

  void operator()(const CertificateEntry& e) {
    Op(ChangeCode::kCertificate);
    Put(e.fingerprint);
    w_.U8(static_cast<std::uint8_t>(static_cast<unsigned>(e.status) | (e.alone ? kAloneBit : 0)));
    w_.SignedVarint(ToMillis(e.not_after));
    w_.Bytes(e.serial);
    w_.Bytes(e.attributes);
    w_.U32(e.policy_set);
    w_.Varint(e.things.size());
    for (const std::string& thing : e.things) w_.Bytes(thing);
  }
  void operator()(const ThingEntry& e) {
    Op(ChangeCode::kThing);
    w_.Bytes(e.name);
    w_.Bytes(e.type);
    w_.Bytes(e.attributes);
    w_.U32(e.policy_set);
    w_.U32(e.override_policies ? e.override_policies->policy_set : kNoOverride);
    w_.Varint(e.certificates.size());
    for (const Fingerprint& certificate : e.certificates) Put(certificate);
  }
  void operator()(const PolicyEntry& e) {
    Op(ChangeCode::kPolicy);
    w_.Varint(e.number);
    w_.Bytes(e.name);
    w_.Bytes(e.body);
  }
  void operator()(const PolicySetEntry& e) {
    Op(ChangeCode::kPolicySet);
    w_.Varint(e.number);
    w_.Varint(e.policies.size());
    for (PolicyNumber number : e.policies) w_.Varint(number);
  }
  void operator()(const RemoveCertificate& e) {
    Op(ChangeCode::kRemoveCertificate);
    Put(e.fingerprint);
  }
  void operator()(const RemoveThing& e) {
    Op(ChangeCode::kRemoveThing);
    w_.Bytes(e.name);
  }
  void operator()(const RemovePolicy& e) {
    Op(ChangeCode::kRemovePolicy);
    w_.Varint(e.number);
  }
  void operator()(const RemovePolicySet& e) {
    Op(ChangeCode::kRemovePolicySet);
    w_.Varint(e.number);
  }
  void operator()(const SetDimensions& e) {
    Op(ChangeCode::kSetDimensions);
    w_.Varint(e.dimensions.size());
    for (const DimensionEntry& dimension : e.dimensions) {
      w_.Bytes(dimension.name);
      w_.Varint(dimension.filters.size());
      for (const std::string& filter : dimension.filters) w_.Bytes(filter);
      w_.Varint(dimension.in);
      w_.Varint(dimension.not_in);
    }
  }

 private:
  void Op(ChangeCode code) { w_.U8(static_cast<std::uint8_t>(code)); }
  void Put(const Fingerprint& f) { w_.Raw({reinterpret_cast<const char*>(f.data()), f.size()}); }
  ByteWriter w_;
};

class Decoder {
 public:
  explicit Decoder(ByteReader& reader) : r_(reader) {}

  std::optional<SnapshotChange> Next() {
    switch (static_cast<ChangeCode>(r_.U8())) {
      case ChangeCode::kCertificate: return Certificate();
      case ChangeCode::kThing: return Thing();
      case ChangeCode::kPolicy: {
        PolicyEntry e;
        e.number = Number();
        e.name = r_.Bytes();
        e.body = r_.Bytes();
        return e;
      }
      case ChangeCode::kPolicySet: {
        PolicySetEntry e;
        e.number = Number();
        ForEach([&] { e.policies.push_back(Number()); });
        return e;
      }
      case ChangeCode::kRemoveCertificate: return RemoveCertificate{TakeFingerprint()};
      case ChangeCode::kRemoveThing: return RemoveThing{std::string(r_.Bytes())};
      case ChangeCode::kRemovePolicy: return RemovePolicy{Number()};
      case ChangeCode::kRemovePolicySet: return RemovePolicySet{Number()};
      case ChangeCode::kSetDimensions: {
        SetDimensions e;
        ForEach([&] {
          DimensionEntry dimension;
          dimension.name = r_.Bytes();
          ForEach([&] { dimension.filters.emplace_back(r_.Bytes()); });
          dimension.in = static_cast<std::uint32_t>(r_.Varint());
          dimension.not_in = static_cast<std::uint32_t>(r_.Varint());
          e.dimensions.push_back(std::move(dimension));
        });
        return e;
      }
    }
    return std::nullopt;
  }

  bool good() const { return good_ && r_.ok(); }

 private:
  SnapshotChange Certificate() {
    CertificateEntry e;
    e.fingerprint = TakeFingerprint();
    std::uint8_t status = r_.U8();
    e.alone = (status & kAloneBit) != 0;
    status &= static_cast<std::uint8_t>(~kAloneBit);
    if (status > static_cast<std::uint8_t>(CertificateStatus::kPendingActivation)) good_ = false;
    e.status = static_cast<CertificateStatus>(status);
    e.not_after = FromMillis(r_.SignedVarint());
    e.serial = r_.Bytes();
    e.attributes = r_.Bytes();
    e.policy_set = r_.U32();
    ForEach([&] { e.things.emplace_back(r_.Bytes()); });
    return e;
  }
  SnapshotChange Thing() {
    ThingEntry e;
    e.name = r_.Bytes();
    if (e.name.empty()) good_ = false;
    e.type = r_.Bytes();
    e.attributes = r_.Bytes();
    e.policy_set = r_.U32();
    std::uint32_t override_set = r_.U32();
    if (override_set != kNoOverride) e.override_policies = ThingOverride{override_set};
    ForEach([&] { e.certificates.push_back(TakeFingerprint()); });
    return e;
  }
  std::uint32_t Number() {
    std::uint64_t value = r_.Varint();
    if (value > 0xffffffff) good_ = false;
    return static_cast<std::uint32_t>(value);
  }
  Fingerprint TakeFingerprint() {
    Fingerprint fingerprint{};
    std::string_view raw = r_.Raw(fingerprint.size());
    if (raw.size() == fingerprint.size()) std::memcpy(fingerprint.data(), raw.data(), raw.size());
    return fingerprint;
  }
  void ForEach(auto take) {
    std::uint64_t count = r_.Varint();
    for (std::uint64_t i = 0; i < count && r_.ok(); ++i) take();
  }

  ByteReader& r_;
  bool good_ = true;
};

}  // namespace

std::string EncodeDelta(const SnapshotDelta& delta) {
  std::string out(kMagic);
  ByteWriter writer(out);
  writer.U8(kFormat);
  writer.U64(delta.from_version);
  writer.U64(delta.to_version);
  writer.Varint(delta.changes.size());
  Encoder encoder(out);
  for (const SnapshotChange& change : delta.changes) std::visit(encoder, change);
  writer.U64(HashBytes(out, kSalt));
  return out;
}

Result<SnapshotDelta> DecodeDelta(std::string_view bytes) {
  Error damaged(Code::kCorrupt, "policy snapshot delta is damaged");
  if (bytes.size() < kMagic.size() + 9 || !bytes.starts_with(kMagic)) return damaged;
  std::string_view body = bytes.substr(0, bytes.size() - 8);
  if (ByteReader(bytes.substr(bytes.size() - 8)).U64() != HashBytes(body, kSalt)) return damaged;
  ByteReader reader(body.substr(kMagic.size()));
  std::uint8_t format = reader.U8();
  if (format != kFormat) {
    return Error(Code::kInvalidArgument, "policy snapshot delta: unknown format " + std::to_string(format));
  }
  SnapshotDelta delta;
  delta.from_version = reader.U64();
  delta.to_version = reader.U64();
  std::uint64_t count = reader.Varint();
  Decoder decoder(reader);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto change = decoder.Next();
    if (!change || !decoder.good()) return damaged;
    delta.changes.push_back(std::move(*change));
  }
  if (!reader.ok() || !reader.AtEnd() || delta.to_version <= delta.from_version) return damaged;
  return delta;
}

}  // namespace fleetward::policy
