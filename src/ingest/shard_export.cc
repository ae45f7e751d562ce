// What a shard exports: values of its things, for the topics of the profiles that cover them.
#include <algorithm>

#include "fleetward/model/json.h"
#include "shard.h"

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
const model::MetricId kSize = model::IdOf(model::BuiltinMetric::kMessageByteSize);
const model::MetricId kOffline = model::IdOf(model::BuiltinMetric::kDisconnectDuration);

std::string SizesOf(const OpenBucket& bucket, std::uint32_t series) {
  if (series == 0) return ExportedSizes(bucket.min_payload, bucket.max_payload, bucket.bytes_sent);
  for (const TopicBucket& topics : bucket.topics) {
    if (topics.series == series) return ExportedSizes(topics.min_payload, topics.max_payload, topics.bytes_sent);
  }
  return ExportedSizes(0, 0, 0);
}

}  // namespace

/// What sample_ holds. `bucket`: what it was made of, if of one.
void Shard::Export(const ThingState& thing, const OpenBucket* bucket) {
  if (!Exports()) return;
  for (const auto& [profile, exported] : exports_.profiles()) {
    if (!engine_->IsCovered(thing.entity, profile)) continue;
    for (const ExportedMetric& metric : exported.metrics) {
      if (!metric.key) continue;
      const telemetry::Sample::Field* field = sample_.Find(*metric.key);
      if (field == nullptr) continue;
      bool sizes = bucket != nullptr && metric.key->metric == kSize;
      std::string value = sizes ? SizesOf(*bucket, metric.key->dimension) : model::ToJsonText(sample_.Value(*field));
      options_.exported(exported.topic, ExportItem(metric, thing.name.value(), value, sample_.time));
    }
  }
}

/// aws:disconnect-duration: 0 for who is connected or goes just now, else the seconds since.
void Shard::ExportOffline(const ThingState& thing, std::int64_t time_ms) {
  if (!Exports() || !exports_.ExportsOffline()) return;
  const ThingDetails& details = thing.details();
  std::int64_t offline_ms = details.connections.empty() ? std::max<std::int64_t>(0, time_ms - details.last_online_ms) : 0;
  std::string value = model::ToJsonText(model::Count{offline_ms / 1000});
  for (const auto& [profile, exported] : exports_.profiles()) {
    if (!engine_->IsCovered(thing.entity, profile)) continue;
    for (const ExportedMetric& metric : exported.metrics) {
      if (!metric.key || metric.key->metric != kOffline) continue;
      options_.exported(exported.topic, ExportItem(metric, thing.name.value(), value, FromMillis(time_ms)));
    }
  }
}

/// Of every thing that was ever seen online, at each full hour.
void Shard::ExportOfflineHourly(std::int64_t before_ms, std::int64_t now_ms) {
  if (before_ms == 0 || before_ms / kHourMs >= now_ms / kHourMs) return;
  if (!Exports() || !exports_.ExportsOffline()) return;
  for (const auto& slab : slab_things_) {
    for (const auto& thing : slab) {
      if (thing->details().last_online_ms > 0) ExportOffline(*thing, now_ms / kHourMs * kHourMs);
    }
  }
}

}  // namespace fleetward::ingest
