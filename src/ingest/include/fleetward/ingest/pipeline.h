// The data path of the server: edge frames and configuration go into the event log, from there to the shards, and what
// they decide becomes telemetry, violations, alerts and answers. docs/architecture.md has the picture.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fleetward/alarms/verification.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/base/result.h"
#include "fleetward/detect/admission.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/engine.h"
#include "fleetward/ingest/data_plane.h"
#include "fleetward/ingest/record.h"
#include "fleetward/ingest/thing_observer.h"
#include "fleetward/ingest/thing_report.h"
#include "fleetward/mqtt/client.h"
#include "fleetward/notify/topics.h"
#include "fleetward/registry/certificates.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/enforcement.h"
#include "fleetward/registry/policy_publisher.h"
#include "fleetward/store/block_store.h"
#include "fleetward/store/control_store.h"
#include "fleetward/telemetry/maintenance.h"
#include "fleetward/telemetry/query.h"

namespace fleetward::ingest {

struct PipelineOptions {
  std::string folder;                  // holds log/ and telemetry/
  std::string ingest_socket;           // made here; the plugin connects to it
  std::string control_socket;          // the broker's private listener
  std::string control_secret_file;
  std::vector<std::uint32_t> allowed_uids;  // of the broker
  std::uint32_t shards = 1;            // fixed once the folder is in use
  detect::Options engine;
  detect::AdmissionOptions admission;
  bool store_all = true;
  telemetry::Retention retention;
  Millis export_interval{60'000};      // of batches of exported metric values
};

struct PipelineStatus {
  std::uint32_t edges = 0;             // brokers connected now
  bool control_link = false;
  std::uint64_t things = 0;            // known to the engine
  std::uint64_t alarms = 0;
  std::int64_t watermark_ms = 0;
  std::uint64_t log_position = 0;
  std::uint64_t log_bytes = 0;
  bool log_healthy = true;             // false: the disk takes nothing
  std::vector<std::string> digests;    // "profile/behavior" whose alerts are one digest for each window
};

/// Thread-safe after Start.
class Pipeline final : public registry::EnforcementBarrier {
 public:
  struct Parts {
    const registry::Directory* directory = nullptr;
    registry::PolicyPublisher* publisher = nullptr;
    notify::TopicService* topics = nullptr;
    const alarms::VerificationBook* verifications = nullptr;
    const Clock* clock = nullptr;
    CounterRegistry* counters = nullptr;
    ThingObserver* observer = nullptr;  // may be absent; outlives the pipeline
    registry::Certificates* certificates = nullptr;  // null: nothing is registered just in time
    std::string account;
    store::ControlStore* control_store = nullptr;    // null: of retained messages nothing is known
  };

  /// Opens the stores and replays the log. Errors: kIo, kCorrupt, kUnavailable, kInvalidArgument (shards changed).
  static Result<std::unique_ptr<Pipeline>> Open(PipelineOptions options, Parts parts);
  ~Pipeline() override;

  /// Gives the whole configuration as records; called once by Start. Later changes come through Configure.
  using Configuration = std::function<Status(const std::function<void(Record)>& emit)>;
  Status Start(const Configuration& configuration);
  /// Ends all threads after what is queued; the next start then has nothing to replay.
  void Stop();

  /// Queues configuration records, in order; their times are set here. Never blocks.
  void Configure(std::vector<Record> records);

  bool WaitApplied(std::uint64_t version, std::chrono::milliseconds at_most) override;
  bool WaitServed(std::uint64_t version, std::chrono::milliseconds at_most) override;

  /// Closes a client's connection at the brokers. Errors: kUnavailable.
  Status DisconnectClient(std::string_view client_id, bool send_will);

  /// The same for the data plane: says whether there was such a client, connected or with a session, which
  /// `clean_session` ends too. Errors: kUnavailable.
  Result<bool> DeleteConnection(const std::string& client_id, bool clean_session, bool send_will);

  /// What is retained on a topic, or nothing. Errors: kUnavailable.
  Result<std::optional<RetainedMessage>> Retained(const std::string& topic);
  /// By topic, after `after`; one more than `limit` when there are more. Errors: kUnavailable, kCorrupt.
  Result<std::vector<RetainedSummary>> ListRetained(const std::string& after, std::size_t limit);

  /// Publishes a message as the server itself, for the data plane. Errors: kUnavailable, kInvalidArgument (properties).
  Status Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                 const mqtt::Properties& properties = {});

  /// How far the models of ML behaviors are, as of the last bucket's end.
  std::vector<detect::TrainingSummary> TrainingSummaries() const;
  ThingReport Describe(std::string_view thing_name) const;
  /// Every registered thing that was ever seen online. A shard stands still for a slab of its things at a time.
  using ConnectivityFn = std::function<void(const model::ThingName&, bool connected, Timestamp since)>;
  void EachConnectivity(const ConnectivityFn& fn) const;
  PipelineStatus status() const;
  const telemetry::Query& query() const;
  const store::BlockStore& blocks() const;

 private:
  class Impl;
  explicit Pipeline(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::ingest
