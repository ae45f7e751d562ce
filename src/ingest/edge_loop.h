// The one thread that appends to the event log: edge frames and configuration in, durable batches out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/bus/frame_listener.h"
#include "fleetward/ingest/record.h"
#include "fleetward/store/event_log.h"
#include "frame_converter.h"
#include "log_batch.h"
#include "watermark.h"

namespace fleetward::ingest {

class EdgeLoop {
 public:
  struct Callbacks {
    std::function<void(std::shared_ptr<const LogBatch>)> deliver;  // durable records, in order
    std::function<void()> reload;                                  // an edge asks for the whole policy file
    /// The sums of the windows that the last watermark closed, over all shards, which have applied all that was
    /// delivered. Nothing when a shard does not answer any more.
    std::function<std::optional<std::vector<detect::WindowSummary>>()> window_summaries;
  };

  EdgeLoop(bus::FrameListener& listener, store::EventLog& log, FrameConverter& converter, const Clock& clock,
           Callbacks callbacks, CounterRegistry& counters);
  ~EdgeLoop();

  /// `bucket_seconds`: length of the buckets that windows consist of. `progress`: last frame of each plugin start that
  /// the log holds. `watermark_ms`: how far event time has come in the log.
  void Start(std::map<Id128, std::uint64_t> progress, std::int64_t watermark_ms, std::int32_t bucket_seconds);
  void Stop();

  void Configure(std::vector<Record> records);
  /// Until all connected edges, `at_least` so many, have applied a snapshot's version; false when the time is over.
  bool WaitApplied(std::uint64_t version, std::chrono::milliseconds at_most, std::size_t at_least);
  std::uint32_t edges() const { return edges_.load(); }
  bool healthy() const { return healthy_.load(); }

 private:
  struct Edge {
    Id128 plugin_start;
    std::uint64_t seq = 0;
    std::uint64_t applied = 0;
    bool fresh = false;  // frames came in this round
  };

  void Run();
  void Take(const bus::EdgeBatch& batch);
  void OnHello(bus::EdgeConnection connection, const report::HelloFrame& hello);
  void TakeConfiguration();
  void AdvanceWatermark(std::int64_t waited_ms);
  void Emit(const Record& record);
  bool MakeDurable();
  bool ExchangeSummaries();
  void PublishApplied();

  bus::FrameListener& listener_;
  store::EventLog& log_;
  FrameConverter& converter_;
  const Clock& clock_;
  Callbacks callbacks_;
  Counter& syncs_;
  Counter& sync_failures_;
  Counter& records_too_large_;

  std::map<bus::EdgeConnection, Edge> connections_;
  std::map<Id128, std::uint64_t> progress_;
  Watermark watermark_;
  std::int64_t bucket_ms_ = 300'000;
  std::set<std::string> exchanging_profiles_;
  bool bucket_ended_ = false;   // by the watermark of this round
  std::shared_ptr<LogBatch> batch_;
  std::string scratch_;

  std::mutex mutex_;
  std::condition_variable applied_changed_;
  std::vector<Record> configuration_;
  std::map<bus::EdgeConnection, std::uint64_t> applied_;
  std::atomic<std::uint32_t> edges_{0};
  std::atomic<bool> healthy_{true};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace fleetward::ingest
