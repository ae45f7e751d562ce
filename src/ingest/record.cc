#include "fleetward/ingest/record.h"

#include "fleetward/base/encoding.h"
#include "fleetward/model/json.h"

namespace fleetward::ingest {
namespace {

// The entity stands right behind the type byte, so that a shard can pass over foreign records without decoding them.
class Encoder {
 public:
  explicit Encoder(std::string& out) : w_(out) {}

  void operator()(const ReportRecord& r) {
    Begin(RecordType::kReport, r.entity);
    w_.Bytes(r.thing);
    w_.SignedVarint(r.time_ms);
    w_.U8(r.flags);
    w_.U64(r.body_hash);
    w_.Bytes(r.reporter);
    w_.Raw(r.body);
  }
  void operator()(const CountsRecord& r) {
    Begin(RecordType::kCounts, r.entity);
    w_.Bytes(r.thing);
    w_.SignedVarint(r.bucket_ms);
    w_.SignedVarint(r.time_ms);
    w_.U8(r.flags);
    w_.Varint(r.dimension);
    for (std::uint64_t v : {r.messages_sent, r.bytes_sent, r.max_payload, r.min_payload, r.messages_received,
                            r.authorization_failures, r.connection_attempts, r.disconnects}) {
      w_.Varint(v);
    }
    w_.Bytes(r.source_ip);
  }
  void operator()(const ConnectionRecord& r) {
    Begin(RecordType::kConnection, r.entity);
    w_.Bytes(r.thing);
    w_.U8(static_cast<std::uint8_t>(r.kind));
    w_.U8(r.flags);
    w_.SignedVarint(r.time_ms);
    w_.Varint(r.connection);
    w_.Varint(r.count);
    for (std::string_view v : {r.fingerprint, r.client_id, r.source_ip, r.reason, r.topic}) w_.Bytes(v);
  }
  void operator()(const WatermarkRecord& r) {
    Begin(RecordType::kWatermark);
    w_.SignedVarint(r.time_ms);
  }
  void operator()(const ClockStepRecord& r) {
    Begin(RecordType::kClockStep);
    w_.SignedVarint(r.step_ms);
    w_.SignedVarint(r.after_ms);
  }
  void operator()(const EdgeStartRecord& r) {
    Begin(RecordType::kEdgeStart);
    Id(r.plugin_start);
    w_.SignedVarint(r.time_ms);
  }
  void operator()(const EdgeProgressRecord& r) {
    Begin(RecordType::kEdgeProgress);
    Id(r.plugin_start);
    w_.Varint(r.seq);
  }
  void operator()(const DroppedRecord& r) {
    Begin(RecordType::kDropped, r.entity);
    w_.Bytes(r.thing);
    w_.SignedVarint(r.time_ms);
    w_.Varint(r.reports);
  }
  void operator()(const WindowSummaryRecord& r) {
    Begin(RecordType::kWindowSummary);
    const detect::PopulationKey& key = r.summary.population;
    w_.SignedVarint(r.summary.end_ms);
    w_.Bytes(key.profile);
    w_.Bytes(key.behavior);
    w_.SignedVarint(key.definition_version);
    w_.U8(static_cast<std::uint8_t>(key.target.kind));
    w_.Bytes(key.target.group.value());
    w_.Raw(r.summary.bytes);
  }
  void operator()(const ProfileSetRecord& r) {
    Begin(RecordType::kProfileSet);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(model::ToJsonText(r.config.profile));
    w_.Varint(r.config.definition_versions.size());
    for (std::int64_t v : r.config.definition_versions) w_.SignedVarint(v);
    w_.Varint(r.config.targets.size());
    for (const auto& target : r.config.targets) {
      w_.U8(static_cast<std::uint8_t>(target.kind));
      w_.Bytes(target.group.value());
    }
  }
  void operator()(const ProfileRemovedRecord& r) {
    Begin(RecordType::kProfileRemoved);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(r.name.value());
  }
  void operator()(const CustomMetricSetRecord& r) {
    Begin(RecordType::kCustomMetricSet);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(r.config.name.value());
    w_.Varint(r.config.id);
    w_.U8(static_cast<std::uint8_t>(r.config.type));
  }
  void operator()(const CustomMetricRemovedRecord& r) {
    Begin(RecordType::kCustomMetricRemoved);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(r.name.value());
  }
  void operator()(const DimensionSetRecord& r) {
    Begin(RecordType::kDimensionSet);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(r.name.value());
    w_.Varint(r.number);
  }
  void operator()(const DimensionRemovedRecord& r) {
    Begin(RecordType::kDimensionRemoved);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(r.name.value());
  }
  void operator()(const ThingSetRecord& r) {
    Begin(RecordType::kThingSet, r.config.entity);
    w_.SignedVarint(r.time_ms);
    w_.Bytes(r.config.name.value());
    w_.U8(r.config.registered ? 1 : 0);
    w_.Varint(r.config.groups.size());
    for (const auto& group : r.config.groups) w_.Bytes(group.value());
  }
  void operator()(const ThingRemovedRecord& r) {
    Begin(RecordType::kThingRemoved, r.entity);
    w_.SignedVarint(r.time_ms);
  }
  void operator()(const VerificationRecord& r) {
    Begin(RecordType::kVerification, r.entity);
    w_.SignedVarint(r.time_ms);
    Id(r.violation);
    w_.U8(static_cast<std::uint8_t>(r.state));
  }
  void operator()(const ConfigBeginRecord&) { Begin(RecordType::kConfigBegin); }
  void operator()(const ConfigEndRecord& r) {
    Begin(RecordType::kConfigEnd);
    w_.SignedVarint(r.time_ms);
  }

 private:
  void Begin(RecordType type) { w_.U8(static_cast<std::uint8_t>(type)); }
  void Begin(RecordType type, const model::EntityId& entity) {
    Begin(type);
    Id(entity);
  }
  void Id(const Id128& id) {
    w_.U64(id.high);
    w_.U64(id.low);
  }
  ByteWriter w_;
};

Id128 ReadId(ByteReader& r) {
  Id128 id;
  id.high = r.U64();
  id.low = r.U64();
  return id;
}

Error Corrupt(std::string_view what) { return Error(Code::kCorrupt, "log record: " + std::string(what)); }

ReportRecord ReadReport(ByteReader& r) {
  ReportRecord record;
  record.entity = ReadId(r);
  record.thing = r.Bytes();
  record.time_ms = r.SignedVarint();
  record.flags = r.U8();
  record.body_hash = r.U64();
  record.reporter = r.Bytes();
  record.body = r.Raw(r.remaining());
  return record;
}

CountsRecord ReadCounts(ByteReader& r) {
  CountsRecord record;
  record.entity = ReadId(r);
  record.thing = r.Bytes();
  record.bucket_ms = r.SignedVarint();
  record.time_ms = r.SignedVarint();
  record.flags = r.U8();
  record.dimension = static_cast<std::uint32_t>(r.Varint());
  for (std::uint64_t* v : {&record.messages_sent, &record.bytes_sent, &record.max_payload,
                           &record.min_payload, &record.messages_received,
                           &record.authorization_failures, &record.connection_attempts, &record.disconnects}) {
    *v = r.Varint();
  }
  record.source_ip = r.Bytes();
  return record;
}

Result<Record> ReadConnection(ByteReader& r) {
  ConnectionRecord record;
  record.entity = ReadId(r);
  record.thing = r.Bytes();
  std::uint8_t kind = r.U8();
  if (kind > 2) return Corrupt("unknown connection event");
  record.kind = static_cast<ConnectionRecord::Kind>(kind);
  record.flags = r.U8();
  record.time_ms = r.SignedVarint();
  record.connection = r.Varint();
  record.count = static_cast<std::uint32_t>(r.Varint());
  for (std::string_view* v : {&record.fingerprint, &record.client_id, &record.source_ip, &record.reason,
                              &record.topic}) {
    *v = r.Bytes();
  }
  return Record(record);
}

Result<Record> ReadWindowSummary(ByteReader& r) {
  WindowSummaryRecord record;
  detect::PopulationKey& key = record.summary.population;
  record.summary.end_ms = r.SignedVarint();
  key.profile = r.Bytes();
  key.behavior = r.Bytes();
  key.definition_version = r.SignedVarint();
  std::uint8_t kind = r.U8();
  if (kind > static_cast<std::uint8_t>(model::ProfileTarget::Kind::kThingGroup)) return Corrupt("unknown target");
  key.target.kind = static_cast<model::ProfileTarget::Kind>(kind);
  key.target.group = model::ThingGroupName(r.Bytes());
  record.summary.bytes = r.Raw(r.remaining());
  return Record(std::move(record));
}

Result<Record> ReadProfileSet(ByteReader& r) {
  ProfileSetRecord record;
  record.time_ms = r.SignedVarint();
  FW_ASSIGN(record.config.profile, model::ParseSecurityProfile(r.Bytes()));
  std::uint64_t versions = r.Varint();
  for (std::uint64_t i = 0; i < versions && r.ok(); ++i) record.config.definition_versions.push_back(r.SignedVarint());
  std::uint64_t targets = r.Varint();
  for (std::uint64_t i = 0; i < targets && r.ok(); ++i) {
    model::ProfileTarget target;
    std::uint8_t kind = r.U8();
    if (kind > static_cast<std::uint8_t>(model::ProfileTarget::Kind::kThingGroup)) return Corrupt("unknown target");
    target.kind = static_cast<model::ProfileTarget::Kind>(kind);
    target.group = model::ThingGroupName(r.Bytes());
    record.config.targets.push_back(std::move(target));
  }
  return Record(std::move(record));
}

Result<Record> ReadCustomMetric(ByteReader& r) {
  CustomMetricSetRecord record;
  record.time_ms = r.SignedVarint();
  record.config.name = model::CustomMetricName(r.Bytes());
  record.config.id = static_cast<model::MetricId>(r.Varint());
  std::uint8_t type = r.U8();
  if (type > static_cast<std::uint8_t>(model::CustomMetricType::kNumber)) return Corrupt("unknown metric type");
  record.config.type = static_cast<model::CustomMetricType>(type);
  return Record(std::move(record));
}

Record ReadThing(ByteReader& r) {
  ThingSetRecord record;
  record.config.entity = ReadId(r);
  record.time_ms = r.SignedVarint();
  record.config.name = model::ThingName(r.Bytes());
  record.config.registered = r.U8() != 0;
  std::uint64_t groups = r.Varint();
  for (std::uint64_t i = 0; i < groups && r.ok(); ++i) record.config.groups.emplace_back(r.Bytes());
  return record;
}

Result<Record> ReadBody(RecordType type, ByteReader& r) {
  switch (type) {
    case RecordType::kReport: return Record(ReadReport(r));
    case RecordType::kCounts: return Record(ReadCounts(r));
    case RecordType::kConnection: return ReadConnection(r);
    case RecordType::kWatermark: return Record(WatermarkRecord{r.SignedVarint()});
    case RecordType::kClockStep: {
      ClockStepRecord record;
      record.step_ms = r.SignedVarint();
      record.after_ms = r.SignedVarint();
      return Record(record);
    }
    case RecordType::kEdgeStart: {
      EdgeStartRecord record;
      record.plugin_start = ReadId(r);
      record.time_ms = r.SignedVarint();
      return Record(record);
    }
    case RecordType::kEdgeProgress: {
      EdgeProgressRecord record;
      record.plugin_start = ReadId(r);
      record.seq = r.Varint();
      return Record(record);
    }
    case RecordType::kDropped: {
      DroppedRecord record;
      record.entity = ReadId(r);
      record.thing = r.Bytes();
      record.time_ms = r.SignedVarint();
      record.reports = r.Varint();
      return Record(record);
    }
    case RecordType::kWindowSummary: return ReadWindowSummary(r);
    case RecordType::kProfileSet: return ReadProfileSet(r);
    case RecordType::kProfileRemoved: {
      ProfileRemovedRecord record;
      record.time_ms = r.SignedVarint();
      record.name = model::SecurityProfileName(r.Bytes());
      return Record(std::move(record));
    }
    case RecordType::kCustomMetricSet: return ReadCustomMetric(r);
    case RecordType::kCustomMetricRemoved: {
      CustomMetricRemovedRecord record;
      record.time_ms = r.SignedVarint();
      record.name = model::CustomMetricName(r.Bytes());
      return Record(std::move(record));
    }
    case RecordType::kDimensionSet: {
      DimensionSetRecord record;
      record.time_ms = r.SignedVarint();
      record.name = model::DimensionName(r.Bytes());
      record.number = static_cast<std::uint32_t>(r.Varint());
      return Record(std::move(record));
    }
    case RecordType::kDimensionRemoved: {
      DimensionRemovedRecord record;
      record.time_ms = r.SignedVarint();
      record.name = model::DimensionName(r.Bytes());
      return Record(std::move(record));
    }
    case RecordType::kThingSet: return ReadThing(r);
    case RecordType::kThingRemoved: {
      ThingRemovedRecord record;
      record.entity = ReadId(r);
      record.time_ms = r.SignedVarint();
      return Record(record);
    }
    case RecordType::kVerification: {
      VerificationRecord record;
      record.entity = ReadId(r);
      record.time_ms = r.SignedVarint();
      record.violation = ReadId(r);
      std::uint8_t state = r.U8();
      if (state > static_cast<std::uint8_t>(model::VerificationState::kFalsePositive)) return Corrupt("unknown state");
      record.state = static_cast<model::VerificationState>(state);
      return Record(record);
    }
    case RecordType::kConfigBegin: return Record(ConfigBeginRecord{});
    case RecordType::kConfigEnd: return Record(ConfigEndRecord{r.SignedVarint()});
  }
  return Corrupt("unknown type");
}

}  // namespace

void EncodeLogRecord(const Record& record, std::string& out) { std::visit(Encoder(out), record); }

Result<Record> DecodeLogRecord(std::string_view bytes) {
  ByteReader r(bytes);
  auto type = static_cast<RecordType>(r.U8());
  FW_ASSIGN(Record record, ReadBody(type, r));
  if (!r.ok() || !r.AtEnd()) return Corrupt("wrong length");
  return record;
}

RecordType TypeOf(std::string_view bytes) {
  return bytes.empty() ? RecordType{} : static_cast<RecordType>(static_cast<std::uint8_t>(bytes[0]));
}

std::optional<model::EntityId> EntityOf(std::string_view bytes) {
  switch (TypeOf(bytes)) {
    case RecordType::kReport:
    case RecordType::kCounts:
    case RecordType::kConnection:
    case RecordType::kDropped:
    case RecordType::kThingSet:
    case RecordType::kThingRemoved:
    case RecordType::kVerification: {
      ByteReader r(bytes.substr(1));
      return ReadId(r);
    }
    default: return std::nullopt;
  }
}

}  // namespace fleetward::ingest
