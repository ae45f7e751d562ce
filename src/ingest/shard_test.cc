#include "shard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "fleetward/alarms/alarm_query.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/model/dimension.h"
#include "fleetward/model/json.h"
#include "fleetward/report/record.h"
#include "fleetward/store/memory_store.h"
#include "fleetward/telemetry/query.h"

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kStart = 1'700'000'100'000;  // a multiple of 10 s
const model::EntityId kThing{0x1234, 0x5678};

std::array<std::uint8_t, 32> Sha256(std::string_view bytes) {
  std::string digest = crypto::Sha256(bytes);
  std::array<std::uint8_t, 32> out{};
  std::copy(digest.begin(), digest.end(), out.begin());
  return out;
}

class CollectingAnswers : public AnswerSink {
 public:
  void Send(std::string_view topic, std::string_view payload) override { sent.emplace_back(topic, payload); }
  void Flush() override {}
  std::vector<std::pair<std::string, std::string>> sent;
};

/// The parts of one shard that survive a crash, and the shard itself, which does not.
class ShardTest : public testing::Test {
 protected:
  ShardTest() { Boot(); }

  void Boot() {
    ShardOptions options;
    options.engine.account = model::AccountId("123456789012");
    options.engine.sha256 = Sha256;
    options.engine.bucket_seconds = bucket_seconds_;
    options.admission.min_report_interval_seconds = 0;
    options.metrics_kept = metrics_kept_;
    options.min_checkpoint_records = min_checkpoint_records_;
    options.max_checkpoint_records = max_checkpoint_records_;
    options.max_unregistered_things = max_unregistered_things_;
    options.max_queued_bytes = max_queued_bytes_;
    options.exported = [this](const std::string& topic, std::string_view item) {
      exported_.push_back(topic + " " + std::string(item));
    };
    shard_ = std::make_unique<Shard>(
        options, *blocks_, clock_, answers_,
        [this](std::span<const notify::Publication> alerts) {
          if (alerts_fail_) return Status(Error(Code::kUnavailable, "full"));
          for (const auto& alert : alerts) ++alerts_[alert.message_id];
          return Status();
        },
        [](const model::ViolationId&) { return model::VerificationState::kUnknown; }, counters_);
    auto applied = telemetry::AppliedTable::Open(*blocks_, 1).value();
    ASSERT_TRUE(shard_->Load(applied).ok());
    LogBatch tail;
    tail.first = applied.applied + 1;
    for (std::size_t i = applied.applied; i < log_.size(); ++i) tail.Add(log_[i]);
    ASSERT_TRUE(shard_->Replay(tail).ok());
    ASSERT_TRUE(shard_->EndReplay().ok());
    applied_ = log_.size();
    shard_->Start();
  }

  void Log(const Record& record) {
    std::string bytes;
    EncodeLogRecord(record, bytes);
    log_.push_back(bytes);
  }

  void Deliver() {
    auto batch = std::make_shared<LogBatch>();
    batch->first = applied_ + 1;
    for (std::size_t i = applied_; i < log_.size(); ++i) batch->Add(log_[i]);
    applied_ = log_.size();
    if (batch->size() > 0) shard_->Post(std::move(batch));
    // Twice: the round that took the batch is over when the second question is answered.
    shard_->Ask([](Shard&) {});
    shard_->Ask([](Shard&) {});
  }

  /// The machine stops: what was not flushed is gone. The log is durable.
  void Crash(bool flushed) {
    if (flushed) {
      ASSERT_TRUE(blocks_->Flush().ok());
    }
    shard_.reset();  // ends with a checkpoint, which is lost as well
    blocks_->Crash();
    Boot();
  }

  void Configure() {
    ThingSetRecord thing;
    thing.config.entity = kThing;
    thing.config.name = model::ThingName("pump");
    Log(thing);
    ProfileSetRecord profile;
    profile.config.profile.name = model::SecurityProfileName("P");
    profile.config.profile.alert_targets["SNS"] = {"arn:aws:sns:us-east-1:123456789012:T", "r"};
    model::Behavior behavior;
    behavior.name = model::BehaviorName("few");
    behavior.metric = "aws:num-listening-tcp-ports";
    model::BehaviorCriteria criteria;
    criteria.comparison_operator = model::ComparisonOperator::kLessThan;
    criteria.value = model::Count{5};
    criteria.duration_seconds = 10;
    behavior.criteria = criteria;
    profile.config.profile.behaviors.push_back(behavior);
    profile.config.definition_versions = {1};
    profile.config.targets.push_back({model::ProfileTarget::Kind::kAllThings, {}});
    Log(profile);
  }

  void Report(std::int64_t at_ms, std::int64_t ports, std::uint64_t id, std::uint64_t hash = 1) {
    report::MetricReport report;
    report.report_id = id;
    report.tcp.listed = true;
    report.tcp.total = ports;
    std::string body;
    report::EncodeRecord(report, body);
    Log(ReportRecord{kThing, "pump", at_ms, ReportRecord::kRegistered | ReportRecord::kAnswer, hash, "", body});
  }

  std::uint64_t LastReport() {
    std::uint64_t id = 0;
    shard_->Ask([&](Shard& s) { id = s.Describe(kThing).last_report_id; });
    return id;
  }
  std::size_t Stored() {
    telemetry::Query query(*blocks_, {&shard_->recorder()});
    telemetry::SeriesQuery series;
    series.entity = kThing;
    series.key = {model::IdOf(model::BuiltinMetric::kNumListeningTcpPorts), 0};
    series.start = FromMillis(0);
    series.end = FromMillis(kStart * 2);
    return query.Series(series)->points.size();
  }
  /// Messages sent of each bucket, all (0) or of one dimension's series.
  std::vector<std::int64_t> Sent(std::uint32_t series) {
    telemetry::Query query(*blocks_, {&shard_->recorder()});
    telemetry::SeriesQuery wanted;
    wanted.entity = kThing;
    wanted.key = {model::IdOf(model::BuiltinMetric::kNumMessagesSent), series};
    wanted.start = FromMillis(0);
    wanted.end = FromMillis(kStart * 2);
    std::vector<std::int64_t> numbers;
    auto page = query.Series(wanted).value();
    for (const auto& point : page.points) numbers.push_back(std::get<model::Count>(point.value).value);
    return numbers;
  }
  std::size_t Active() {
    alarms::VerificationBook book(*control_, clock_);
    return alarms::AlarmQuery(*blocks_, book).Active({}, "", 10)->items.size();
  }
  std::size_t Events() {
    alarms::VerificationBook book(*control_, clock_);
    return alarms::AlarmQuery(*blocks_, book).Events({}, FromMillis(0), FromMillis(kStart * 2), "", 10)->items.size();
  }

  ManualClock clock_{FromMillis(kStart)};
  CounterRegistry counters_;
  CollectingAnswers answers_;
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> control_ = database_->Account(model::AccountId("123456789012"));
  std::unique_ptr<store::MemoryBlockStore> blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  std::vector<std::string> log_;
  std::size_t applied_ = 0;
  std::map<Id128, int> alerts_;
  std::atomic<bool> alerts_fail_ = false;
  std::vector<std::string> exported_;
  std::int32_t bucket_seconds_ = 10;
  Millis metrics_kept_ = std::chrono::days(14);
  std::uint64_t min_checkpoint_records_ = ShardOptions().min_checkpoint_records;
  std::uint64_t max_checkpoint_records_ = ShardOptions().max_checkpoint_records;
  std::uint32_t max_unregistered_things_ = ShardOptions().max_unregistered_things;
  std::size_t max_queued_bytes_ = ShardOptions().max_queued_bytes;
  std::unique_ptr<Shard> shard_;
};

TEST_F(ShardTest, AReportBecomesTelemetryAnAlarmAnAlertAndAnAnswer) {
  Configure();
  Report(kStart + 1000, 9, 1);
  Deliver();
  EXPECT_EQ(Stored(), 1U);
  EXPECT_EQ(Active(), 1U);
  EXPECT_EQ(alerts_.size(), 1U);
  ASSERT_EQ(answers_.sent.size(), 1U);
  EXPECT_EQ(answers_.sent[0].first, "$aws/things/pump/defender/metrics/json/accepted");
  Report(kStart + 2000, 2, 2);
  Deliver();
  EXPECT_EQ(Active(), 0U);
  EXPECT_EQ(Events(), 2U);
  EXPECT_EQ(alerts_.size(), 2U);
}

TEST_F(ShardTest, ADuplicateIsAcceptedAgainAndNotCounted) {  // D14
  Configure();
  Report(kStart + 1000, 2, 1);
  Report(kStart + 1500, 2, 1);
  Report(kStart + 2000, 2, 1, 99);  // the same id with another body is another report
  Deliver();
  EXPECT_EQ(answers_.sent.size(), 3U);
  EXPECT_EQ(Stored(), 2U);
}

TEST_F(ShardTest, TheLastReportsBeforeACrashAreAnsweredAgain) {
  Configure();
  for (int i = 1; i <= 5; ++i) Report(kStart + 1000 * i, 2, static_cast<std::uint64_t>(i));
  Deliver();
  Report(kStart + 5500, 2, 6);  // durable, not answered
  answers_.sent.clear();
  Crash(false);
  ASSERT_EQ(answers_.sent.size(), 3U) << "those of two seconds";
  EXPECT_EQ(answers_.sent[2].first, "$aws/things/pump/defender/metrics/json/accepted");
  EXPECT_NE(answers_.sent[2].second.find("\"reportId\":6"), std::string::npos) << answers_.sent[2].second;
  EXPECT_EQ(Stored(), 6U);
}

TEST_F(ShardTest, ACrashAnywhereLosesNothingAndDoublesNothing) {
  for (bool flushed : {false, true}) {
    for (std::size_t crash_after = 1; crash_after <= 6; ++crash_after) {
      log_.clear();
      alerts_.clear();
      shard_.reset();
      blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
      Boot();
      std::size_t step = 0;
      auto next = [&] {
        Deliver();
        if (++step == crash_after) Crash(flushed);
      };
      Configure();
      next();
      for (int i = 0; i < 5; ++i) {
        Report(kStart + 1000 * (i + 1), i % 2 == 0 ? 9 : 2, static_cast<std::uint64_t>(i + 1));
        next();
      }
      EXPECT_EQ(Stored(), 5U) << crash_after << flushed;
      EXPECT_EQ(Active(), 1U) << crash_after << flushed;
      EXPECT_EQ(Events(), 5U) << crash_after << flushed;
      EXPECT_EQ(alerts_.size(), 5U) << crash_after << flushed;
    }
  }
}

TEST_F(ShardTest, AnAlertThatCannotBeQueuedHoldsTheCheckpointBack) {
  Configure();
  alerts_fail_ = true;
  Report(kStart + 1000, 9, 1);
  Deliver();
  EXPECT_TRUE(alerts_.empty());
  Crash(true);
  alerts_fail_ = false;
  Deliver();
  clock_.Advance(Millis(1000));
  Report(kStart + 2000, 9, 2);
  Deliver();
  EXPECT_EQ(alerts_.size(), 1U);
}

/// What a shard that cannot write keeps is bounded: it applies no more, and who posts waits once the queue is full.
TEST_F(ShardTest, WhileNothingCanBeCommittedRecordsWaitAndQuestionsAreAnswered) {
  for (bool stopped : {false, true}) {
    log_.clear();
    alerts_.clear();
    shard_.reset();
    blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
    max_queued_bytes_ = 1;
    Boot();
    Configure();
    alerts_fail_ = true;
    Report(kStart + 1000, 9, 1);
    Deliver();
    Report(kStart + 2000, 2, 2);
    Deliver();  // into the queue, which is full with it
    EXPECT_EQ(LastReport(), 1U);
    std::atomic<bool> posted = false;
    std::thread poster([&] {
      Report(kStart + 3000, 2, 3);
      Deliver();
      posted = true;
    });
    for (int i = 0; i < 100; ++i) EXPECT_EQ(LastReport(), 1U);
    EXPECT_FALSE(posted);
    if (stopped) {
      shard_->EndWaits();
      poster.join();
      shard_.reset();  // with the queue as it is
      alerts_fail_ = false;
      Boot();
    } else {
      alerts_fail_ = false;
      poster.join();
    }
    Deliver();
    EXPECT_EQ(LastReport(), 3U);
    EXPECT_EQ(Stored(), 3U);
    EXPECT_EQ(alerts_.size(), 2U) << "the alarm and its end";
  }
}

TEST_F(ShardTest, CloudCountsAreOneDatumABucket) {  // D41
  Configure();
  CountsRecord counts;
  counts.entity = kThing;
  counts.thing = "pump";
  counts.bucket_ms = kStart;
  counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
  counts.messages_sent = 3;
  Log(counts);
  counts.messages_sent = 4;
  Log(counts);
  Log(WatermarkRecord{kStart + 10'000});
  Deliver();
  telemetry::Query query(*blocks_, {&shard_->recorder()});
  telemetry::SeriesQuery series;
  series.entity = kThing;
  series.key = {model::IdOf(model::BuiltinMetric::kNumMessagesSent), 0};
  series.end = FromMillis(kStart * 2);
  auto page = query.Series(series).value();
  ASSERT_EQ(page.points.size(), 1U);
  EXPECT_EQ(page.points[0].value, model::MetricValue(model::Count{7}));
  EXPECT_EQ(page.points[0].time, FromMillis(kStart + 10'000));
}

/// A plugin may tell of the next bucket before the watermark has passed the one before.
TEST_F(ShardTest, BucketsThatOverlapAreStoredOnceEach) {
  Configure();
  CountsRecord counts;
  counts.entity = kThing;
  counts.thing = "pump";
  counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
  auto log = [&](std::int64_t bucket_ms, std::uint64_t messages) {
    counts.bucket_ms = bucket_ms;
    counts.time_ms = bucket_ms + 1000;
    counts.messages_sent = messages;
    Log(counts);
  };
  log(kStart, 5);
  log(kStart + 10'000, 7);
  Log(WatermarkRecord{kStart + 10'000});
  Deliver();
  EXPECT_EQ(Sent(0), std::vector<std::int64_t>{5}) << "the second one goes on";
  log(kStart + 10'000, 1);
  Log(WatermarkRecord{kStart + 19'999});
  Deliver();
  EXPECT_EQ(Sent(0), std::vector<std::int64_t>{5});
  Crash(true);
  Log(WatermarkRecord{kStart + 20'000});
  Deliver();
  EXPECT_EQ(Sent(0), (std::vector<std::int64_t>{5, 8}));
  Log(WatermarkRecord{kStart + 30'000});
  Deliver();
  EXPECT_EQ(Sent(0), (std::vector<std::int64_t>{5, 8}));
}

TEST_F(ShardTest, CountsOfADimensionAreSeriesOfTheirOwnAndRaiseItsAlarms) {
  ThingSetRecord thing;
  thing.config.entity = kThing;
  thing.config.name = model::ThingName("pump");
  Log(thing);
  Log(DimensionSetRecord{1, model::DimensionName("admin"), 6});
  ProfileSetRecord profile;
  profile.config.profile.name = model::SecurityProfileName("P");
  for (auto op : {model::DimensionOperator::kIn, model::DimensionOperator::kNotIn}) {
    model::Behavior behavior;
    behavior.name = model::BehaviorName(std::string(model::DimensionOperatorName(op)));
    behavior.metric = "aws:num-messages-sent";
    behavior.dimension = model::MetricDimension{model::DimensionName("admin"), op};
    model::BehaviorCriteria criteria;
    criteria.comparison_operator = model::ComparisonOperator::kLessThan;
    criteria.value = model::Count{5};
    criteria.duration_seconds = 10;
    behavior.criteria = criteria;
    profile.config.profile.behaviors.push_back(behavior);
  }
  profile.config.definition_versions = {1, 1};
  profile.config.targets.push_back({model::ProfileTarget::Kind::kAllThings, {}});
  Log(profile);
  CountsRecord counts;
  counts.entity = kThing;
  counts.thing = "pump";
  counts.bucket_ms = kStart;
  counts.time_ms = kStart + 1000;
  counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
  counts.messages_sent = 20;
  Log(counts);
  counts.dimension = 12;  // IN
  counts.messages_sent = 2;
  Log(counts);
  counts.dimension = 13;  // NOT_IN
  counts.messages_sent = 18;
  Log(counts);
  counts.dimension = 99;  // nobody knows it
  Log(counts);
  Deliver();
  EXPECT_EQ(Active(), 1U);
  Crash(true);  // the open bucket and the names come back
  counts.dimension = 12;
  counts.messages_sent = 1;
  Log(counts);
  Log(WatermarkRecord{kStart + 10'000});
  counts.bucket_ms = kStart + 10'000;
  counts.dimension = 0;
  counts.messages_sent = 0;
  Log(counts);
  Log(WatermarkRecord{kStart + 20'000});
  Deliver();
  EXPECT_EQ(Sent(0), (std::vector<std::int64_t>{20, 0}));
  EXPECT_EQ(Sent(12), (std::vector<std::int64_t>{3, 0}));
  EXPECT_EQ(Sent(13), (std::vector<std::int64_t>{18, 0}));
  EXPECT_EQ(Sent(99), (std::vector<std::int64_t>{}));
  EXPECT_EQ(Active(), 0U);
}

/// Only who renames dimensions all the time gets there: the broker counts 64 series at once. Beyond the bound alarms go
/// on, and the series has a gap in this bucket, not a 0 that nobody counted.
TEST_F(ShardTest, SeriesOfDimensionsBeyondTheBoundAreJudgedButNotStored) {
  ThingSetRecord thing;
  thing.config.entity = kThing;
  thing.config.name = model::ThingName("pump");
  Log(thing);
  ProfileSetRecord profile;
  profile.config.profile.name = model::SecurityProfileName("P");
  profile.config.targets.push_back({model::ProfileTarget::Kind::kAllThings, {}});
  std::vector<std::uint32_t> all;  // two more than the bound
  for (std::uint32_t number = 1; number <= kMaxTopicBuckets / 2 + 1; ++number) {
    const model::DimensionName name("d" + std::to_string(number));
    Log(DimensionSetRecord{1, name, number});
    for (auto op : {model::DimensionOperator::kIn, model::DimensionOperator::kNotIn}) {
      all.push_back(model::DimensionSeries(number, op));
      model::Behavior behavior;
      behavior.name = model::BehaviorName(name.value() + std::string(model::DimensionOperatorName(op)));
      behavior.metric = "aws:num-messages-sent";
      behavior.dimension = model::MetricDimension{name, op};
      behavior.criteria.emplace();
      behavior.criteria->comparison_operator = model::ComparisonOperator::kLessThan;
      behavior.criteria->value = model::Count{250};  // of the two last series
      behavior.criteria->duration_seconds = 10;
      profile.config.profile.behaviors.push_back(behavior);
      profile.config.definition_versions.push_back(1);
    }
  }
  Log(profile);
  CountsRecord counts;
  counts.entity = kThing;
  counts.thing = "pump";
  counts.bucket_ms = kStart;
  counts.time_ms = kStart + 1000;
  counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
  auto log = [&](std::uint32_t series, std::uint64_t messages) {
    counts.dimension = series;
    counts.messages_sent = messages;
    Log(counts);
  };
  for (std::size_t i = 0; i < all.size(); ++i) log(all[i], 100 + i / kMaxTopicBuckets * 100);
  Deliver();
  EXPECT_EQ(Active(), 0U);
  shard_->WantCheckpoint();
  clock_.Advance(Millis(60'000));
  for (int round = 0; round < 2; ++round) shard_->Ask([](Shard&) {});
  ASSERT_EQ(shard_->checkpointer().written_position(), log_.size());
  Crash(true);  // a full bucket comes back
  for (std::size_t i = 0; i < all.size(); ++i) log(all[i], 50);
  log(0, 9);
  Deliver();
  EXPECT_EQ(Active(), 2U) << "the two that have no room";
  Log(WatermarkRecord{kStart + 10'000});
  counts.bucket_ms = kStart + 10'000;
  counts.time_ms = kStart + 11'000;
  log(all.back(), 7);
  Log(WatermarkRecord{kStart + 20'000});
  Deliver();
  EXPECT_EQ(Active(), 0U);
  EXPECT_EQ(Sent(0), (std::vector<std::int64_t>{9, 0}));
  for (std::size_t i = 0; i < kMaxTopicBuckets; ++i) {
    EXPECT_EQ(Sent(all[i]), (std::vector<std::int64_t>{150, 0})) << i;
  }
  EXPECT_EQ(Sent(all[kMaxTopicBuckets]), std::vector<std::int64_t>{0}) << "of the second bucket, where there was room";
  EXPECT_EQ(Sent(all.back()), std::vector<std::int64_t>{7});
}

/// Each stands at its own time, within what is kept: neither before that nor in the future.
TEST_F(ShardTest, SpooledReportsStandAtTheirTimeAsFarAsValuesAreKept) {
  constexpr std::int64_t kDay = 86'400'000;
  for (int kept : {7, 14, 60}) {
    metrics_kept_ = std::chrono::days(kept);
    shard_.reset();
    blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
    log_.clear();
    Boot();
    Configure();
    std::uint64_t id = 0;
    for (std::int64_t before_ms : {100 * kDay, kept * kDay - 1000, 2 * kDay, -kDay}) {
      report::MetricReport report;
      report.report_id = ++id;
      const std::int64_t at_ms = kStart + static_cast<std::int64_t>(id) * 1000;  // few spooled ones are taken a second
      report.spooled_at_seconds = (at_ms - before_ms) / 1000;
      report.tcp.listed = true;
      report.tcp.total = 1;
      std::string body;
      report::EncodeRecord(report, body);
      Log(ReportRecord{kThing, "pump", at_ms, ReportRecord::kRegistered, id, "", body});
    }
    Deliver();
    telemetry::Query query(*blocks_, {&shard_->recorder()});
    telemetry::SeriesQuery series{kThing, {model::IdOf(model::BuiltinMetric::kNumListeningTcpPorts), 0},
                                  FromMillis(kStart - 200 * kDay), FromMillis(kStart + 200 * kDay), 10, {}};
    std::vector<std::int64_t> before;
    const telemetry::SeriesPage page = query.Series(series).value();
    for (const auto& point : page.points) {
      before.push_back(kStart + static_cast<std::int64_t>(before.size() + 1) * 1000 - ToMillis(point.time));
    }
    EXPECT_EQ(before, (std::vector<std::int64_t>{kept * kDay, kept * kDay - 1000, 2 * kDay, 0})) << kept;
  }
}

TEST_F(ShardTest, MarkedMetricsOfCoveredThingsAreExportedOnceAndNeverByAReplay) {
  ThingSetRecord thing;
  thing.config.entity = kThing;
  thing.config.name = model::ThingName("pump");
  thing.config.groups = {model::ThingGroupName("g")};
  Log(thing);
  Log(DimensionSetRecord{1, model::DimensionName("admin"), 6});
  ProfileSetRecord profile;
  profile.config.profile = *model::ParseSecurityProfile(
      R"({"securityProfileName":"P","metricsExportConfig":{"mqttTopic":"out","roleArn":"r"},"behaviors":[
      {"name":"b","metric":"aws:num-listening-tcp-ports","exportMetric":true},{"name":"c","metric":"aws:all-bytes-in"}],
      "additionalMetricsToRetainV2":[{"metric":"aws:message-byte-size","exportMetric":true},
      {"metric":"aws:disconnect-duration","exportMetric":true},{"metric":"aws:num-messages-sent","exportMetric":true,
       "metricDimension":{"dimensionName":"admin"}}]})");
  profile.config.definition_versions = {1, 1};
  profile.config.targets.push_back({model::ProfileTarget::Kind::kThingGroup, model::ThingGroupName("g")});
  Log(profile);
  Log(WatermarkRecord{kStart});
  Report(kStart + 1000, 9, 1);
  Report(kStart + 1100, 9, 1);  // the same again
  ConnectionRecord connection;
  connection.entity = kThing;
  connection.thing = "pump";
  connection.flags = ConnectionRecord::kRegistered;
  connection.time_ms = kStart + 2000;
  connection.connection = 1;
  Log(connection);
  CountsRecord counts;
  counts.entity = kThing;
  counts.thing = "pump";
  counts.bucket_ms = kStart;
  counts.time_ms = kStart + 3000;
  counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
  counts.messages_sent = 2;
  counts.bytes_sent = 30;
  counts.min_payload = 10;
  counts.max_payload = 20;
  Log(counts);
  counts.messages_sent = 1;
  counts.bytes_sent = counts.min_payload = counts.max_payload = 4;
  Log(counts);
  counts.dimension = 12;
  Log(counts);
  Log(WatermarkRecord{kStart + 10'000});
  counts.dimension = 0;
  Log(counts);  // late: stored, not exported
  Log(WatermarkRecord{kStart + 11'000});
  ThingSetRecord other;  // in no group
  other.config.entity = {1, 1};
  other.config.name = model::ThingName("other");
  Log(other);
  connection.entity = other.config.entity;
  connection.thing = "other";
  Log(connection);
  Deliver();
  const std::int64_t start = kStart / 1000;
  auto item = [&](const char* name, const char* value, std::int64_t at, const char* rest = "") {
    return std::string("out {\"name\":\"") + name + "\",\"thing\":\"pump\",\"value\":" + value +
           ",\"version\":1,\"timestamp\":" + std::to_string(at) + rest + "}";
  };
  EXPECT_EQ(exported_, (std::vector<std::string>{
                           item("aws:num-listening-tcp-ports", R"({"count":9})", start + 1),
                           item("aws:disconnect-duration", R"({"count":0})", start + 2),
                           item("aws:message-byte-size", R"({"count":20,"min":4,"max":20,"total":34})", start + 10),
                           item("aws:num-messages-sent", R"({"count":1})", start + 10,
                                R"(,"dimension":{"name":"admin","operator":"IN"})")}));
  exported_.clear();
  Crash(false);  // all of it is replayed
  EXPECT_TRUE(exported_.empty()) << exported_[0];
  // Offline time, each full hour.
  connection.entity = kThing;
  connection.thing = "pump";
  connection.kind = ConnectionRecord::Kind::kDisconnect;
  connection.time_ms = kStart + 20'000;
  Log(connection);
  Deliver();
  EXPECT_EQ(exported_, std::vector<std::string>{item("aws:disconnect-duration", R"({"count":0})", start + 20)});
  exported_.clear();
  const std::int64_t hour = kStart / 3'600'000 * 3'600'000 + 3'600'000;
  for (std::int64_t at : {hour - 1000, hour + 500, hour + 1500}) Log(WatermarkRecord{at});
  Deliver();
  std::string offline = "{\"count\":" + std::to_string(hour / 1000 - start - 20) + "}";
  EXPECT_EQ(exported_, std::vector<std::string>{item("aws:disconnect-duration", offline.c_str(), hour / 1000)});
  exported_.clear();
  ProfileRemovedRecord removed;
  removed.name = profile.config.profile.name;
  Log(removed);
  Report(hour + 2000, 9, 7);
  Deliver();
  EXPECT_TRUE(exported_.empty());
}

/// Whatever is not covered, and what was never online, exports nothing; a dimension's part has its own sizes; late and
/// spooled reports stand at their times.
TEST_F(ShardTest, ExportsPartsOfDimensionsAndLateReportsOfCoveredThingsOnly) {
  auto add_thing = [&](const model::EntityId& entity, const char* name, bool covered) {
    ThingSetRecord thing;
    thing.config.entity = entity;
    thing.config.name = model::ThingName(name);
    if (covered) thing.config.groups = {model::ThingGroupName("g")};
    Log(thing);
  };
  const model::EntityId outside{1, 1}, unseen{2, 2};
  add_thing(kThing, "pump", true);
  add_thing(outside, "outside", false);
  add_thing(unseen, "unseen", true);
  Log(DimensionSetRecord{1, model::DimensionName("admin"), 6});
  ProfileSetRecord profile;
  profile.config.profile = *model::ParseSecurityProfile(
      R"({"securityProfileName":"P","metricsExportConfig":{"mqttTopic":"out","roleArn":"r"},"behaviors":[
      {"name":"b","metric":"aws:num-messages-sent","exportMetric":true,"metricDimension":{"dimensionName":"admin","operator":"NOT_IN"}}],
      "additionalMetricsToRetainV2":[{"metric":"aws:num-listening-tcp-ports","exportMetric":true},
      {"metric":"aws:message-byte-size","exportMetric":true,"metricDimension":{"dimensionName":"admin","operator":"NOT_IN"}},
      {"metric":"aws:disconnect-duration","exportMetric":true}]})");
  profile.config.definition_versions = {1};
  profile.config.targets.push_back({model::ProfileTarget::Kind::kThingGroup, model::ThingGroupName("g")});
  Log(profile);
  Log(WatermarkRecord{kStart + 5000});
  auto report_of = [&](const model::EntityId& entity, const char* name, std::int64_t at_ms, std::int64_t ports,
                       std::optional<std::int64_t> spooled_at = {}) {
    report::MetricReport report;
    report.report_id = static_cast<std::uint64_t>(ports);
    report.tcp.total = ports;
    report.tcp.listed = true;
    report.spooled_at_seconds = spooled_at;
    std::string body;
    report::EncodeRecord(report, body);
    Log(ReportRecord{entity, name, at_ms, ReportRecord::kRegistered, static_cast<std::uint64_t>(ports), "", body});
  };
  report_of(kThing, "pump", kStart + 4000, 1);                            // behind the watermark
  report_of(kThing, "pump", kStart + 6000, 2, kStart / 1000 - 7000);      // of hours ago
  report_of(outside, "outside", kStart + 6000, 3);
  for (const auto& [entity, name] : {std::pair(kThing, "pump"), std::pair(outside, "outside")}) {
    CountsRecord counts;
    counts.entity = entity;
    counts.thing = name;
    counts.bucket_ms = kStart;
    counts.time_ms = kStart + 7000;
    counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
    counts.messages_sent = 5;
    counts.bytes_sent = 5000;
    counts.min_payload = counts.max_payload = 1000;
    Log(counts);
    counts.dimension = 13;  // NOT_IN
    counts.messages_sent = 2;
    counts.bytes_sent = 30;
    counts.min_payload = 10;
    counts.max_payload = 20;
    Log(counts);
  }
  Log(WatermarkRecord{kStart + 10'000});
  Log(WatermarkRecord{kStart / 3'600'000 * 3'600'000 + 3'600'500});       // the full hour: nobody was ever online
  Deliver();
  auto item = [&](const char* name, const char* value, std::int64_t at, const char* rest = "") {
    return std::string("out {\"name\":\"") + name + "\",\"thing\":\"pump\",\"value\":" + value +
           ",\"version\":1,\"timestamp\":" + std::to_string(at) + rest + "}";
  };
  constexpr const char* kNotIn = R"(,"dimension":{"name":"admin","operator":"NOT_IN"})";
  const std::int64_t start = kStart / 1000;
  EXPECT_EQ(exported_, (std::vector<std::string>{
                           item("aws:num-listening-tcp-ports", R"({"count":1})", start + 4),
                           item("aws:num-listening-tcp-ports", R"({"count":2})", start - 7000),
                           item("aws:num-messages-sent", R"({"count":2})", start + 10, kNotIn),
                           item("aws:message-byte-size", R"({"count":20,"min":10,"max":20,"total":30})", start + 10, kNotIn)}));
}

/// What a user says of an ML alarm is a record of the log, so it holds after a crash as well. Of two things that do the
/// same, over a custom number and in a dimension, only the one of which nothing was said is raised again.
TEST_F(ShardTest, AFalsePositiveIsNotRaisedAgainAlsoAfterACrash) {
  bucket_seconds_ = 300;
  shard_.reset();
  blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  Boot();
  const model::EntityId kOther{0x4321, 0x8765};
  const std::pair<model::EntityId, const char*> things[] = {{kThing, "pump"}, {kOther, "other"}};
  Log(DimensionSetRecord{1, model::DimensionName("admin"), 6});
  Log(CustomMetricSetRecord{1, {model::CustomMetricName("load"), model::kFirstCustomMetric, model::CustomMetricType::kNumber}});
  ProfileSetRecord profile;
  profile.config.profile = *model::ParseSecurityProfile(R"({"securityProfileName":"P","behaviors":[
      {"name":"load","metric":"load","criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}},
      {"name":"admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"IN"},
       "criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}}]})");
  profile.config.definition_versions = {1, 1};
  profile.config.targets.push_back({model::ProfileTarget::Kind::kAllThings, {}});
  Log(profile);
  std::int64_t now = kStart / 300'000 * 300'000;
  std::mt19937 random(5);
  auto interval = [&](std::int64_t value) {
    for (const auto& [entity, name] : things) {
      report::MetricReport report;
      report.report_id = static_cast<std::uint64_t>(now / 1000);
      report.custom.Begin("load", model::CustomMetricType::kNumber);
      report.custom.AddNumber(static_cast<double>(value));
      std::string body;
      report::EncodeRecord(report, body);
      Log(ReportRecord{entity, name, now + 1000, ReportRecord::kRegistered, 1, "", body});
      CountsRecord counts;
      counts.entity = entity;
      counts.thing = name;
      counts.bucket_ms = now;
      counts.time_ms = now + 1000;
      counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
      counts.messages_sent = static_cast<std::uint64_t>(value) + 5;
      Log(counts);
      counts.dimension = 12;  // IN
      counts.messages_sent = static_cast<std::uint64_t>(value);
      Log(counts);
    }
    Log(WatermarkRecord{now += 300'000});
  };
  auto usual = [&](int intervals) {
    for (int i = 0; i < intervals; ++i) interval(980 + static_cast<std::int64_t>(random() % 41));
  };
  auto active = [&] {
    alarms::VerificationBook book(*control_, clock_);
    std::map<std::string, model::ViolationId> found;
    alarms::ActivePage page = alarms::AlarmQuery(*blocks_, book).Active({}, "", 10).value();
    for (const auto& violation : page.items) {
      found[violation.thing_name.value() + "/" + violation.behavior.name.value()] = violation.violation_id;
    }
    return found;
  };
  usual(580);
  Deliver();
  EXPECT_TRUE(active().empty());
  interval(1300);
  Deliver();
  auto first = active();
  ASSERT_EQ(first.size(), 4U);
  Log(VerificationRecord{now, kThing, first["pump/load"], model::VerificationState::kFalsePositive});
  Log(VerificationRecord{now, kThing, first["pump/admin"], model::VerificationState::kFalsePositive});
  Log(VerificationRecord{now, kOther, first["other/load"], model::VerificationState::kTruePositive});
  Log(VerificationRecord{now, kOther, first["other/admin"], model::VerificationState::kBenignPositive});
  Deliver();
  Crash(true);
  usual(60);
  Deliver();
  EXPECT_TRUE(active().empty());
  interval(1300);
  Deliver();
  auto second = active();
  EXPECT_EQ(second.size(), 2U);
  EXPECT_TRUE(second.contains("other/load") && second.contains("other/admin"));
}

TEST_F(ShardTest, WhatTheRegistryNoLongerHasIsRemovedAtTheNextStart) {
  Configure();
  Report(kStart + 1000, 9, 1);
  Deliver();
  EXPECT_EQ(Active(), 1U);
  Log(ConfigBeginRecord{});
  ThingSetRecord thing;
  thing.config.entity = kThing;
  thing.config.name = model::ThingName("pump");
  Log(thing);
  Log(ConfigEndRecord{kStart + 2000});
  Deliver();
  EXPECT_EQ(Active(), 0U);  // its profile was deleted
  shard_->Ask([](Shard& s) { EXPECT_TRUE(s.Describe(kThing).behaviors.empty()); });
}

/// Who makes names up must not keep out the names of later days.
TEST_F(ShardTest, NamesThatAreNoThingsAreForgottenAfterTwoSilentDays) {
  constexpr std::int64_t kHour = 3'600'000;
  max_unregistered_things_ = 5;
  Crash(true);
  auto entity = [](std::uint64_t name) { return model::EntityId{name, name}; };
  auto report = [&](std::uint64_t name, std::int64_t at_ms) {
    std::string body;
    report::EncodeRecord({}, body);
    Log(ReportRecord{entity(name), "n" + std::to_string(name), at_ms, 0, static_cast<std::uint64_t>(at_ms), "", body});
  };
  auto connection = [&](std::uint64_t name, ConnectionRecord::Kind kind, std::int64_t at_ms) {
    ConnectionRecord record;
    record.entity = entity(name);
    record.thing = "n";
    record.kind = kind;
    record.time_ms = at_ms;
    Log(record);
  };
  auto known = [&] {
    std::set<std::uint64_t> names;
    Deliver();
    shard_->Ask([&](Shard& s) {
      for (std::uint64_t name = 1; name <= 9; ++name) {
        if (s.Describe(entity(name)).known) names.insert(name);
      }
    });
    return names;
  };
  auto watch = [&](std::int64_t from_ms, std::int64_t until_ms) {  // a bucket at each hour's beginning and end
    for (std::int64_t hour = from_ms / kHour * kHour; hour < until_ms; hour += kHour) {
      for (std::int64_t at : {hour + 1, hour + 10'000, hour + kHour - 10'000}) {
        if (at > from_ms && at <= until_ms) Log(WatermarkRecord{at});
      }
    }
  };
  Configure();  // a thing, which is silent all the time
  report(1, kStart);
  report(2, kStart);
  connection(3, ConnectionRecord::Kind::kConnect, kStart);
  connection(4, ConnectionRecord::Kind::kConnect, kStart);
  connection(4, ConnectionRecord::Kind::kDisconnect, kStart + 1000);
  Log(DroppedRecord{entity(5), "n5", kStart, 7});
  report(6, kStart);
  EXPECT_EQ(known(), (std::set<std::uint64_t>{1, 2, 3, 4, 5})) << "no more than five";
  watch(kStart, kStart + 30 * kHour);
  report(2, kStart + 30 * kHour);
  watch(kStart + 30 * kHour, kStart + 48 * kHour);
  EXPECT_EQ(known(), (std::set<std::uint64_t>{1, 2, 3, 4, 5})) << "not before two days";
  watch(kStart + 48 * kHour, kStart + 50 * kHour);
  EXPECT_EQ(known(), (std::set<std::uint64_t>{2, 3})) << "one reported later, one is connected";
  for (std::uint64_t name : {6, 7, 8, 9}) report(name, kStart + 50 * kHour);
  EXPECT_EQ(known(), (std::set<std::uint64_t>{2, 3, 6, 7, 8}));
  shard_->Ask([](Shard& s) { EXPECT_TRUE(s.Describe(kThing).known); });
  Crash(false);
  EXPECT_EQ(known(), (std::set<std::uint64_t>{2, 3, 6, 7, 8}));
  // A clock that was years ahead: what was known by then does not stay for years.
  Log(ClockStepRecord{-20'000 * kHour, kStart - 19'950 * kHour});
  watch(kStart - 19'950 * kHour, kStart - 19'923 * kHour);
  EXPECT_EQ(known(), (std::set<std::uint64_t>{2, 3, 6, 7, 8})) << "no time has passed for them";
  watch(kStart - 19'923 * kHour, kStart - 19'900 * kHour);
  EXPECT_EQ(known(), std::set<std::uint64_t>{3});
}

/// The edge lost a report: the next one's counters hold one interval, not the two since the last that came (D4).
TEST_F(ShardTest, CountersAfterALostReportAreMarkedAndNotJudged) {
  ProfileSetRecord profile;
  profile.config.profile = *model::ParseSecurityProfile(R"({"securityProfileName":"P","behaviors":[
      {"name":"low","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"greater-than","durationSeconds":300,"value":{"count":5000}}}]})");
  profile.config.definition_versions = {1};
  profile.config.targets.push_back({model::ProfileTarget::Kind::kAllThings, {}});
  Log(profile);
  std::int64_t now = kStart;
  auto report = [&] {
    report::MetricReport report;
    report.report_id = static_cast<std::uint64_t>(now);
    report.network.bytes_out = 6000;
    std::string body;
    report::EncodeRecord(report, body);
    Log(ReportRecord{kThing, "pump", now, ReportRecord::kRegistered, static_cast<std::uint64_t>(now), "", body});
    now += 300'000;
  };
  for (int i = 0; i < 3; ++i) report();
  now += 300'000;
  Log(DroppedRecord{kThing, "pump", now - 1000, 1});
  Deliver();
  Crash(true);
  report();
  Deliver();
  EXPECT_EQ(Active(), 0U);
  report();
  Deliver();
  EXPECT_EQ(Active(), 0U);
  std::vector<bool> marked;
  telemetry::Query query(*blocks_, {&shard_->recorder()});
  ASSERT_TRUE(query.Samples(kThing, telemetry::Source::kDevice, FromMillis(0), FromMillis(now),
                            [&](const telemetry::Sample& sample) {
                              if (sample.report_id != 0) marked.push_back((sample.flags & telemetry::kFlagGap) != 0);
                              return true;
                            }).ok());
  EXPECT_EQ(std::count(marked.begin(), marked.end(), true), 1);
  EXPECT_EQ(marked.size(), 5U);
  now += 300'000;   // without a word of lost reports it is as D4 says: 6000 over two intervals
  report();
  Deliver();
  EXPECT_EQ(Active(), 1U);
}

// Threat e: whose certificate reported a value stays with it.
TEST_F(ShardTest, TheReportersCertificateStaysWithTheValues) {
  Configure();
  report::MetricReport report;
  report.report_id = 1;
  report.tcp.listed = true;
  report.tcp.total = 2;
  std::string body;
  report::EncodeRecord(report, body);
  const std::string stranger(32, 's');
  Log(ReportRecord{kThing, "pump", kStart, ReportRecord::kRegistered, 1, stranger, body});
  Deliver();
  std::vector<std::string> reporters;
  telemetry::Query query(*blocks_, {&shard_->recorder()});
  ASSERT_TRUE(query.Samples(kThing, telemetry::Source::kDevice, FromMillis(0), FromMillis(kStart * 2),
                            [&](const telemetry::Sample& sample) {
                              reporters.push_back(sample.reporter);
                              return true;
                            }).ok());
  EXPECT_EQ(reporters, std::vector<std::string>{stranger});
}

TEST_F(ShardTest, CheckpointsComeWhenReplayWouldBeLongOrTheLogLarge) {
  auto written = [&] { return shard_->checkpointer().written_position(); };
  auto later = [&](std::int64_t seconds) {
    clock_.Advance(Millis(seconds * 1000));
    shard_->Ask([](Shard&) {});
    shard_->Ask([](Shard&) {});
  };
  Configure();
  Deliver();
  later(60);
  EXPECT_EQ(written(), log_.size());  // the first comes soon: a replay is not repeated
  Report(kStart + 1000, 2, 1);
  Deliver();
  later(60);
  EXPECT_EQ(written(), log_.size() - 1);  // every slab would be written anew for one record
  shard_->WantCheckpoint();
  later(60);
  EXPECT_EQ(written(), log_.size());
  Report(kStart + 2000, 2, 2);
  Deliver();
  later(3601);
  EXPECT_EQ(written(), log_.size());
}

/// D21: a replay has no more to read than four records a thing, within bounds. Fewer would write every slab for little.
TEST_F(ShardTest, WhatAReplayMustReadIsBoundedByFourRecordsAThing) {
  min_checkpoint_records_ = 100;
  max_checkpoint_records_ = 400;
  Crash(true);
  auto written = [&] { return shard_->checkpointer().written_position(); };
  auto later = [&] {
    clock_.Advance(Millis(60'000));
    for (int round = 0; round < 2; ++round) shard_->Ask([](Shard&) {});
  };
  Configure();
  std::uint64_t things = 1, id = 0;
  auto report = [&] {
    ++id;
    Report(kStart + static_cast<std::int64_t>(id) * 1000, 2, id);
  };
  for (auto [wanted, records] : {std::pair(1, 100), std::pair(50, 200), std::pair(200, 400)}) {
    for (; things < static_cast<std::uint64_t>(wanted); ++things) {
      ThingSetRecord thing;
      thing.config.entity = {things, things};
      thing.config.name = model::ThingName("t" + std::to_string(things));
      Log(thing);
    }
    Deliver();
    shard_->WantCheckpoint();
    later();
    const std::uint64_t before = written();
    ASSERT_EQ(before, log_.size());
    for (int i = 1; i < records; ++i) report();
    Deliver();
    later();
    EXPECT_EQ(written(), before) << things << " things";
    report();
    Deliver();
    later();
    EXPECT_EQ(written(), log_.size()) << things << " things";
  }
}

}  // namespace
}  // namespace fleetward::ingest
