// Registry events: messages on $aws/events/… about what changed, for those kinds that are switched on (core.md §7).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/model/arns.h"
#include "fleetward/registry/changes.h"
#include "fleetward/registry/event_configurations.h"

namespace fleetward::registry {

struct RegistryEvent {
  std::string topic;
  std::string payload;  // one line of JSON
};

/// The events of one change, of the kinds that `configuration` switches on. `event_ids` makes a new id for each.
std::vector<RegistryEvent> EventsOf(const Change& change, const EventConfiguration& configuration,
                                    const model::Arns& arns, Timestamp now, const std::function<Id128()>& event_ids);

/// Publishes them in the order of the commits, from a thread of its own. While the broker is away they wait; at most
/// kHeld do, then the oldest are dropped and counted.
class RegistryEvents final : public ChangeListener {
 public:
  /// Errors: kUnavailable, to be tried again later; any other drops the message.
  using Publish = std::function<Status(const RegistryEvent&)>;
  static constexpr std::size_t kHeld = 4096;

  /// `configuration` is the stored one. All referenced objects outlive it.
  RegistryEvents(const EventConfiguration& configuration, model::Arns arns, const Clock& clock, Publish publish,
                 CounterRegistry& counters);
  ~RegistryEvents() override;

  void Start();
  /// What still waits is dropped.
  void Stop();

  void OnChanges(std::span<const Change> changes) override;

 private:
  void Run();

  const model::Arns arns_;
  const Clock& clock_;
  const Publish publish_;
  Counter& published_;
  Counter& lost_;
  EventConfiguration configuration_;  // of OnChanges alone
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<RegistryEvent> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::registry
