// The data path of the server without its sockets and without the registry's store: converter, log, shards.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "edge_loop.h"
#include "export_batches.h"
#include "fault_book.h"
#include "fleetward/base/clock.h"
#include "fleetward/registry/directory.h"
#include "frame_converter.h"
#include "shard.h"

namespace fleetward::bench {

double Wall();
double ProcessCpu();
double ThreadCpu();
void Check(const Status& status, const char* what);

/// Takes the time at which each watched report is answered: it is durable and judged then.
class Answers : public ingest::AnswerSink {
 public:
  void Send(std::string_view topic, std::string_view payload) override;
  void Flush() override {}
  std::vector<double> sent_at;            // by watched report, filled by the driver
  std::vector<std::atomic<double>> answered_at;
  explicit Answers(std::size_t watched) : sent_at(watched), answered_at(watched) {}
};

class Machine {
 public:
  struct Options {
    std::string folder;
    std::uint32_t shards = 2;
    std::uint64_t things = 0;
    int statistical = 0, ml = 0, exported = 0;
    std::uint64_t checkpoint_records = 0;   // 0: the server's own choice
  };
  Machine(const Options& options, Answers& answers);
  ~Machine();

  /// Loads checkpoints and replays the log, as a start does. Returns the number of records replayed.
  std::uint64_t Recover();
  void Start();
  /// Records of profile, custom metrics and things.
  std::vector<ingest::Record> Configuration() const;

  /// In-process feed, on the caller's thread: frames become records, which are made durable and handed to the shards.
  void Emit(const ingest::Record& record);
  void Convert(std::string_view frame);
  void Commit();
  /// What the shards saw in the windows that ended, for statistical thresholds: goes into the log, as the edge loop does it.
  std::optional<std::vector<detect::WindowSummary>> CollectSummaries();
  void ExchangeSummaries();
  /// Waits until the shards have applied everything, and written it.
  void Drain();
  void WaitForCheckpoint();

  void Deliver(std::shared_ptr<const ingest::LogBatch> batch);
  std::uint64_t RecorderBytes();
  telemetry::Checkpointer::Stats CheckpointStats();
  std::uint64_t violations();
  /// Values that went into messages of the export, and these messages' bytes. Nobody takes them further.
  struct Exports {
    std::uint64_t values = 0, bytes = 0;
  };
  Exports exports();

  Options options;
  SystemClock clock;
  CounterRegistry counters;
  registry::Directory directory;
  ingest::FaultBook faults;
  std::unique_ptr<store::BlockStore> blocks;
  std::unique_ptr<store::EventLog> log;
  std::unique_ptr<ingest::FrameConverter> converter;
  std::vector<std::unique_ptr<ingest::Shard>> shards;

 private:
  std::shared_ptr<ingest::LogBatch> batch_ = std::make_shared<ingest::LogBatch>();
  std::string scratch_;
  std::mutex export_mutex_;
  ingest::ExportBatches export_batches_{{}};
  Exports exports_;
};

}  // namespace fleetward::bench
