#include "fleetward/alarms/codec.h"

#include "fleetward/base/encoding.h"
#include "fleetward/model/json.h"

namespace fleetward::alarms {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kNoConfidence = 255;

void WriteId(ByteWriter& w, const Id128& id) {
  w.U64(id.high);
  w.U64(id.low);
}

Id128 ReadId(ByteReader& r) {
  Id128 id;
  id.high = r.U64();
  id.low = r.U64();
  return id;
}

Result<ViolationHead> ReadHead(ByteReader& r) {
  if (r.U8() != kVersion) return Error(Code::kCorrupt, "a stored violation has an unknown version");
  ReadId(r);
  ReadId(r);
  ViolationHead head;
  head.thing = r.Bytes();
  head.profile = r.Bytes();
  if (!r.ok()) return Error(Code::kCorrupt, "a stored violation is cut short");
  return head;
}

template <class V>
void WriteCommon(ByteWriter& w, const V& v, const model::MetricValue& value) {
  w.U8(kVersion);
  WriteId(w, v.violation_id);
  WriteId(w, v.entity);
  w.Bytes(v.thing_name.value());
  w.Bytes(v.profile.value());
  w.Bytes(model::ToJsonText(v.behavior));
  w.Bytes(model::ToJsonText(value));
  w.U8(v.confidence ? static_cast<std::uint8_t>(*v.confidence) : kNoConfidence);
}

template <class V>
Status ReadCommon(ByteReader& r, V& v, model::MetricValue& value) {
  if (r.U8() != kVersion) return Error(Code::kCorrupt, "a stored violation has an unknown version");
  v.violation_id = ReadId(r);
  v.entity = ReadId(r);
  v.thing_name = model::ThingName(r.Bytes());
  v.profile = model::SecurityProfileName(r.Bytes());
  std::string_view behavior = r.Bytes();
  std::string_view value_text = r.Bytes();
  std::uint8_t confidence = r.U8();
  if (!r.ok()) return Error(Code::kCorrupt, "a stored violation is cut short");
  FW_ASSIGN(v.behavior, model::ParseBehavior(behavior));
  if (value_text != "null") {
    FW_ASSIGN(value, model::ParseMetricValue(value_text));
  }
  if (confidence == kNoConfidence) return {};
  if (confidence > static_cast<std::uint8_t>(model::ConfidenceLevel::kHigh)) {
    return Error(Code::kCorrupt, "a stored violation has an unknown confidence");
  }
  v.confidence = static_cast<model::ConfidenceLevel>(confidence);
  return {};
}

}  // namespace

std::string EncodeEvent(const model::ViolationEvent& event) {
  std::string out;
  ByteWriter w(out);
  WriteCommon(w, event, event.metric_value);
  w.U8(static_cast<std::uint8_t>(event.type));
  w.SignedVarint(ToMillis(event.time));
  w.Bytes(event.reason);
  return out;
}

Result<model::ViolationEvent> DecodeEvent(std::string_view bytes) {
  ByteReader r(bytes);
  model::ViolationEvent event;
  FW_TRY(ReadCommon(r, event, event.metric_value));
  std::uint8_t type = r.U8();
  event.time = FromMillis(r.SignedVarint());
  event.reason = r.Bytes();
  if (!r.ok() || !r.AtEnd() || type > static_cast<std::uint8_t>(model::ViolationEventType::kAlarmInvalidated)) {
    return Error(Code::kCorrupt, "a stored violation event has the wrong length or type");
  }
  event.type = static_cast<model::ViolationEventType>(type);
  return event;
}

std::string EncodeActive(const model::ActiveViolation& violation) {
  std::string out;
  ByteWriter w(out);
  WriteCommon(w, violation, violation.last_value);
  w.SignedVarint(ToMillis(violation.start_time));
  w.SignedVarint(ToMillis(violation.last_violation_time));
  return out;
}

Result<model::ActiveViolation> DecodeActive(std::string_view bytes) {
  ByteReader r(bytes);
  model::ActiveViolation violation;
  FW_TRY(ReadCommon(r, violation, violation.last_value));
  violation.start_time = FromMillis(r.SignedVarint());
  violation.last_violation_time = FromMillis(r.SignedVarint());
  if (!r.ok() || !r.AtEnd()) return Error(Code::kCorrupt, "a stored active violation has the wrong length");
  return violation;
}

Result<ViolationHead> DecodeHead(std::string_view bytes) {
  ByteReader r(bytes);
  return ReadHead(r);
}

Result<Timestamp> DecodeActiveStart(std::string_view bytes) {
  ByteReader r(bytes);
  FW_TRY(ReadHead(r));
  r.Bytes();  // behavior
  r.Bytes();  // value
  r.U8();     // confidence
  Timestamp start = FromMillis(r.SignedVarint());
  if (!r.ok()) return Error(Code::kCorrupt, "a stored violation is cut short");
  return start;
}

}  // namespace fleetward::alarms
