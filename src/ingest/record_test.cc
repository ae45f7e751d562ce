#include "fleetward/ingest/record.h"

#include <gtest/gtest.h>

namespace fleetward::ingest {
namespace {

std::string Encode(const Record& record) {
  std::string out;
  EncodeLogRecord(record, out);
  return out;
}

std::vector<Record> Samples() {
  ThingSetRecord thing;
  thing.config.entity = Id128{1, 2};
  thing.config.name = model::ThingName("t");
  thing.config.groups = {model::ThingGroupName("a"), model::ThingGroupName("b")};
  ProfileSetRecord profile;
  profile.config.profile.name = model::SecurityProfileName("P");
  profile.config.definition_versions = {3};
  profile.config.profile.behaviors.resize(1);
  profile.config.profile.behaviors[0].name = model::BehaviorName("b");
  profile.config.targets = {{model::ProfileTarget::Kind::kThingGroup, model::ThingGroupName("g")}};
  CountsRecord counts;
  counts.entity = Id128{1, 2};
  counts.thing = "t";
  counts.bucket_ms = 300000;
  counts.messages_received = 7;
  counts.source_ip = "192.0.2.1";
  ConnectionRecord connection;
  connection.entity = Id128{1, 2};
  connection.kind = ConnectionRecord::Kind::kRefused;
  connection.reason = "POLICY";
  return {ReportRecord{Id128{1, 2}, "t", 5, 3, 99, std::string_view("r"), "body"},
          counts,
          connection,
          WatermarkRecord{-5},
          ClockStepRecord{-600000, 7},
          EdgeStartRecord{Id128{4, 5}, 6},
          EdgeProgressRecord{Id128{4, 5}, 1u << 30},
          DroppedRecord{Id128{1, 2}, "t", 1, 2},
          profile,
          ProfileRemovedRecord{1, model::SecurityProfileName("P")},
          CustomMetricSetRecord{1, {model::CustomMetricName("m"), 65, model::CustomMetricType::kStringList}},
          CustomMetricRemovedRecord{1, model::CustomMetricName("m")},
          thing,
          ThingRemovedRecord{1, Id128{1, 2}},
          ConfigBeginRecord{},
          ConfigEndRecord{12},
          DimensionSetRecord{1, model::DimensionName("d"), 7},
          DimensionRemovedRecord{1, model::DimensionName("d")}};
}

TEST(LogRecord, RoundTripsEveryType) {
  for (const Record& record : Samples()) {
    std::string bytes = Encode(record);
    auto back = DecodeLogRecord(bytes);
    ASSERT_TRUE(back.ok()) << record.index();
    EXPECT_EQ(back->index(), record.index());
    EXPECT_EQ(Encode(*back), bytes);
  }
  std::string profile = Encode(Samples()[8]);
  auto back = std::get<ProfileSetRecord>(DecodeLogRecord(profile).value());
  EXPECT_EQ(back.config.profile.behaviors.at(0).name.value(), "b");
  EXPECT_EQ(back.config.targets.at(0).group.value(), "g");
}

TEST(LogRecord, ForeignRecordsAreToldWithoutDecoding) {
  EXPECT_EQ(EntityOf(Encode(Samples()[0])), (Id128{1, 2}));
  EXPECT_EQ(EntityOf(Encode(Samples()[12])), (Id128{1, 2}));
  EXPECT_FALSE(EntityOf(Encode(Samples()[3])));
  EXPECT_FALSE(EntityOf(""));
}

TEST(LogRecord, CutAndOverlongRecordsAreCorrupt) {
  for (const Record& record : Samples()) {
    std::string bytes = Encode(record);
    if (record.index() != 0) {  // a report's body runs to the record's end
      EXPECT_FALSE(DecodeLogRecord(bytes + "x").ok()) << record.index();
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto cut = DecodeLogRecord(bytes.substr(0, i));
      EXPECT_TRUE(!cut.ok() || record.index() == 0) << i;
    }
  }
}

}  // namespace
}  // namespace fleetward::ingest
