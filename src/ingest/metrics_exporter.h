// Publishes exported metric values through a connection of its own to the broker: bulk must not delay answers and
// policy changes. Neither the connection nor the thread exists before the first value.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "export_batches.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/mqtt/client.h"

namespace fleetward::ingest {

class MetricsExporter final : private mqtt::Handler {
 public:
  struct Options {
    std::string socket;        // the broker's private listener
    std::string secret_file;
    ExportBatches::Limits limits;
  };
  MetricsExporter(Options options, const Clock& clock, CounterRegistry& counters);
  ~MetricsExporter() override;

  /// Any thread; never waits for the broker. After Stop the value is lost.
  void Add(const std::string& topic, std::string_view item);
  /// Sends what waits, for a second at most.
  void Stop();

 private:
  void Run();
  /// Publishes what is due, as far as the broker keeps up.
  void Send(bool all);
  bool NothingLeft();
  Status Open();
  void OnConnect(int return_code) override;
  void OnDisconnect(const std::string& reason) override;
  void OnMessage(const mqtt::Message&) override {}
  void OnPublished(int packet_id) override;
  void OnSubscribed(int, int) override {}

  const Options options_;
  const Clock& clock_;
  Counter& published_;
  Counter& dropped_;

  // Of the thread.
  std::unique_ptr<mqtt::Client> client_;
  bool open_ = false;                                       // between Connect and OnDisconnect
  bool complained_ = false;
  std::int64_t next_try_ms_ = 0;
  std::deque<std::pair<int, ExportMessage>> unconfirmed_;   // by packet id, oldest first

  std::mutex mutex_;
  std::condition_variable wake_;
  ExportBatches batches_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::ingest
