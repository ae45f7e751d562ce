#include "fleetward/policy/snapshot.h"

#include <array>
#include <bit>

#include "fleetward/base/encoding.h"
#include "snapshot_format.h"

namespace fleetward::policy {
namespace {

static_assert(std::endian::native == std::endian::little, "snapshots are read in place, little-endian");

using format::Load;
using format::Record;

Error Damaged(std::string_view what) { return Error(Code::kCorrupt, "policy snapshot: " + std::string(what)); }

std::string_view BytesOf(const Fingerprint& fingerprint) {
  return {reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()};
}

}  // namespace

std::optional<Fingerprint> FingerprintOf(std::string_view certificate_id) {
  auto bytes = HexDecode(certificate_id);
  Fingerprint fingerprint;
  if (!bytes || bytes->size() != fingerprint.size()) return std::nullopt;
  std::memcpy(fingerprint.data(), bytes->data(), fingerprint.size());
  return fingerprint;
}

std::string CertificateIdOf(const Fingerprint& fingerprint) { return HexEncode(BytesOf(fingerprint)); }

Result<SnapshotView> SnapshotView::Open(std::string_view bytes) {
  if (bytes.size() < format::kHeaderBytes || !bytes.starts_with(format::kMagic)) return Damaged("no snapshot");
  auto version = Load<std::uint32_t>(bytes, format::kAtVersion);
  if (version != format::kVersion) {
    return Error(Code::kInvalidArgument, "policy snapshot: format version " + std::to_string(version) +
                                             " is not known to this program");
  }
  if (Load<std::uint64_t>(bytes, format::kAtHeaderChecksum) != format::HeaderChecksum(bytes)) {
    return Damaged("header checksum");
  }
  if (Load<std::uint32_t>(bytes, format::kAtHeaderBytes) != format::kHeaderBytes ||
      Load<std::uint64_t>(bytes, format::kAtTotalBytes) != bytes.size()) {
    return Damaged("size");
  }
  if (Load<std::uint64_t>(bytes, format::kAtBodyChecksum) != format::BodyChecksum(bytes)) {
    return Damaged("body checksum");
  }
  std::array<std::string_view, format::kSectionCount> sections;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    auto offset = Load<std::uint64_t>(bytes, format::kAtSections + i * 16);
    auto size = Load<std::uint64_t>(bytes, format::kAtSections + i * 16 + 8);
    if (offset > bytes.size() || size > bytes.size() - offset) return Damaged("section bounds");
    sections[i] = bytes.substr(offset, size);
  }
  auto section = [&](format::SectionId id) { return sections[static_cast<std::size_t>(id)]; };
  auto counted = [&](format::SectionId id, std::size_t record) {
    return Section{section(id), static_cast<std::uint32_t>(section(id).size() / record)};
  };
  using enum format::SectionId;
  SnapshotView view;
  view.version_ = Load<std::uint64_t>(bytes, format::kAtSnapshotVersion);
  view.seed_ = Load<std::uint64_t>(bytes, format::kAtSeed);
  view.blobs_ = section(kBlobs);
  view.lists_ = section(kLists);
  view.dimensions_ = section(kDimensions);
  view.certificate_slots_ = section(kCertificateSlots);
  view.thing_slots_ = section(kThingSlots);
  view.certificates_ = counted(kCertificates, format::kCertificateBytes);
  view.things_ = counted(kThings, format::kThingBytes);
  view.policies_ = counted(kPolicies, format::kPolicyBytes);
  view.policy_sets_ = counted(kPolicySets, format::kPolicySetBytes);
  ByteReader info(section(kInfo));
  view.region_ = info.Bytes();
  view.account_id_ = info.Bytes();
  if (!info.ok()) return Damaged("info");
  return view;
}

SnapshotInfo SnapshotView::info() const {
  return {version_, std::string(region_), std::string(account_id_)};
}

std::string_view SnapshotView::Blob(std::uint32_t offset) const {
  if (offset == 0 || offset >= blobs_.size()) return {};
  ByteReader reader(blobs_.substr(offset));
  return reader.Bytes();
}

std::vector<std::uint32_t> SnapshotView::List(std::uint32_t reference) const {
  if (reference == format::kEmptyList) return {};
  if ((reference & format::kInlineList) != 0) return {reference & ~format::kInlineList};
  std::uint64_t at = std::uint64_t{reference} * 4;
  auto count = Load<std::uint32_t>(lists_, at);
  if (at + 4 > lists_.size() || count > (lists_.size() - at - 4) / 4) return {};
  std::vector<std::uint32_t> list(count);
  if (count != 0) std::memcpy(list.data(), lists_.data() + at + 4, std::size_t{count} * 4);
  return list;
}

std::uint32_t SnapshotView::CertificateIndex(const Fingerprint& fingerprint) const {
  std::uint64_t slots = certificate_slots_.size() / 4;
  std::uint64_t slot = slots == 0 ? 0 : format::FirstSlot(HashBytes(BytesOf(fingerprint), seed_), slots);
  for (std::uint64_t tried = 0; tried < slots; ++tried) {
    auto index = Load<std::uint32_t>(certificate_slots_, slot * 4);
    if (index == format::kEmptySlot) break;
    if (Record(certificates_.bytes, format::kCertificateBytes, index).starts_with(BytesOf(fingerprint))) return index;
    if (++slot == slots) slot = 0;
  }
  return format::kEmptySlot;
}

std::string_view SnapshotView::ThingNameAt(std::uint32_t index) const {
  return Blob(Load<std::uint32_t>(Record(things_.bytes, format::kThingBytes, index), format::kThingName));
}

std::uint32_t SnapshotView::ThingIndex(std::string_view name) const {
  std::uint64_t slots = thing_slots_.size() / 4;
  std::uint64_t slot = slots == 0 ? 0 : format::FirstSlot(HashBytes(name, seed_), slots);
  for (std::uint64_t tried = 0; tried < slots && !name.empty(); ++tried) {
    auto index = Load<std::uint32_t>(thing_slots_, slot * 4);
    if (index == format::kEmptySlot) break;
    if (ThingNameAt(index) == name) return index;
    if (++slot == slots) slot = 0;
  }
  return format::kEmptySlot;
}

CertificateEntry SnapshotView::CertificateAt(std::uint32_t index) const {
  CertificateEntry entry;
  std::string_view record = Record(certificates_.bytes, format::kCertificateBytes, index);
  if (record.empty()) return entry;
  std::memcpy(entry.fingerprint.data(), record.data(), entry.fingerprint.size());
  entry.not_after = FromMillis(Load<std::int64_t>(record, format::kCertNotAfter));
  entry.policy_set = Load<std::uint32_t>(record, format::kCertPolicySet);
  entry.attributes = Blob(Load<std::uint32_t>(record, format::kCertAttributes));
  entry.serial = Blob(Load<std::uint32_t>(record, format::kCertSerial));
  for (std::uint32_t name : List(Load<std::uint32_t>(record, format::kCertThings))) {
    entry.things.emplace_back(Blob(name));
  }
  auto status = Load<std::uint8_t>(record, format::kCertStatus);
  bool known = status <= static_cast<std::uint8_t>(CertificateStatus::kPendingActivation);
  entry.status = known ? static_cast<CertificateStatus>(status) : CertificateStatus::kRevoked;
  entry.alone = (Load<std::uint8_t>(record, format::kCertFlags) & format::kCertAlone) != 0;
  return entry;
}

ThingEntry SnapshotView::ThingAt(std::uint32_t index) const {
  ThingEntry entry;
  std::string_view record = Record(things_.bytes, format::kThingBytes, index);
  if (record.empty()) return entry;
  entry.name = Blob(Load<std::uint32_t>(record, format::kThingName));
  entry.type = Blob(Load<std::uint32_t>(record, format::kThingType));
  entry.attributes = Blob(Load<std::uint32_t>(record, format::kThingAttributes));
  entry.policy_set = Load<std::uint32_t>(record, format::kThingPolicySet);
  for (std::uint32_t certificate : List(Load<std::uint32_t>(record, format::kThingCertificates))) {
    entry.certificates.push_back(CertificateAt(certificate).fingerprint);
  }
  auto override_set = Load<std::uint32_t>(record, format::kThingOverride);
  if (override_set != format::kNoOverride) entry.override_policies = ThingOverride{override_set};
  return entry;
}

std::optional<CertificateEntry> SnapshotView::FindCertificate(const Fingerprint& fingerprint) const {
  std::uint32_t index = CertificateIndex(fingerprint);
  if (index == format::kEmptySlot) return std::nullopt;
  return CertificateAt(index);
}

std::optional<ThingEntry> SnapshotView::FindThing(std::string_view name) const {
  std::uint32_t index = ThingIndex(name);
  if (index == format::kEmptySlot) return std::nullopt;
  return ThingAt(index);
}

PolicyRef SnapshotView::FindPolicy(PolicyNumber number) const {
  std::string_view record = Record(policies_.bytes, format::kPolicyBytes, number);
  return {Blob(Load<std::uint32_t>(record, 0)), Blob(Load<std::uint32_t>(record, 4))};
}

std::optional<std::vector<PolicyNumber>> SnapshotView::FindPolicySet(PolicySetNumber number) const {
  std::string_view record = Record(policy_sets_.bytes, format::kPolicySetBytes, number);
  auto reference = Load<std::uint32_t>(record, 0);
  if (record.empty() || reference == format::kAbsentSet) return std::nullopt;
  return List(reference);
}

std::vector<DimensionEntry> SnapshotView::Dimensions() const {
  std::vector<DimensionEntry> dimensions;
  ByteReader reader(dimensions_);
  while (reader.ok() && !reader.AtEnd()) {
    DimensionEntry entry;
    entry.name = reader.Bytes();
    std::uint64_t filters = reader.Varint();
    for (std::uint64_t i = 0; i < filters && reader.ok(); ++i) entry.filters.emplace_back(reader.Bytes());
    entry.in = static_cast<std::uint32_t>(reader.Varint());
    entry.not_in = static_cast<std::uint32_t>(reader.Varint());
    if (reader.ok()) dimensions.push_back(std::move(entry));
  }
  return dimensions;
}

}  // namespace fleetward::policy
