// What a shard remembers of a thing beside engine and telemetry: admission, connections, the open bucket, faults.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/base/id_table.h"
#include "fleetward/base/time.h"
#include "fleetward/detect/admission.h"
#include "fleetward/model/ip_address.h"
#include "fleetward/model/names.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::ingest {

/// What one series of a dimension selects of a bucket.
struct TopicBucket {
  std::uint32_t series = 0;  // model::DimensionSeries
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t min_payload = 0;             // 0 while no message was sent
  std::uint64_t messages_received = 0;
  std::uint64_t authorization_failures = 0;
  std::vector<model::IpAddress> source_ips;  // at most kMaxSourceIps
};

/// Counts of the bucket that is not over yet; one datum of ListMetricValues at its end (D41).
struct OpenBucket {
  std::int64_t bucket_ms = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t min_payload = 0;             // 0 while no message was sent
  std::uint64_t messages_received = 0;
  std::uint64_t authorization_failures = 0;
  std::uint64_t connection_attempts = 0;
  std::uint64_t disconnects = 0;
  std::vector<model::IpAddress> source_ips;  // at most kMaxSourceIps
  bool clock_step = false;
  std::vector<TopicBucket> topics;           // as far as anything was counted; at most kMaxTopicBuckets
};
inline constexpr std::size_t kMaxSourceIps = 16;
inline constexpr std::size_t kMaxTopicBuckets = 128;

/// One open connection of a thing.
struct OpenConnection {
  std::uint64_t number = 0;
  std::int64_t since_ms = 0;
};
inline constexpr std::size_t kMaxOpenConnections = 64;

inline constexpr std::size_t kMaxFaults = 5;
struct Fault {
  std::int64_t time_ms = 0;
  std::string text;
};
/// The last kMaxFaults different ones, newest last.
void KeepFault(std::vector<Fault>& faults, std::int64_t time_ms, std::string text);

/// What a report does not touch.
struct ThingDetails {
  std::vector<OpenConnection> connections;
  std::int64_t last_online_ms = 0;   // last connect or disconnect
  std::string last_client_id;
  std::string last_address;
  std::vector<Fault> faults;         // newest last
};

/// Kept small: there may be millions, and each report visits one.
struct ThingState {
  model::EntityId entity;
  detect::ReportAdmission admission;
  std::int64_t last_report_ms = 0;
  std::uint64_t last_report_id = 0;
  bool registered = false;
  bool configured = false;  // set by a kThingSet record
  bool seen = false;        // in the comparison with the registry that is under way
  bool lost = false;        // reports since the last one: the next one's counters do not cover the time since that (D4)
  model::ThingName name;
  std::unique_ptr<OpenBucket> bucket;   // null: nothing was counted in it

  /// Empty ones when nothing is known.
  const ThingDetails& details() const;
  ThingDetails& MutableDetails();
  void AddFault(std::int64_t time_ms, std::string text);
  /// For a report (kDevice) or for counts (kCloud).
  void Prefetch(telemetry::Source source, Ahead ahead) const;
  void Save(ByteWriter& w) const;
  /// False when the bytes make no sense.
  bool Load(ByteReader& r);

 private:
  std::unique_ptr<ThingDetails> details_;
};

}  // namespace fleetward::ingest
