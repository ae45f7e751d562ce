// Who is who, in memory: what the hot path asks for every frame. About 80 bytes a thing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/model/names.h"
#include "fleetward/policy/snapshot.h"
#include "fleetward/registry/changes.h"
#include "fleetward/store/control_store.h"

namespace fleetward::registry {

/// EntityId of a name that is no registered thing (decision 9).
model::EntityId UnregisteredEntity(const model::AccountId& account, std::string_view name);

struct ThingIdentity {
  model::EntityId entity;
  bool registered = false;
};

struct ResolvedThing {
  model::ThingName name;
  model::EntityId entity;
  bool registered = false;
};

struct CertificateInfo {
  policy::CertificateStatus status = policy::CertificateStatus::kInactive;
  std::vector<model::ThingName> things;
};

/// Thread-safe: many readers, one writer.
class Directory final : public ChangeListener {
 public:
  explicit Directory(model::AccountId account);
  ~Directory() override;

  /// Replaces everything with the store's contents. Call before changes arrive.
  Status Load(const store::ControlStore& store);
  void OnChanges(std::span<const Change> changes) override;

  /// A registered thing's id, or the derived id of an unregistered one.
  ThingIdentity Identify(std::string_view thing_name) const;
  /// These names will be asked for soon: a hint, worth it with a few dozen at once.
  void Prefetch(std::span<const std::string_view> thing_names) const;
  /// For whom a connection counts (decision 11): the registered thing of the client id's name; else the only thing
  /// that the certificate is attached to; else an unregistered thing of the client id's name.
  ResolvedThing Resolve(std::string_view client_id, const policy::Fingerprint& fingerprint) const;
  std::optional<CertificateInfo> FindCertificate(const policy::Fingerprint& fingerprint) const;
  /// True when the certificate is attached to the thing.
  bool IsAttached(const policy::Fingerprint& fingerprint, std::string_view thing_name) const;
  /// The thing's groups and all their ancestors, each once, sorted. Empty for unregistered things.
  std::vector<model::ThingGroupName> GroupsOf(std::string_view thing_name) const;
  /// The group's ancestors, from its parent to the root.
  std::vector<model::ThingGroupName> AncestorsOf(std::string_view group) const;
  /// Every registered thing. `fn` runs under the lock: be quick, call nothing of this object.
  void ForEachThing(const std::function<void(std::string_view name, model::EntityId entity)>& fn) const;

  std::size_t thing_count() const;
  std::size_t certificate_count() const;
  /// Bytes held for things, certificates and their links.
  std::size_t MemoryBytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  const model::AccountId account_;
};

}  // namespace fleetward::registry
