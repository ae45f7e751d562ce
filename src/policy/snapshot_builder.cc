#include "fleetward/policy/snapshot_builder.h"

#include <array>
#include <unordered_map>

#include "fleetward/base/encoding.h"
#include "snapshot_format.h"

namespace fleetward::policy {
namespace {

constexpr std::uint64_t kMaxBlobs = format::kInlineList;  // name blobs are held in list references
constexpr std::uint32_t kMaxNumber = 1 << 24;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return HashBytes(text, 7); }
};

void AppendU32(std::string& out, std::uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

struct SnapshotBuilder::State {
  struct Certificate {
    Fingerprint fingerprint;
    std::int64_t not_after;
    std::uint32_t policy_set, attributes, things, serial;
    std::uint8_t status, flags;
  };
  struct Thing {
    std::uint32_t name, type, attributes, policy_set, override_set;
    std::vector<Fingerprint> certificates;
  };

  SnapshotInfo info;
  std::string blobs = std::string(1, '\0');  // offset 0 is the empty blob
  std::string lists;
  std::string dimensions;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> interned;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> names;
  std::vector<Certificate> certificates;
  std::vector<Thing> things;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> policies;
  std::vector<std::optional<std::vector<PolicyNumber>>> sets;
  std::optional<Error> error;

  void Fail(Error why) {
    if (!error) error = std::move(why);
  }

  std::uint32_t AddBlob(std::string_view text) {
    if (text.empty()) return 0;
    if (blobs.size() + text.size() + 10 > kMaxBlobs) {
      Fail(Error(Code::kLimitExceeded, "policy snapshot: more than 2 GiB of names and policies"));
      return 0;
    }
    auto offset = static_cast<std::uint32_t>(blobs.size());
    ByteWriter(blobs).Bytes(text);
    return offset;
  }

  std::uint32_t Intern(std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>>& table,
                       std::string_view text) {
    if (text.empty()) return 0;
    auto found = table.find(text);
    if (found != table.end()) return found->second;
    std::uint32_t offset = AddBlob(text);
    table.emplace(std::string(text), offset);
    return offset;
  }

  std::uint32_t AddList(const std::vector<std::uint32_t>& values) {
    if (values.empty()) return format::kEmptyList;
    // The all-ones inline value would read as the empty list.
    if (values.size() == 1 && values[0] < format::kInlineList - 2) return values[0] | format::kInlineList;
    auto reference = static_cast<std::uint32_t>(lists.size() / 4);
    AppendU32(lists, static_cast<std::uint32_t>(values.size()));
    for (std::uint32_t value : values) AppendU32(lists, value);
    return reference;
  }

  bool HasSet(PolicySetNumber number) const {
    return number == kNoPolicySet || (number < sets.size() && sets[number].has_value());
  }
};

SnapshotBuilder::SnapshotBuilder(SnapshotInfo info) : state_(std::make_unique<State>()) {
  state_->info = std::move(info);
}
SnapshotBuilder::SnapshotBuilder(SnapshotBuilder&&) noexcept = default;
SnapshotBuilder& SnapshotBuilder::operator=(SnapshotBuilder&&) noexcept = default;
SnapshotBuilder::~SnapshotBuilder() = default;

void SnapshotBuilder::Reserve(std::size_t certificates, std::size_t things) {
  state_->certificates.reserve(certificates);
  state_->things.reserve(things);
  state_->names.reserve(things);
}

void SnapshotBuilder::AddPolicy(const PolicyEntry& entry) {
  State& s = *state_;
  if (entry.number >= kMaxNumber) return s.Fail(Error(Code::kInvalidArgument, "policy snapshot: policy number"));
  if (s.policies.size() <= entry.number) s.policies.resize(entry.number + 1);
  s.policies[entry.number] = {s.Intern(s.interned, entry.name), s.Intern(s.interned, entry.body)};
}

void SnapshotBuilder::AddPolicySet(const PolicySetEntry& entry) {
  State& s = *state_;
  if (entry.number >= kMaxNumber) return s.Fail(Error(Code::kInvalidArgument, "policy snapshot: set number"));
  if (s.sets.size() <= entry.number) s.sets.resize(entry.number + 1);
  s.sets[entry.number] = entry.policies;
}

void SnapshotBuilder::AddCertificate(const CertificateEntry& entry) {
  State& s = *state_;
  std::vector<std::uint32_t> things;
  for (const std::string& name : entry.things) things.push_back(s.Intern(s.names, name));
  s.certificates.push_back({entry.fingerprint, ToMillis(entry.not_after), entry.policy_set,
                            s.Intern(s.interned, entry.attributes), s.AddList(things), s.AddBlob(entry.serial),
                            static_cast<std::uint8_t>(entry.status), entry.alone ? format::kCertAlone : std::uint8_t{0}});
}

void SnapshotBuilder::AddThing(const ThingEntry& entry) {
  State& s = *state_;
  if (entry.name.empty()) return s.Fail(Error(Code::kInvalidArgument, "policy snapshot: a thing without a name"));
  std::uint32_t override_set = entry.override_policies ? entry.override_policies->policy_set : format::kNoOverride;
  s.things.push_back({s.Intern(s.names, entry.name), s.Intern(s.interned, entry.type),
                      s.Intern(s.interned, entry.attributes), entry.policy_set, override_set, entry.certificates});
}

void SnapshotBuilder::AddDimension(const DimensionEntry& entry) {
  ByteWriter writer(state_->dimensions);
  writer.Bytes(entry.name);
  writer.Varint(entry.filters.size());
  for (const std::string& filter : entry.filters) writer.Bytes(filter);
  writer.Varint(entry.in);
  writer.Varint(entry.not_in);
}

namespace {

std::string_view BytesOf(const Fingerprint& fingerprint) {
  return {reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()};
}

/// An open-addressing table of indexes. `key(i)` gives the i-th key's text. False when two keys are equal.
template <class KeyOf>
bool FillSlots(std::uint32_t count, std::uint64_t seed, KeyOf key, std::vector<std::uint32_t>& slots) {
  slots.assign(format::SlotsFor(count), format::kEmptySlot);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t slot = format::FirstSlot(HashBytes(key(i), seed), slots.size());
    for (; slots[slot] != format::kEmptySlot; slot = slot + 1 == slots.size() ? 0 : slot + 1) {
      if (key(slots[slot]) == key(i)) return false;
    }
    slots[slot] = i;
  }
  return true;
}

std::uint32_t FindSlot(const std::vector<std::uint32_t>& slots, std::uint64_t seed, std::string_view wanted,
                       auto key) {
  std::uint64_t slot = format::FirstSlot(HashBytes(wanted, seed), slots.size());
  for (; slots[slot] != format::kEmptySlot; slot = slot + 1 == slots.size() ? 0 : slot + 1) {
    if (key(slots[slot]) == wanted) return slots[slot];
  }
  return format::kEmptySlot;
}

std::string_view AsBytes(const std::vector<std::uint32_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * 4};
}

}  // namespace

Result<std::string> SnapshotBuilder::Build(std::uint64_t seed) {
  State& s = *state_;
  auto bad = [](std::string_view what) {
    return Error(Code::kInvalidArgument, "policy snapshot: " + std::string(what));
  };
  if (s.error) return *s.error;

  std::string policies;
  for (auto [name, body] : s.policies) {
    AppendU32(policies, name);
    AppendU32(policies, body);
  }
  std::string sets;
  for (const auto& set : s.sets) {
    for (PolicyNumber number : set.value_or(std::vector<PolicyNumber>{})) {
      if (number >= s.policies.size() || s.policies[number].second == 0) return bad("a set names an unknown policy");
    }
    AppendU32(sets, set ? s.AddList(*set) : format::kAbsentSet);
  }

  std::string certificates(s.certificates.size() * format::kCertificateBytes, '\0');
  for (std::size_t i = 0; i < s.certificates.size(); ++i) {
    const State::Certificate& c = s.certificates[i];
    if (!s.HasSet(c.policy_set)) return bad("a certificate names an unknown policy set");
    std::size_t at = i * format::kCertificateBytes;
    std::memcpy(certificates.data() + at, c.fingerprint.data(), c.fingerprint.size());
    format::Store(certificates, at + format::kCertNotAfter, c.not_after);
    format::Store(certificates, at + format::kCertPolicySet, c.policy_set);
    format::Store(certificates, at + format::kCertAttributes, c.attributes);
    format::Store(certificates, at + format::kCertThings, c.things);
    format::Store(certificates, at + format::kCertSerial, c.serial);
    format::Store(certificates, at + format::kCertStatus, c.status);
    format::Store(certificates, at + format::kCertFlags, c.flags);
  }
  std::vector<std::uint32_t> certificate_slots;
  auto fingerprint = [&](std::uint32_t i) { return BytesOf(s.certificates[i].fingerprint); };
  if (!FillSlots(static_cast<std::uint32_t>(s.certificates.size()), seed, fingerprint, certificate_slots)) {
    return bad("a certificate is there twice");
  }

  std::string things(s.things.size() * format::kThingBytes, '\0');
  for (std::size_t i = 0; i < s.things.size(); ++i) {
    const State::Thing& t = s.things[i];
    if (!s.HasSet(t.policy_set)) return bad("a thing names an unknown policy set");
    if (t.override_set != format::kNoOverride && !s.HasSet(t.override_set)) return bad("an override's set is unknown");
    std::vector<std::uint32_t> indexes;
    for (const Fingerprint& attached : t.certificates) {
      std::uint32_t index = FindSlot(certificate_slots, seed, BytesOf(attached), fingerprint);
      if (index == format::kEmptySlot) return bad("a thing names an unknown certificate");
      indexes.push_back(index);
    }
    std::size_t at = i * format::kThingBytes;
    format::Store(things, at + format::kThingName, t.name);
    format::Store(things, at + format::kThingType, t.type);
    format::Store(things, at + format::kThingAttributes, t.attributes);
    format::Store(things, at + format::kThingPolicySet, t.policy_set);
    format::Store(things, at + format::kThingCertificates, s.AddList(indexes));
    format::Store(things, at + format::kThingOverride, t.override_set);
  }
  std::vector<std::uint32_t> thing_slots;
  auto thing_name = [&](std::uint32_t i) {
    ByteReader reader(std::string_view(s.blobs).substr(s.things[i].name));
    return reader.Bytes();
  };
  if (!FillSlots(static_cast<std::uint32_t>(s.things.size()), seed, thing_name, thing_slots)) {
    return bad("a thing is there twice");
  }

  std::string info;
  ByteWriter info_writer(info);
  info_writer.Bytes(s.info.region);
  info_writer.Bytes(s.info.account_id);

  std::array<std::string_view, format::kSectionCount> sections{
      s.blobs, s.lists, certificates, AsBytes(certificate_slots), things, AsBytes(thing_slots),
      policies, sets, s.dimensions, info};
  std::size_t total = format::kHeaderBytes;
  for (std::string_view section : sections) total += (section.size() + 7) / 8 * 8;
  std::string out;
  out.reserve(total);
  out.assign(format::kHeaderBytes, '\0');
  std::memcpy(out.data(), format::kMagic.data(), format::kMagic.size());
  format::Store(out, format::kAtVersion, format::kVersion);
  format::Store(out, format::kAtHeaderBytes, static_cast<std::uint32_t>(format::kHeaderBytes));
  format::Store(out, format::kAtTotalBytes, static_cast<std::uint64_t>(total));
  format::Store(out, format::kAtSnapshotVersion, s.info.version);
  format::Store(out, format::kAtSeed, seed);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    format::Store(out, format::kAtSections + i * 16, static_cast<std::uint64_t>(out.size()));
    format::Store(out, format::kAtSections + i * 16 + 8, static_cast<std::uint64_t>(sections[i].size()));
    out.append(sections[i]);
    out.append((8 - out.size() % 8) % 8, '\0');
  }
  format::Seal(out);
  return out;
}

}  // namespace fleetward::policy
