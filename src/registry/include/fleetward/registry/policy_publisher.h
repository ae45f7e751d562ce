// Turns the registry into the brokers' policy snapshot: a file, and deltas as things change (decision 20).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"
#include "fleetward/policy/snapshot.h"
#include "fleetward/model/arns.h"
#include "fleetward/registry/changes.h"
#include "fleetward/registry/enforcement.h"
#include "fleetward/store/control_store.h"

namespace fleetward::registry {

struct PublisherOptions {
  std::string path;  // DIR/policy.snapshot
  /// The file is rewritten this long after a change, but at most every ten times as long as the last writing took.
  std::chrono::milliseconds quiet{200};
};

/// Thread-safe. Runs one thread for deltas and one for files.
class PolicyPublisher final : public ChangeListener, public Enforcement {
 public:
  /// An encoded policy::SnapshotDelta (EncodeDelta) that leads to `version`. Called in order, one at a time.
  using DeltaSink = std::function<void(std::uint64_t version, const std::string& delta)>;

  PolicyPublisher(PublisherOptions options, store::ControlStore& store, model::Arns arns);
  ~PolicyPublisher() override;

  /// Writes the file for the present state and starts the threads. Call once, before changes arrive. Versions start
  /// above all that were ever handed out from this store or found in the file.
  Status Start();
  /// May be set and cleared at any time; `barrier` may be null and must outlive its use.
  void SetSink(DeltaSink sink);
  void SetBarrier(EnforcementBarrier* barrier);

  void OnChanges(std::span<const Change> changes) override;

  /// The newest version handed out.
  std::uint64_t version() const;
  /// Waits until all changes told so far went into deltas; returns the version that holds them.
  std::uint64_t Flush();
  /// Flush, then waits for the barrier, 100 ms at most.
  void Settle() override;
  bool Await(std::chrono::milliseconds at_most) override;

  /// Writes the file with the present state now, for a broker that has a gap; returns its version.
  Result<std::uint64_t> WriteSnapshot();

 private:
  EnforcementBarrier* Barrier() const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::registry
