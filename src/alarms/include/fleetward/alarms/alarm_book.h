// Turns the engine's decisions into durable rows and alerts. One per shard, on its thread.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fleetward/base/counters.h"
#include "fleetward/detect/sink.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/violation.h"
#include "fleetward/notify/alert.h"
#include "fleetward/store/block_store.h"

namespace fleetward::alarms {

class AlarmBook final : public detect::DecisionSink {
 public:
  /// Told of alarms that are on, with each new value, and of their end.
  using Watcher = std::function<void(const model::ActiveViolation&, bool active)>;
  using VerificationOf = std::function<model::VerificationState(const model::ViolationId&)>;

  /// Rows go into `batch`, which must outlive the book. Everything written is the same again in a replay (D10).
  AlarmBook(store::Batch& batch, VerificationOf verification, CounterRegistry& counters, Watcher watcher = {});

  /// Reads the active violations of the things that `mine` accepts. Errors: kCorrupt, kIo.
  Status Load(const store::BlockStore& store, const std::function<bool(const model::EntityId&)>& mine);

  void OnViolation(const detect::Decision& decision) override;
  void OnActiveUpdated(const detect::ActiveUpdate& update) override;
  void OnStorm(const detect::StormUpdate& update) override;
  void OnDigest(const detect::WindowDigest& digest) override;
  /// After a change of a profile: alarms that go on show its behaviors as they are now (`suppressAlerts`).
  void OnProfile(const model::SecurityProfile& profile);
  /// Whether this shard sends what every shard is told (digests).
  void set_leads(bool leads) { leads_ = leads; }

  /// Alerts that are not queued yet. They must be queued before the batch is written: a checkpoint must not pass them.
  std::vector<notify::Publication>& alerts() { return alerts_; }
  std::size_t active_count() const { return active_.size(); }

 private:
  store::Batch& batch_;
  VerificationOf verification_;
  Watcher watcher_;
  bool leads_ = true;
  std::unordered_map<model::ViolationId, model::ActiveViolation> active_;
  std::vector<notify::Publication> alerts_;
  Counter& in_alarm_;
  Counter& cleared_;
  Counter& invalidated_;
  Counter& storms_;
};

}  // namespace fleetward::alarms
