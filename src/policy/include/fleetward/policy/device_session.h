// One client's rights at the broker: hard rules, the thing's override, then policies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/policy/decision_cache.h"
#include "fleetward/policy/device_rules.h"
#include "fleetward/policy/snapshot_state.h"

namespace fleetward::policy {

/// One per connection (keep it by `struct mosquitto*`). Looks its certificate and thing up once, again only after the
/// state's generation changed; so a revoked certificate or a changed policy holds from the next check on.
/// The broker's thread. `state`, `rules` and `cache` must outlive it; `cache` may be null.
class DeviceSession final : public Ownership {
 public:
  DeviceSession(const SnapshotState& state, const DeviceRules& rules, DecisionCache* cache,
                const Fingerprint& fingerprint, std::string_view client_id,
                std::optional<model::IpAddress> source_ip);

  /// Order: certificate, client id, then iot:Connect. `connect.last_will*` are false and empty on 8883 (D29).
  Refusal CanConnect(const ConnectFacts& connect, Timestamp now);
  /// Asks iot:RetainPublish too when `retain`.
  Refusal CanPublish(std::string_view topic, bool retain, Timestamp now);
  Refusal CanSubscribe(std::string_view filter, Timestamp now);
  Refusal CanReceive(std::string_view topic, Timestamp now);
  /// Whether the connection may stay: its certificate is known, active and not expired, its client id still its own,
  /// and iot:Connect still allowed (as asked by CanConnect). For use after a delta that concerns it, after
  /// CertificateEnd(), and each second while LooksAtTime(); cheap when nothing changed.
  Refusal CanStay(Timestamp now);
  /// The certificate's notAfter; the epoch when it is not known. Both as of the last answer given.
  Timestamp CertificateEnd() const { return certificate_ ? certificate_->not_after : Timestamp{}; }
  /// Whether some policy's conditions look at the time.
  bool LooksAtTime() const { return time_dependent_; }

  /// The thing this connection counts for (D11): the thing named as the client id and attached, else the
  /// certificate's only thing, else nothing.
  std::optional<std::string> CountsFor();
  const std::string& certificate_id() const { return certificate_id_; }

  bool Owns(std::string_view thing_name) const override;
  bool HasExactlyOneThing() const override;
  std::string_view client_id() const override { return client_id_; }

 private:
  void Refresh();
  bool IsAttached(std::string_view thing_name) const;
  std::optional<ThingOverride> FindOverride() const;
  bool MayReadEvents(std::string_view topic, Timestamp now);
  Refusal CertificateRefusal(Timestamp now) const;
  Refusal Ask(Action action, std::string_view resource, Timestamp now, const std::optional<ConnectFacts>& connect);

  const SnapshotState& state_;
  const DeviceRules& rules_;
  DecisionCache* cache_;
  Fingerprint fingerprint_;
  std::string certificate_id_;
  std::string client_id_;
  std::optional<model::IpAddress> source_ip_;
  std::uint64_t id_;                      // distinguishes sessions in the cache
  std::uint64_t generation_ = ~std::uint64_t{0};
  std::optional<CertificateEntry> certificate_;
  std::optional<ThingEntry> thing_;       // named as the client id, attached or not
  bool attached_ = false;
  bool foreign_ = false;
  bool overridden_ = false;
  bool complete_ = false;
  bool time_dependent_ = false;
  std::vector<PolicyRef> policies_;
  bool persistent_ = false;
  Refusal stay_ = Refusal::kNone;
  std::uint64_t stay_generation_ = ~std::uint64_t{0};
};

}  // namespace fleetward::policy
