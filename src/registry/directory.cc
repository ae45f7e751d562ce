#include "fleetward/registry/directory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <type_traits>

#include "access.h"
#include "fleetward/crypto/digest.h"
#include "flat_index.h"

namespace fleetward::registry {
namespace {

using Number = std::uint32_t;
constexpr Number kNone = 0xffffffff;
constexpr Number kMany = 0x80000000;  // the rest is an index into the lists of several things

std::uint64_t HashOf(std::string_view text) { return std::hash<std::string_view>{}(text); }
// A digest is its own hash.
std::uint64_t HashOf(const policy::Fingerprint& fingerprint) {
  std::uint64_t hash = 0;
  std::memcpy(&hash, fingerprint.data(), sizeof hash);
  return hash;
}

// A thing's name in one allocation of exactly its size: names are up to 128 bytes.
class ShortName {
 public:
  ShortName() = default;
  explicit ShortName(std::string_view name) : bytes_(new char[name.size() + 1]) {
    bytes_[0] = static_cast<char>(name.size());
    std::memcpy(&bytes_[1], name.data(), name.size());
  }
  std::string_view view() const {
    if (!bytes_) return {};
    return {&bytes_[1], static_cast<unsigned char>(bytes_[0])};
  }
  const void* address() const { return bytes_.get(); }

 private:
  std::unique_ptr<char[]> bytes_;
};

struct ThingSlot {
  model::EntityId entity;
  ShortName name;
  Number groups = 0;  // a group set; 0 is the empty one
};

struct CertificateSlot {
  policy::Fingerprint fingerprint{};
  Number things = kNone;  // a thing, or kMany | list
  policy::CertificateStatus status = policy::CertificateStatus::kInactive;
};

struct ThingHash {
  const std::vector<ThingSlot>* slots;
  std::uint64_t operator()(Number number) const { return HashOf((*slots)[number].name.view()); }
};
struct CertificateHash {
  const std::vector<CertificateSlot>* slots;
  std::uint64_t operator()(Number number) const { return HashOf((*slots)[number].fingerprint); }
};

struct Group {
  std::string name;
  Number parent = kNone;
};

}  // namespace

struct Directory::State {
  mutable std::shared_mutex mutex;
  std::vector<ThingSlot> things;
  std::vector<Number> free_things;
  FlatIndex<ThingHash> thing_index{ThingHash{&things}};
  std::vector<CertificateSlot> certificates;
  std::vector<Number> free_certificates;
  FlatIndex<CertificateHash> certificate_index{CertificateHash{&certificates}};
  std::vector<std::vector<Number>> thing_lists;
  std::vector<Number> free_lists;
  std::vector<Group> groups;
  std::map<std::string, Number, std::less<>> group_index;
  // Things of the same groups share one sorted list of them.
  std::vector<std::vector<Number>> group_sets{{}};
  std::map<std::vector<Number>, Number> group_set_index{{{}, 0}};

  Number FindThing(std::string_view name) const {
    return thing_index.Find(HashOf(name), [&](Number number) { return things[number].name.view() == name; });
  }
  Number FindCertificate(const policy::Fingerprint& fingerprint) const {
    return certificate_index.Find(HashOf(fingerprint),
                                  [&](Number number) { return certificates[number].fingerprint == fingerprint; });
  }

  void PutThing(std::string_view name, model::EntityId entity) {
    Number number = FindThing(name);
    if (number == kNone) {
      number = Take(things, free_things);
      things[number] = ThingSlot{entity, ShortName(name), 0};
      thing_index.Insert(HashOf(name), number);
    }
    things[number].entity = entity;
  }

  void RemoveThing(std::string_view name) {
    Number number = FindThing(name);
    if (number == kNone) return;
    thing_index.Erase(HashOf(name), number);
    things[number] = ThingSlot{};
    free_things.push_back(number);
  }

  void PutCertificate(const policy::Fingerprint& fingerprint, policy::CertificateStatus status) {
    Number number = FindCertificate(fingerprint);
    if (number == kNone) {
      number = Take(certificates, free_certificates);
      certificates[number] = CertificateSlot{fingerprint, kNone, status};
      certificate_index.Insert(HashOf(fingerprint), number);
    }
    certificates[number].status = status;
  }

  void RemoveCertificate(const policy::Fingerprint& fingerprint) {
    Number number = FindCertificate(fingerprint);
    if (number == kNone) return;
    certificate_index.Erase(HashOf(fingerprint), number);
    certificates[number] = CertificateSlot{};
    free_certificates.push_back(number);
  }

  std::vector<Number> ThingsOf(const CertificateSlot& certificate) const {
    if (certificate.things == kNone) return {};
    if (certificate.things & kMany) return thing_lists[certificate.things & ~kMany];
    return {certificate.things};
  }

  void SetThings(CertificateSlot& certificate, std::vector<Number> now) {
    if (certificate.things != kNone && certificate.things & kMany) {
      thing_lists[certificate.things & ~kMany].clear();
      free_lists.push_back(certificate.things & ~kMany);
    }
    if (now.empty()) {
      certificate.things = kNone;
    } else if (now.size() == 1) {
      certificate.things = now.front();
    } else {
      Number list = Take(thing_lists, free_lists);
      thing_lists[list] = std::move(now);
      certificate.things = kMany | list;
    }
  }

  void Attach(std::string_view certificate_id, std::string_view thing, bool attached) {
    auto fingerprint = policy::FingerprintOf(certificate_id);
    Number certificate = fingerprint ? FindCertificate(*fingerprint) : kNone, number = FindThing(thing);
    if (certificate == kNone || number == kNone) return;
    std::vector<Number> list = ThingsOf(certificates[certificate]);
    std::erase(list, number);
    if (attached) list.push_back(number);
    SetThings(certificates[certificate], std::move(list));
  }

  Number GroupNumber(std::string_view name) {
    auto found = group_index.find(name);
    if (found != group_index.end()) return found->second;
    groups.push_back(Group{std::string(name), kNone});
    Number number = static_cast<Number>(groups.size() - 1);
    group_index.emplace(name, number);
    return number;
  }

  Number GroupSet(std::vector<Number> members) {
    std::sort(members.begin(), members.end());
    auto [entry, added] = group_set_index.try_emplace(members, static_cast<Number>(group_sets.size()));
    if (added) group_sets.push_back(std::move(members));
    return entry->second;
  }

  void Join(std::string_view thing, std::string_view group, bool member) {
    Number number = FindThing(thing);
    if (number == kNone) return;
    std::vector<Number> members = group_sets[things[number].groups];
    Number group_number = GroupNumber(group);
    std::erase(members, group_number);
    if (member) members.push_back(group_number);
    things[number].groups = GroupSet(std::move(members));
  }

  void PutGroup(const ThingGroup& group) {
    Number number = GroupNumber(group.name.value());
    groups[number].parent = group.parent.empty() ? kNone : GroupNumber(group.parent);
  }

  template <class T>
  static Number Take(std::vector<T>& slots, std::vector<Number>& free) {
    if (!free.empty()) {
      Number number = free.back();
      free.pop_back();
      return number;
    }
    slots.emplace_back();
    return static_cast<Number>(slots.size() - 1);
  }

  Status LoadFrom(ConstReader reader);
  void Handle(const Change& change);
};

namespace {

// Calls fn(first part, second part) for each entry of a table of links.
template <class Fn>
Status EachLink(ConstReader reader, const Table& table, Fn&& fn) {
  return reader.Scan(table, "", "", [&](std::string_view key, std::string_view) {
    auto parts = store::SplitOrderedKey(key);
    if (parts && parts->size() == 2) fn((*parts)[0], (*parts)[1]);
    return true;
  });
}

}  // namespace

Status Directory::State::LoadFrom(ConstReader reader) {
  Status damaged;
  auto note = [&](auto& decoded) {
    if (!decoded.ok()) damaged = decoded.error();
    return decoded.ok();
  };
  FW_TRY(reader.Scan(kThingGroups, "", "", [&](std::string_view key, std::string_view value) {
    auto group = DecodeThingGroup(key, value);
    if (note(group)) PutGroup(*group);
    return damaged.ok();
  }));
  FW_TRY(reader.Scan(kThings, "", "", [&](std::string_view key, std::string_view value) {
    auto thing = DecodeThing(key, value);
    if (note(thing)) PutThing(key, thing->id);
    return damaged.ok();
  }));
  FW_TRY(reader.Scan(kCertificates, "", "", [&](std::string_view key, std::string_view value) {
    auto certificate = DecodeCertificate(key, value);
    auto fingerprint = policy::FingerprintOf(key);
    if (note(certificate) && fingerprint) PutCertificate(*fingerprint, certificate->status);
    return damaged.ok();
  }));
  FW_TRY(damaged);
  things.shrink_to_fit();
  certificates.shrink_to_fit();
  FW_TRY(EachLink(reader, kGroupsOfThing, [&](auto& thing, auto& group) { Join(thing, group, true); }));
  return EachLink(reader, kPrincipalThings, [&](auto& id, auto& thing) { Attach(id, thing, true); });
}

void Directory::State::Handle(const Change& change) {
  std::visit(
      [&](const auto& event) {
        using Event = std::decay_t<decltype(event)>;
        if constexpr (std::is_same_v<Event, ThingChanged>) {
          if (event.now) {
            PutThing(event.name.value(), event.now->id);
          } else {
            RemoveThing(event.name.value());
          }
        } else if constexpr (std::is_same_v<Event, ThingGroupChanged>) {
          if (event.now) PutGroup(*event.now);
        } else if constexpr (std::is_same_v<Event, MembershipChanged>) {
          Join(event.thing.value(), event.group.value(), event.member);
        } else if constexpr (std::is_same_v<Event, CertificateChanged>) {
          auto fingerprint = policy::FingerprintOf(event.id.value());
          if (!fingerprint) return;
          if (event.now) {
            PutCertificate(*fingerprint, *event.now);
          } else {
            RemoveCertificate(*fingerprint);
          }
        } else if constexpr (std::is_same_v<Event, AttachmentChanged>) {
          Attach(event.certificate.value(), event.thing.value(), event.attached);
        }
      },
      change);
}

model::EntityId UnregisteredEntity(const model::AccountId& account, std::string_view name) {
  std::string text("unregistered\0", 13);
  text.append(account.value()).push_back('\0');
  text.append(name);
  return *Id128::FromBytes(std::string_view(crypto::Sha256(text)).substr(0, 16));
}

Directory::Directory(model::AccountId account) : state_(std::make_unique<State>()), account_(std::move(account)) {}
Directory::~Directory() = default;

Status Directory::Load(const store::ControlStore& store) {
  auto fresh = std::make_unique<State>();
  FW_TRY(store.Read([&](ConstReader reader) { return fresh->LoadFrom(reader); }));
  state_ = std::move(fresh);
  return {};
}

void Directory::OnChanges(std::span<const Change> changes) {
  std::unique_lock lock(state_->mutex);
  for (const Change& change : changes) state_->Handle(change);
}

ThingIdentity Directory::Identify(std::string_view thing_name) const {
  {
    std::shared_lock lock(state_->mutex);
    Number number = state_->FindThing(thing_name);
    if (number != kNone) return {state_->things[number].entity, true};
  }
  return {UnregisteredEntity(account_, thing_name), false};
}

void Directory::Prefetch(std::span<const std::string_view> thing_names) const {
  constexpr std::size_t kMost = 64;
  std::array<std::uint64_t, kMost> hashes;
  std::size_t count = std::min(thing_names.size(), kMost);
  std::shared_lock lock(state_->mutex);
  auto guess = [&](std::size_t i) -> const ThingSlot* {
    Number number = state_->thing_index.Guess(hashes[i]);
    return number < state_->things.size() ? &state_->things[number] : nullptr;
  };
  for (std::size_t i = 0; i < count; ++i) {
    hashes[i] = HashOf(thing_names[i]);
    state_->thing_index.Prefetch(hashes[i]);
  }
  for (std::size_t i = 0; i < count; ++i) __builtin_prefetch(guess(i));
  for (std::size_t i = 0; i < count; ++i) {
    if (const ThingSlot* thing = guess(i)) __builtin_prefetch(thing->name.address());
  }
}

ResolvedThing Directory::Resolve(std::string_view client_id, const policy::Fingerprint& fingerprint) const {
  {
    std::shared_lock lock(state_->mutex);
    Number number = state_->FindThing(client_id);
    if (number == kNone) {
      Number certificate = state_->FindCertificate(fingerprint);
      Number only = certificate == kNone ? kNone : state_->certificates[certificate].things;
      if (only != kNone && !(only & kMany)) number = only;
    }
    if (number != kNone) {
      const ThingSlot& thing = state_->things[number];
      return {model::ThingName(thing.name.view()), thing.entity, true};
    }
  }
  return {model::ThingName(client_id), UnregisteredEntity(account_, client_id), false};
}

std::optional<CertificateInfo> Directory::FindCertificate(const policy::Fingerprint& fingerprint) const {
  std::shared_lock lock(state_->mutex);
  Number number = state_->FindCertificate(fingerprint);
  if (number == kNone) return std::nullopt;
  const CertificateSlot& certificate = state_->certificates[number];
  CertificateInfo info{certificate.status, {}};
  for (Number thing : state_->ThingsOf(certificate)) info.things.emplace_back(state_->things[thing].name.view());
  return info;
}

bool Directory::IsAttached(const policy::Fingerprint& fingerprint, std::string_view thing_name) const {
  std::shared_lock lock(state_->mutex);
  Number certificate = state_->FindCertificate(fingerprint), thing = state_->FindThing(thing_name);
  if (certificate == kNone || thing == kNone) return false;
  std::vector<Number> things = state_->ThingsOf(state_->certificates[certificate]);
  return std::find(things.begin(), things.end(), thing) != things.end();
}

std::vector<model::ThingGroupName> Directory::GroupsOf(std::string_view thing_name) const {
  std::set<std::string_view> names;
  std::shared_lock lock(state_->mutex);
  Number number = state_->FindThing(thing_name);
  if (number == kNone) return {};
  for (Number group : state_->group_sets[state_->things[number].groups]) {
    while (group != kNone && names.insert(state_->groups[group].name).second) group = state_->groups[group].parent;
  }
  std::vector<model::ThingGroupName> closure;
  for (std::string_view name : names) closure.emplace_back(name);
  return closure;
}

std::vector<model::ThingGroupName> Directory::AncestorsOf(std::string_view group) const {
  std::vector<model::ThingGroupName> ancestors;
  std::shared_lock lock(state_->mutex);
  auto found = state_->group_index.find(group);
  Number at = found == state_->group_index.end() ? kNone : state_->groups[found->second].parent;
  for (; at != kNone && ancestors.size() < state_->groups.size(); at = state_->groups[at].parent) {
    ancestors.emplace_back(state_->groups[at].name);
  }
  return ancestors;
}

void Directory::ForEachThing(const std::function<void(std::string_view, model::EntityId)>& fn) const {
  std::shared_lock lock(state_->mutex);
  for (const ThingSlot& thing : state_->things) {
    if (!thing.name.view().empty()) fn(thing.name.view(), thing.entity);
  }
}

std::size_t Directory::thing_count() const {
  std::shared_lock lock(state_->mutex);
  return state_->thing_index.size();
}

std::size_t Directory::certificate_count() const {
  std::shared_lock lock(state_->mutex);
  return state_->certificate_index.size();
}

std::size_t Directory::MemoryBytes() const {
  std::shared_lock lock(state_->mutex);
  std::size_t bytes = state_->things.capacity() * sizeof(ThingSlot) + state_->thing_index.MemoryBytes() +
                      state_->certificates.capacity() * sizeof(CertificateSlot) +
                      state_->certificate_index.MemoryBytes();
  for (const ThingSlot& thing : state_->things) {
    // What malloc takes for a name: 8 bytes of its own, rounded up to 16, 32 at least.
    if (!thing.name.view().empty()) bytes += std::max<std::size_t>(32, (thing.name.view().size() + 9 + 15) / 16 * 16);
  }
  return bytes;
}

}  // namespace fleetward::registry
