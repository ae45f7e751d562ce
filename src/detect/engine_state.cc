// Checkpoints. Layout of the bytes: docs/detect.md, "Stored state".
#include <algorithm>
#include <utility>

#include "engine_impl.h"
#include "fleetward/base/encoding.h"
#include "fleetward/detect/config_codec.h"

namespace fleetward::detect {
namespace {

constexpr std::uint8_t kSlabVersion = 2;
constexpr std::uint8_t kConfigVersion = 1;
constexpr std::uint8_t kCursorVersion = 3;

Error Corrupt(std::string_view what) { return Error(Code::kCorrupt, "engine state: " + std::string(what)); }

std::uint32_t DefaultSlab(const model::EntityId& entity, std::uint32_t count) {
  std::uint64_t x = entity.high * 0x9e3779b97f4a7c15ULL ^ entity.low;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9ULL;
  return static_cast<std::uint32_t>((x ^ (x >> 29)) % count);
}

/// A list never has more entries than bytes are left: bounds what corrupt counts can allocate.
bool ReadCount(ByteReader& in, std::uint64_t& count) {
  count = in.Varint();
  return in.ok() && count <= in.remaining();
}

void WriteAddresses(ByteWriter& out, const std::vector<model::IpAddress>& addresses) {
  out.Varint(addresses.size());
  for (const model::IpAddress& address : addresses) {
    out.Raw({reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
  }
}

bool ReadAddresses(ByteReader& in, std::vector<model::IpAddress>& addresses) {
  std::uint64_t count = 0;
  if (!ReadCount(in, count)) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view raw = in.Raw(16);
    if (!in.ok()) return false;
    model::IpAddress address;
    std::copy(raw.begin(), raw.end(), address.bytes.begin());
    addresses.push_back(address);
  }
  return true;
}

void WriteDeltas(ByteWriter& out, const PendingCounts::Deltas& deltas) {
  const CounterDeltas& n = deltas.numbers;
  for (std::uint64_t v : {n.messages_sent, n.bytes_sent, n.max_message_bytes, n.min_message_bytes, n.messages_received,
                          n.authorization_failures, n.connection_attempts, n.disconnects}) {
    out.Varint(v);
  }
  WriteAddresses(out, deltas.source_ips);
}

bool ReadDeltas(ByteReader& in, PendingCounts::Deltas& deltas) {
  CounterDeltas& n = deltas.numbers;
  for (std::uint64_t* v : {&n.messages_sent, &n.bytes_sent, &n.max_message_bytes, &n.min_message_bytes,
                           &n.messages_received, &n.authorization_failures, &n.connection_attempts, &n.disconnects}) {
    *v = in.Varint();
  }
  return ReadAddresses(in, deltas.source_ips);
}

void WriteEntity(ByteWriter& out, const model::EntityId& entity) {
  out.U64(entity.high);
  out.U64(entity.low);
}
model::EntityId ReadEntity(ByteReader& in) {
  model::EntityId entity;
  entity.high = in.U64();
  entity.low = in.U64();
  return entity;
}

void WritePending(ByteWriter& out, const PendingCounts& event) {
  WriteEntity(out, event.entity);
  out.Bytes(event.name);
  out.SignedVarint(event.time_ms);
  out.U8(event.connected);
  WriteDeltas(out, event.deltas);
  out.Varint(event.dimensions.size());
  for (const auto& dimension : event.dimensions) {
    out.Bytes(dimension.name);
    out.U8(static_cast<std::uint8_t>(dimension.op));
    WriteDeltas(out, dimension.deltas);
  }
}

bool ReadPending(ByteReader& in, PendingCounts& event) {
  event.entity = ReadEntity(in);
  event.name = in.Bytes();
  event.time_ms = in.SignedVarint();
  event.connected = in.U8() != 0;
  std::uint64_t count = 0;
  if (!ReadDeltas(in, event.deltas) || !ReadCount(in, count)) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    PendingCounts::Dimension dimension;
    dimension.name = in.Bytes();
    dimension.op = in.U8() == 0 ? model::DimensionOperator::kIn : model::DimensionOperator::kNotIn;
    if (!ReadDeltas(in, dimension.deltas)) return false;
    event.dimensions.push_back(std::move(dimension));
  }
  return in.ok();
}

void WriteThing(ByteWriter& out, const Thing& thing, std::uint64_t cohort) {
  WriteEntity(out, thing.entity);
  out.Bytes(thing.name());
  out.Varint(cohort);
  out.U8(thing.last_report_ms != Thing::kNever);
  out.SignedVarint(thing.last_report_ms == Thing::kNever ? 0 : thing.last_report_ms);
  out.SignedVarint(thing.offline_since_ms);
  out.Varint(thing.interval_ms);
  out.Varint(thing.last_active_s);
  out.Varint(thing.connections);
  out.U8(thing.flags);
  out.Raw({thing.state(), thing.plan().state_bytes});
}

}  // namespace

std::uint32_t Engine::Impl::SlabOf(const model::EntityId& entity) const {
  std::uint32_t slab = options_.slab_of ? options_.slab_of(entity) : DefaultSlab(entity, options_.slab_count);
  return slab % options_.slab_count;
}

std::vector<std::uint32_t> Engine::Impl::TakeChangedSlabs() {
  std::vector<std::uint32_t> changed;
  for (std::uint32_t i = 0; i < slabs_.size(); ++i) {
    if (std::exchange(changed_[i], 0) != 0) changed.push_back(i);
  }
  return changed;
}

void Engine::Impl::SaveSlab(std::uint32_t number, std::string& bytes) const {
  if (number >= slabs_.size()) return;
  const Slab& slab = slabs_[number];
  if (slab.things.empty() && slab.pending.empty()) return;
  ByteWriter out(bytes);
  out.U8(kSlabVersion);
  out.SignedVarint(slab.boundary_ms == kUnset ? 0 : slab.boundary_ms);

  std::map<const Cohort*, std::uint64_t> numbers;
  std::vector<const Cohort*> cohorts;
  for (std::size_t i = 0; i < slab.things.size(); ++i) {
    if (i + 8 < slab.things.size()) __builtin_prefetch(slab.things[i + 8]);
    const Cohort* cohort = slab.things[i]->cohort;
    if (cohorts.empty() || cohorts.back() != cohort) {
      if (numbers.emplace(cohort, cohorts.size()).second) cohorts.push_back(cohort);
    }
  }
  out.Varint(cohorts.size());
  for (const Cohort* cohort : cohorts) {
    out.U8(cohort->registered);
    out.Varint(cohort->groups.size());
    for (const std::string& group : cohort->groups) out.Bytes(group);
    out.U64(cohort->plan->signature_hash);
  }
  out.Varint(slab.things.size());
  for (std::size_t i = 0; i < slab.things.size(); ++i) {
    if (i + 2 < slab.things.size()) PrefetchThing(slab.things[i + 2]);
    WriteThing(out, *slab.things[i], numbers[slab.things[i]->cohort]);
  }

  std::uint64_t pending = 0;
  for (const auto& [bucket, events] : slab.pending) pending += events.size();
  out.Varint(pending);
  for (const auto& [bucket, events] : slab.pending) {
    for (const PendingCounts& event : events) {
      out.SignedVarint(bucket);
      WritePending(out, event);
    }
  }
  out.Varint(slab.sources.size());
  for (const auto& [key, addresses] : slab.sources) {
    WriteEntity(out, key.first);
    out.Bytes(key.second);
    WriteAddresses(out, addresses);
  }
}

Status Engine::Impl::LoadSlab(std::uint32_t number, std::string_view bytes) {
  if (number >= slabs_.size()) return Corrupt("no such slab");
  Slab& slab = slabs_[number];
  while (!slab.things.empty()) Discard(slab.things.back());
  slab.pending.clear();
  slab.sources.clear();
  changed_[number] = 0;
  if (bytes.empty()) return {};
  Status read = ReadSlab(number, bytes);
  if (!read.ok()) {
    while (!slab.things.empty()) Discard(slab.things.back());
    slab.pending.clear();
    slab.sources.clear();
  }
  changed_[number] = 0;
  return read;
}

Status Engine::Impl::ReadSlab(std::uint32_t number, std::string_view bytes) {
  Slab& slab = slabs_[number];
  ByteReader in(bytes);
  if (in.U8() != kSlabVersion) return Corrupt("unknown version of a slab");
  std::int64_t boundary_ms = in.SignedVarint();
  if (boundary_ms % BucketMs() != 0) return Corrupt("the length of buckets has changed");
  slab.boundary_ms = boundary_ms == 0 ? kUnset : boundary_ms;
  std::uint64_t count = 0;
  if (!ReadCount(in, count)) return Corrupt("cohorts");
  std::vector<std::pair<bool, std::vector<std::string>>> cohorts(count);
  std::vector<std::uint64_t> signatures(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    cohorts[i].first = in.U8() != 0;
    std::uint64_t groups = 0;
    if (!ReadCount(in, groups)) return Corrupt("groups");
    for (std::uint64_t g = 0; g < groups; ++g) cohorts[i].second.emplace_back(in.Bytes());
    signatures[i] = in.U64();
  }
  if (!ReadCount(in, count)) return Corrupt("things");
  for (std::uint64_t i = 0; i < count; ++i) FW_TRY(ReadThing(in, number, cohorts, signatures));

  if (!ReadCount(in, count)) return Corrupt("counts");
  for (std::uint64_t i = 0; i < count; ++i) {
    std::int64_t bucket = in.SignedVarint();
    PendingCounts event;
    if (!ReadPending(in, event)) return Corrupt("counts");
    slab.pending[bucket].push_back(std::move(event));
  }
  if (!ReadCount(in, count)) return Corrupt("addresses");
  for (std::uint64_t i = 0; i < count; ++i) {
    model::EntityId entity = ReadEntity(in);
    std::string dimension(in.Bytes());
    if (!ReadAddresses(in, slab.sources[{entity, std::move(dimension)}])) return Corrupt("addresses");
  }
  if (!in.ok() || !in.AtEnd()) return Corrupt("length of a slab");
  return {};
}

Status Engine::Impl::ReadThing(ByteReader& in, std::uint32_t slab,
                               const std::vector<std::pair<bool, std::vector<std::string>>>& cohorts,
                               const std::vector<std::uint64_t>& signatures) {
  model::EntityId entity = ReadEntity(in);
  std::string_view name = in.Bytes();
  std::uint64_t number = in.Varint();
  if (!in.ok() || number >= cohorts.size() || SlabOf(entity) != slab || table_.Find(entity)) return Corrupt("a thing");
  Cohort* cohort = CohortOf(cohorts[number].first, cohorts[number].second);
  if (cohort->plan->signature_hash != signatures[number]) {
    Release(cohort);
    return Corrupt("a slab was saved under another configuration");
  }
  Thing* thing = Create(entity, name, cohort);
  bool reported = in.U8() != 0;
  std::int64_t last_report_ms = in.SignedVarint();
  thing->last_report_ms = reported ? last_report_ms : Thing::kNever;
  thing->offline_since_ms = in.SignedVarint();
  thing->interval_ms = static_cast<std::uint32_t>(in.Varint());
  thing->last_active_s = static_cast<std::uint32_t>(in.Varint());
  thing->connections = static_cast<std::uint16_t>(in.Varint());
  thing->flags = in.U8();
  std::string_view state = in.Raw(cohort->plan->state_bytes);
  if (!in.ok()) return Corrupt("a thing");
  if (!state.empty()) std::memcpy(thing->state(), state.data(), state.size());
  for (const PlanModel& model : cohort->plan->models) {
    ml::Series& series = thing->At(model).series;
    if (ml::IsOutdated(series)) series = {};
    FW_TRY(ml::CheckSeries(series));
  }
  for (std::size_t i = 0; i < cohort->plan->behaviors.size(); ++i) {
    if (thing->behavior(i).in_alarm()) ++thing->alarms;
  }
  alarms_ += thing->alarms;
  return {};
}

void Engine::Impl::SaveRaises(std::uint32_t slab, std::string& bytes) const {
  ByteWriter out(bytes);
  storms_.SaveRaises(slab, out);
}

Status Engine::Impl::HoldRaises(std::uint32_t slab, std::uint64_t base, std::string_view bytes) {
  ByteReader in(bytes);
  return storms_.HoldRaises(slab, base, in) ? Status() : Status(Corrupt("alarms of a slab"));
}

std::string Engine::Impl::SaveConfig() const {
  std::string bytes, part;
  ByteWriter out(bytes);
  auto append = [&](const auto& config) {
    part.clear();
    EncodeConfig(config, part);
    out.Bytes(part);
  };
  out.U8(kConfigVersion);
  out.Varint(customs_.size());
  for (const auto& [name, metric] : customs_) append(metric);
  out.Varint(profiles_.size());
  for (const auto& [name, profile] : profiles_) append(profile->config);
  return bytes;
}

Status Engine::Impl::LoadConfig(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kConfigVersion) return Corrupt("unknown version of the configuration");
  std::uint64_t count = 0;
  if (!ReadCount(in, count)) return Corrupt("custom metrics");
  CustomMetrics customs;
  for (std::uint64_t i = 0; i < count; ++i) {
    FW_ASSIGN(CustomMetricConfig metric, DecodeCustomMetricConfig(in.Bytes()));
    customs[metric.name.value()] = metric;
  }
  if (!ReadCount(in, count)) return Corrupt("profiles");
  std::vector<ProfileConfig> configs;
  for (std::uint64_t i = 0; i < count; ++i) {
    FW_ASSIGN(ProfileConfig config, DecodeProfileConfig(in.Bytes()));
    configs.push_back(std::move(config));
  }
  if (!in.ok() || !in.AtEnd()) return Corrupt("length of the configuration");
  customs_ = std::move(customs);
  profiles_.clear();
  for (ProfileConfig& config : configs) {
    std::string name = config.profile.name.value();
    profiles_[name] = CompileProfile(std::move(config), customs_, options_);
  }
  Replan(FromMillis(watermark_ms_ == kUnset ? 0 : watermark_ms_));
  return {};
}

std::string Engine::Impl::SaveCursor() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.U8(kCursorVersion);
  out.U8(watermark_ms_ != kUnset);
  out.SignedVarint(watermark_ms_ == kUnset ? 0 : watermark_ms_);
  storms_.Save(out);
  out.Varint(populations_.size());
  for (const auto& [key, population] : populations_) {
    out.Bytes(key.profile);
    out.Bytes(key.behavior);
    out.SignedVarint(key.definition_version);
    out.U8(static_cast<std::uint8_t>(key.target.kind));
    out.Bytes(key.target.group.value());
    population.Save(out);
  }
  return bytes;
}

Status Engine::Impl::LoadCursor(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kCursorVersion) return Corrupt("unknown version of the cursor");
  bool known = in.U8() != 0;
  std::int64_t watermark_ms = in.SignedVarint();
  if (!storms_.Load(in)) return Corrupt("cursor");
  for (std::uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    PopulationKey key;
    key.profile = in.Bytes();
    key.behavior = in.Bytes();
    key.definition_version = in.SignedVarint();
    key.target.kind = static_cast<model::ProfileTarget::Kind>(in.U8());
    key.target.group = model::ThingGroupName(in.Bytes());
    auto at = populations_.find(key);
    Population unknown;
    if (!(at == populations_.end() ? unknown : at->second).Load(in)) return Corrupt("cursor");
  }
  if (!in.ok() || !in.AtEnd()) return Corrupt("cursor");
  watermark_ms_ = known ? watermark_ms : kUnset;
  if (!known) return {};
  // A slab without things has no bytes, but its bucket is open all the same.
  for (Slab& slab : slabs_) slab.boundary_ms = FloorBucket(watermark_ms_) + BucketMs();
  return {};
}

}  // namespace fleetward::detect
