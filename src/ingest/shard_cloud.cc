// A shard's cloud side: counts, connections, and the passing of time.
#include <algorithm>

#include "fleetward/base/encoding.h"
#include "fleetward/model/dimension.h"
#include "fleetward/telemetry/connection_history.h"
#include "shard.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kRememberedEdgeStarts = 64;
constexpr std::int64_t kForgetEveryMs = 3'600'000;
constexpr std::int64_t kRememberedMs = 2 * 24 * 3'600'000LL;  // silent names that are no things: as the engine

void AddAddress(const std::optional<model::IpAddress>& ip, std::vector<model::IpAddress>& addresses) {
  if (!ip || addresses.size() == kMaxSourceIps) return;
  if (std::find(addresses.begin(), addresses.end(), *ip) == addresses.end()) addresses.push_back(*ip);
}

/// OpenBucket or TopicBucket.
template <class Bucket>
void AddSizes(const CountsRecord& r, Bucket& bucket) {
  if (r.messages_sent == 0) return;
  bool first = bucket.messages_sent == r.messages_sent;
  bucket.min_payload = first ? r.min_payload : std::min(bucket.min_payload, r.min_payload);
  bucket.max_payload = std::max(bucket.max_payload, r.max_payload);
}

}  // namespace

void Shard::On(const CountsRecord& r) {
  ThingState* thing = FindThing(r.entity, r.thing, (r.flags & CountsRecord::kRegistered) != 0);
  if (thing == nullptr) return;
  Touch(r.entity);
  auto ip = model::IpAddress::Parse(r.source_ip);
  detect::CountsEvent event;
  event.thing = {r.entity, r.thing};
  event.bucket = FromMillis(r.bucket_ms);
  event.time = FromMillis(r.time_ms);
  event.connected = (r.flags & CountsRecord::kConnected) != 0;
  detect::DimensionDeltas topics;
  detect::CounterDeltas& deltas = r.dimension == 0 ? event.deltas : topics.deltas;
  deltas.messages_sent = r.messages_sent;
  deltas.bytes_sent = r.bytes_sent;
  deltas.max_message_bytes = r.max_payload;
  deltas.min_message_bytes = r.min_payload;
  deltas.messages_received = r.messages_received;
  deltas.authorization_failures = r.authorization_failures;
  deltas.connection_attempts = r.connection_attempts;
  deltas.disconnects = r.disconnects;
  if (ip) deltas.source_ips = std::span(&*ip, 1);
  if (r.dimension != 0) {
    auto name = dimension_names_.find(model::DimensionOfSeries(r.dimension));
    if (name == dimension_names_.end()) return;  // deleted meanwhile
    topics.dimension = name->second;
    topics.op = model::OperatorOfSeries(r.dimension);
    event.dimensions = std::span(&topics, 1);
  }
  engine_->OnCounts(event);
  AddToBucket(r, ip, *thing);
}

void Shard::AddToBucket(const CountsRecord& r, const std::optional<model::IpAddress>& ip, ThingState& thing) {
  if (!thing.bucket || thing.bucket->bucket_ms != r.bucket_ms) {
    if (thing.bucket) CloseBucket(thing);
    thing.bucket = std::make_unique<OpenBucket>();
    thing.bucket->bucket_ms = r.bucket_ms;
    open_buckets_[r.bucket_ms].push_back(r.entity);
  }
  OpenBucket& bucket = *thing.bucket;
  if (r.dimension != 0) return AddToTopics(r, ip, bucket);
  bucket.messages_sent += r.messages_sent;
  bucket.bytes_sent += r.bytes_sent;
  AddSizes(r, bucket);
  bucket.messages_received += r.messages_received;
  bucket.authorization_failures += r.authorization_failures;
  bucket.connection_attempts += r.connection_attempts;
  bucket.disconnects += r.disconnects;
  bucket.clock_step = bucket.clock_step || (r.flags & CountsRecord::kClockStep) != 0;
  AddAddress(ip, bucket.source_ips);
}

void Shard::AddToTopics(const CountsRecord& r, const std::optional<model::IpAddress>& ip, OpenBucket& bucket) {
  auto topics = std::find_if(bucket.topics.begin(), bucket.topics.end(),
                             [&](const TopicBucket& each) { return each.series == r.dimension; });
  if (topics == bucket.topics.end()) {
    if (bucket.topics.size() == kMaxTopicBuckets) return;
    topics = bucket.topics.insert(topics, TopicBucket{});
    topics->series = r.dimension;
  }
  topics->messages_sent += r.messages_sent;
  topics->bytes_sent += r.bytes_sent;
  AddSizes(r, *topics);
  topics->messages_received += r.messages_received;
  topics->authorization_failures += r.authorization_failures;
  AddAddress(ip, topics->source_ips);
}

/// Those that are over. Each second asks, so buckets that go on must cost nothing.
void Shard::CloseBuckets(std::int64_t time_ms) {
  constexpr std::size_t kStep = 8;
  std::int64_t length_ms = std::int64_t{options_.engine.bucket_seconds} * 1000;
  while (!open_buckets_.empty() && open_buckets_.begin()->first + length_ms <= time_ms) {
    auto over = open_buckets_.extract(open_buckets_.begin());
    const std::vector<model::EntityId>& entities = over.mapped();
    auto prefetch = [&](std::size_t i, Ahead ahead) {
      if (i >= entities.size()) return;
      Prefetch(entities[i], telemetry::Source::kCloud, ahead);
      state_->recorder().Prefetch(entities[i], telemetry::Source::kCloud, ahead);
    };
    for (std::size_t i = 0; i < entities.size(); ++i) {
      prefetch(i + 3 * kStep, Ahead::kEntry);
      prefetch(i + 2 * kStep, Ahead::kState);
      prefetch(i + kStep, Ahead::kContents);
      ThingState* thing = things_.Find(entities[i]);
      if (thing != nullptr && thing->bucket && thing->bucket->bucket_ms == over.key()) CloseBucket(*thing);
    }
  }
}

// One datum per bucket, at the bucket's end (D41).
void Shard::CloseBucket(ThingState& thing) {
  const OpenBucket& bucket = *thing.bucket;
  sample_.Clear();
  sample_.entity = thing.entity;
  sample_.source = telemetry::Source::kCloud;
  sample_.time = FromMillis(bucket.bucket_ms + std::int64_t{options_.engine.bucket_seconds} * 1000);
  sample_.flags = (bucket.clock_step ? telemetry::kFlagClock : 0U) |
                  (thing.registered ? 0U : telemetry::kFlagUnregistered);
  FillSample(bucket, sample_);
  for (const telemetry::SeriesKey& key : topic_series_) FillSample(bucket, key, sample_);
  state_->recorder().Add(sample_, position_);
  // What came after its bucket's end is stored beside it; two values of one time would contradict each other.
  if (ToMillis(sample_.time) > watermark_ms_) Export(thing, &bucket);
  thing.bucket.reset();
  Touch(thing.entity);
}

void Shard::On(const WindowSummaryRecord& r) { engine_->OnWindowSummary(r.summary); }

void Shard::On(const WatermarkRecord& r) {
  engine_->OnWatermark(FromMillis(r.time_ms));
  CloseBuckets(r.time_ms);
  ExportOfflineHourly(watermark_ms_, r.time_ms);
  if (watermark_ms_ / kForgetEveryMs < r.time_ms / kForgetEveryMs) ForgetSilent(r.time_ms);
  watermark_ms_ = std::max(watermark_ms_, r.time_ms);
}

/// Names that are no things must not pile up. What decides is of the thing and of the record, so that a replay forgets
/// the same ones at the same place.
void Shard::ForgetSilent(std::int64_t now_ms) {
  if (unregistered_ == 0) return;
  for (auto& members : slab_things_) {
    std::erase_if(members, [&](const std::unique_ptr<ThingState>& thing) {
      if (!IsForgotten(*thing, now_ms)) return false;
      Touch(thing->entity);
      things_.Erase(thing.get());
      --unregistered_;
      return true;
    });
  }
}

bool Shard::IsForgotten(const ThingState& thing, std::int64_t now_ms) const {
  if (thing.registered || thing.configured || thing.bucket) return false;
  const ThingDetails& details = thing.details();
  std::int64_t last_ms = std::max(thing.last_report_ms, details.last_online_ms);
  if (!details.faults.empty()) last_ms = std::max(last_ms, details.faults.back().time_ms);
  // A time far ahead is one of before the clock was put back.
  bool silent = now_ms - last_ms > kRememberedMs || last_ms - now_ms > kRememberedMs;
  // The engine also knows of counts and alarms, and has carried its times over steps of the clock.
  return silent && details.connections.empty() && !engine_->Knows(thing.entity);
}

void Shard::On(const ClockStepRecord& r) {
  watermark_ms_ += r.step_ms;
  engine_->OnClockStep(r.step_ms, FromMillis(r.after_ms));
}

void Shard::On(const EdgeStartRecord& r) {
  if (options_.index == 0) {
    telemetry::ConnectionEvent row;
    row.type = telemetry::ConnectionEventType::kDisconnect;
    row.entity = telemetry::kEveryThing;
    row.time = FromMillis(r.time_ms);
    row.reason = "BROKER_STARTED";
    telemetry::PutConnectionEvent(state_->batch(), row, position_);
  }
  for (auto& members : slab_things_) {
    for (auto& thing : members) {
      if (thing->details().connections.empty()) continue;
      thing->MutableDetails().connections.clear();
      thing->MutableDetails().last_online_ms = r.time_ms;
      Touch(thing->entity);
      if (options_.observer && thing->registered) {
        options_.observer->OnConnectivity(thing->name, false, FromMillis(r.time_ms), "CONNECTION_LOST");
      }
    }
  }
  engine_->OnAllDisconnected(FromMillis(r.time_ms));
}

void Shard::On(const EdgeProgressRecord& r) {
  auto [found, added] = edge_progress_.insert_or_assign(r.plugin_start, r.seq);
  if (!added) return;
  edge_starts_.push_back(r.plugin_start);
  if (edge_starts_.size() > kRememberedEdgeStarts) {
    edge_progress_.erase(edge_starts_.front());
    edge_starts_.erase(edge_starts_.begin());
  }
}

void Shard::On(const ConnectionRecord& r) {
  telemetry::ConnectionEvent row;
  row.type = static_cast<telemetry::ConnectionEventType>(r.kind);
  row.entity = r.entity;
  row.time = FromMillis(r.time_ms);
  row.certificate_id = HexEncode(r.fingerprint);
  row.client_id = r.client_id;
  row.address = model::IpAddress::Parse(r.source_ip);
  row.reason = r.reason;
  ThingState* thing = r.entity.IsZero()
                          ? nullptr
                          : FindThing(r.entity, r.thing, (r.flags & ConnectionRecord::kRegistered) != 0);
  if (thing != nullptr && r.kind != ConnectionRecord::Kind::kRefused) {
    Touch(r.entity);
    ThingDetails& details = thing->MutableDetails();
    auto& open = details.connections;
    if (r.kind == ConnectionRecord::Kind::kConnect) {
      if (open.empty() && details.last_online_ms > 0) {
        RecordOffline(r.entity, r.time_ms, std::max<std::int64_t>(0, r.time_ms - details.last_online_ms) / 1000);
      }
      if (open.size() < kMaxOpenConnections) open.push_back({r.connection, r.time_ms});
    } else {
      auto ended = std::find_if(open.begin(), open.end(), [&](const auto& c) { return c.number == r.connection; });
      if (ended != open.end()) {
        row.connected_at = FromMillis(ended->since_ms);
        open.erase(ended);
      }
      if (open.empty()) RecordOffline(r.entity, r.time_ms, 0);
    }
    details.last_online_ms = r.time_ms;
    ExportOffline(*thing, r.time_ms);
    details.last_client_id = r.client_id;
    details.last_address = r.source_ip;
    detect::ConnectionEvent event;
    event.thing = {r.entity, r.thing};
    event.time = FromMillis(r.time_ms);
    event.open_connections = static_cast<std::uint32_t>(open.size());
    engine_->OnConnection(event);
    if (options_.observer && thing->registered) {
      options_.observer->OnConnectivity(thing->name, !open.empty(), event.time, open.empty() ? r.reason : "");
    }
  }
  telemetry::PutConnectionEvent(state_->batch(), row, position_);
}

void Shard::EachConnectivity(std::size_t slab,
                             const std::function<void(const model::ThingName&, bool, Timestamp)>& fn) const {
  for (const auto& thing : slab_things_[slab]) {
    const ThingDetails& details = thing->details();
    if (!thing->registered || details.last_online_ms == 0) continue;
    fn(thing->name, !details.connections.empty(), FromMillis(details.last_online_ms));
  }
}

// aws:disconnect-duration in seconds, at each connect and disconnect (detect.md §2).
void Shard::RecordOffline(const model::EntityId& entity, std::int64_t time_ms, std::int64_t seconds) {
  sample_.Clear();
  sample_.entity = entity;
  sample_.source = telemetry::Source::kCloud;
  sample_.time = FromMillis(time_ms);
  sample_.AddCount({model::IdOf(model::BuiltinMetric::kDisconnectDuration), 0}, seconds);
  state_->recorder().Add(sample_, position_);
}

}  // namespace fleetward::ingest
