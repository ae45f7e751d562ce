// What stands in the event log: every fact that verdicts, telemetry and answers depend on, in one order. Replaying the
// log gives the same state again. Byte format: docs/log-records.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/window_summary.h"
#include "fleetward/model/names.h"
#include "fleetward/model/violation.h"

namespace fleetward::ingest {

/// Stored: never change the numbers.
enum class RecordType : std::uint8_t {
  kReport = 1,
  kCounts = 2,
  kConnection = 3,
  kWatermark = 4,
  kClockStep = 5,
  kEdgeStart = 6,
  kEdgeProgress = 7,
  kDropped = 8,
  kWindowSummary = 9,
  kProfileSet = 20,
  kProfileRemoved = 21,
  kCustomMetricSet = 22,
  kCustomMetricRemoved = 23,
  kThingSet = 24,
  kThingRemoved = 25,
  kConfigBegin = 26,
  kConfigEnd = 27,
  kVerification = 28,
  kDimensionSet = 29,
  kDimensionRemoved = 30,
};

/// A decoded report of one thing. `body` is a report::EncodeRecord record.
struct ReportRecord {
  static constexpr std::uint8_t kRegistered = 1;
  static constexpr std::uint8_t kAnswer = 2;  // somebody may be listening for the answer
  static constexpr std::uint8_t kCbor = 4;    // format of the answer
  model::EntityId entity;
  std::string_view thing;
  std::int64_t time_ms = 0;
  std::uint8_t flags = 0;
  std::uint64_t body_hash = 0;   // of the content, spooled_at aside (D14)
  std::string_view reporter;     // certificate, raw SHA-256, or empty
  std::string_view body;
};

/// A part of one bucket's counts of one thing: of all topics, or of those that one series of a dimension selects. The
/// former stands first.
struct CountsRecord {
  static constexpr std::uint8_t kConnected = 1;
  static constexpr std::uint8_t kRegistered = 2;
  static constexpr std::uint8_t kClockStep = 4;
  model::EntityId entity;
  std::string_view thing;
  std::int64_t bucket_ms = 0;
  std::int64_t time_ms = 0;
  std::uint8_t flags = 0;
  std::uint32_t dimension = 0;   // 0, or model::DimensionSeries
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t min_payload = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t authorization_failures = 0;
  std::uint64_t connection_attempts = 0;
  std::uint64_t disconnects = 0;
  std::string_view source_ip;
};

/// A connect, disconnect or refusal. The entity is zero when it is nobody's.
struct ConnectionRecord {
  static constexpr std::uint8_t kRegistered = 1;
  enum class Kind : std::uint8_t { kConnect = 0, kDisconnect = 1, kRefused = 2 };
  model::EntityId entity;
  std::string_view thing;
  Kind kind = Kind::kConnect;
  std::uint8_t flags = 0;
  std::int64_t time_ms = 0;
  std::uint64_t connection = 0;
  std::uint32_t count = 1;
  std::string_view fingerprint;  // raw SHA-256, or empty
  std::string_view client_id;
  std::string_view source_ip;
  std::string_view reason;       // API spelling
  std::string_view topic;
};

struct WatermarkRecord {
  std::int64_t time_ms = 0;
};
struct ClockStepRecord {
  std::int64_t step_ms = 0;
  std::int64_t after_ms = 0;
};
/// The plugin (re)started: all its connections are gone.
struct EdgeStartRecord {
  Id128 plugin_start;
  std::int64_t time_ms = 0;
};
/// Every frame of this plugin start up to `seq` is in the log before this record.
struct EdgeProgressRecord {
  Id128 plugin_start;
  std::uint64_t seq = 0;
};
/// The edge's buffer ran over while the server was away.
struct DroppedRecord {
  model::EntityId entity;
  std::string_view thing;
  std::int64_t time_ms = 0;
  std::uint64_t reports = 0;
};
/// What all things of a target did in a window of a statistical behavior (D7). Stands right behind the watermark that
/// closed the window.
struct WindowSummaryRecord {
  detect::WindowSummary summary;
};
struct ProfileSetRecord {
  std::int64_t time_ms = 0;
  detect::ProfileConfig config;
};
struct ProfileRemovedRecord {
  std::int64_t time_ms = 0;
  model::SecurityProfileName name;
};
struct CustomMetricSetRecord {
  std::int64_t time_ms = 0;
  detect::CustomMetricConfig config;
};
struct CustomMetricRemovedRecord {
  std::int64_t time_ms = 0;
  model::CustomMetricName name;
};
struct DimensionSetRecord {
  std::int64_t time_ms = 0;
  model::DimensionName name;
  std::uint32_t number = 0;      // of counts and series: model::DimensionSeries
};
struct DimensionRemovedRecord {
  std::int64_t time_ms = 0;
  model::DimensionName name;
};
struct ThingSetRecord {
  std::int64_t time_ms = 0;
  detect::ThingConfig config;
};
struct ThingRemovedRecord {
  std::int64_t time_ms = 0;
  model::EntityId entity;
};

/// What a user said of an alarm (PutVerificationStateOnViolation): ML models learn from it.
struct VerificationRecord {
  std::int64_t time_ms = 0;
  model::EntityId entity;
  model::ViolationId violation;
  model::VerificationState state = model::VerificationState::kUnknown;
};

/// At every start the whole configuration follows between these two; what was known and does not follow is removed.
/// So a change that was committed and not logged before a crash is made good.
struct ConfigBeginRecord {};
struct ConfigEndRecord {
  std::int64_t time_ms = 0;
};

using Record =
    std::variant<ReportRecord, CountsRecord, ConnectionRecord, WatermarkRecord, ClockStepRecord, EdgeStartRecord,
                 EdgeProgressRecord, DroppedRecord, WindowSummaryRecord, ProfileSetRecord, ProfileRemovedRecord, CustomMetricSetRecord,
                 CustomMetricRemovedRecord, ThingSetRecord, ThingRemovedRecord, ConfigBeginRecord, ConfigEndRecord,
                 VerificationRecord, DimensionSetRecord, DimensionRemovedRecord>;

/// Appends the record's bytes.
void EncodeLogRecord(const Record& record, std::string& out);

/// Views point into `bytes`. Errors: kCorrupt.
Result<Record> DecodeLogRecord(std::string_view bytes);

/// The thing that a record belongs to, read without decoding the rest; nothing for records that every shard needs
/// (and for kEdgeProgress, which none does).
std::optional<model::EntityId> EntityOf(std::string_view bytes);
RecordType TypeOf(std::string_view bytes);

}  // namespace fleetward::ingest
