// Which topics hold a retained message, for the data plane's listing. The messages themselves stay with the broker.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fleetward/base/counters.h"
#include "fleetward/ingest/data_plane.h"
#include "fleetward/store/control_store.h"

namespace fleetward::ingest {

/// Thread-safe. One thread writes what brokers told, so that the edge loop never waits for the disk; a crash may lose
/// the last changes, which the next publish to their topics repairs. So may a disk that is full for long: counted.
class RetainedIndex {
 public:
  /// Topics whose changes wait at most; as many more may be in a write that fails.
  static constexpr std::size_t kMaxWaiting = 100'000;

  RetainedIndex(store::ControlStore& store, CounterRegistry& counters);
  ~RetainedIndex();

  /// `payload_bytes` 0 takes the topic away. Never blocks.
  void Note(RetainedSummary entry);
  /// The same for a call that answers afterwards: returns when it is durable.
  Status Put(const RetainedSummary& entry);
  /// Takes away what is still as it was when it was read.
  Status Forget(const std::vector<RetainedSummary>& entries);
  Result<std::optional<RetainedSummary>> Find(const std::string& topic) const;
  /// By topic, after `after`; one more than `limit` when there are more.
  Result<std::vector<RetainedSummary>> List(const std::string& after, std::size_t limit) const;

 private:
  void Run();
  Status Write(const std::map<std::string, RetainedSummary>& entries);

  store::ControlStore& store_;
  Counter& lost_changes_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, RetainedSummary> waiting_;
  std::size_t lost_ = 0;  // and not logged yet
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::ingest
