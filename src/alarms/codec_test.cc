#include "fleetward/alarms/codec.h"

#include <gtest/gtest.h>

namespace fleetward::alarms {
namespace {

model::ViolationEvent Event() {
  model::ViolationEvent e;
  e.violation_id = Id128{1, 2};
  e.entity = Id128{3, 4};
  e.thing_name = model::ThingName("thing\n\xc3\xa9");
  e.profile = model::SecurityProfileName("P");
  e.behavior.name = model::BehaviorName("b");
  e.behavior.metric = "aws:all-bytes-out";
  e.metric_value = model::Count{7};
  e.type = model::ViolationEventType::kAlarmCleared;
  e.time = FromMillis(1700000000123);
  e.reason = "because";
  return e;
}

TEST(ViolationCodec, EventsRoundTrip) {
  auto back = DecodeEvent(EncodeEvent(Event())).value();
  EXPECT_EQ(back.violation_id, Event().violation_id);
  EXPECT_EQ(back.thing_name, Event().thing_name);
  EXPECT_EQ(back.behavior, Event().behavior);
  EXPECT_EQ(back.metric_value, Event().metric_value);
  EXPECT_EQ(back.type, Event().type);
  EXPECT_EQ(back.time, Event().time);
  EXPECT_EQ(back.reason, "because");
  EXPECT_FALSE(back.confidence);
}

TEST(ViolationCodec, TheHeadIsReadWithoutTheRest) {
  std::string bytes = EncodeEvent(Event());
  EXPECT_EQ(DecodeHead(bytes)->thing, Event().thing_name.value());
  EXPECT_EQ(DecodeHead(bytes)->profile, Event().profile.value());
  model::ActiveViolation a;
  a.thing_name = model::ThingName("pump");
  a.behavior = Event().behavior;
  a.last_value = model::Count{7};
  a.start_time = FromMillis(1'700'000'000'123);
  a.last_violation_time = FromMillis(1'700'000'000'456);
  bytes = EncodeActive(a);
  EXPECT_EQ(DecodeHead(bytes)->thing, "pump");
  EXPECT_EQ(*DecodeActiveStart(bytes), a.start_time);
  for (std::size_t i = 0; i < 35; ++i) EXPECT_FALSE(DecodeHead(bytes.substr(0, i)).ok()) << i;
  for (std::size_t i = 0; i + 12 < bytes.size(); ++i) EXPECT_FALSE(DecodeActiveStart(bytes.substr(0, i)).ok()) << i;
}

TEST(ViolationCodec, NoValueAndConfidenceRoundTrip) {
  auto e = Event();
  e.metric_value = {};
  e.confidence = model::ConfidenceLevel::kHigh;
  auto back = DecodeEvent(EncodeEvent(e)).value();
  EXPECT_EQ(back.metric_value, model::MetricValue());
  EXPECT_EQ(back.confidence, model::ConfidenceLevel::kHigh);
}

TEST(ViolationCodec, OverlongBytesAndUnknownConfidenceAreCorrupt) {
  std::string bytes = EncodeEvent(Event());
  EXPECT_FALSE(DecodeEvent(bytes + '\0').ok());
  std::size_t confidence = bytes.find('\xff', 33);
  ASSERT_NE(confidence, std::string::npos);
  bytes[confidence] = 3;
  EXPECT_FALSE(DecodeEvent(bytes).ok());
}

TEST(ViolationCodec, ShortBytesAreCorruptAtEveryLength) {
  std::string bytes = EncodeEvent(Event());
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(DecodeEvent(bytes.substr(0, i)).ok()) << i;
  model::ActiveViolation a;
  a.behavior.name = model::BehaviorName("b");
  bytes = EncodeActive(a);
  EXPECT_TRUE(DecodeActive(bytes).ok());
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(DecodeActive(bytes.substr(0, i)).ok()) << i;
}

}  // namespace
}  // namespace fleetward::alarms
