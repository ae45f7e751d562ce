// The pipeline with a plugin at its socket, as far as its parts' tests do not show it: starts, stops and clocks.
#include "fleetward/ingest/pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "fleetward/base/log.h"
#include "fleetward/bus/frame_sender.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kStart = 1'767'225'600'000;
constexpr std::int64_t kHour = 3'600'000;
const model::AccountId kAccount("123456789012");

class PipelineTest : public testing::Test {
 protected:
  void SetUp() override {
    log::SetLevel(log::Level::kError);
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    Boot();
  }
  void TearDown() override {
    pipeline_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Boot() {
    pipeline_.reset();
    PipelineOptions options;
    options.folder = folder_;
    options.ingest_socket = folder_ + "/ingest.sock";
    options.control_socket = folder_ + "/no-broker.sock";
    options.control_secret_file = folder_ + "/no-secret";
    options.allowed_uids = {::getuid()};
    options.shards = 2;
    options.engine.account = kAccount;
    Pipeline::Parts parts;
    parts.directory = &directory_;
    parts.verifications = &verifications_;
    parts.clock = &clock_;
    parts.counters = &counters_;
    pipeline_ = Pipeline::Open(std::move(options), parts).value();
    ASSERT_TRUE(pipeline_->Start([](const auto&) { return Status(); }).ok());
  }

  /// A plugin starts at this event time and tells its clock, a second later.
  void StartPlugin(std::int64_t event_ms) {
    bus::FrameSender::Options options;
    options.path = folder_ + "/ingest.sock";
    options.edge_id = "edge";
    options.plugin_start = Id128{1, ++plugin_starts_};
    options.reconnect_ms = 0;
    sender_ = std::make_unique<bus::FrameSender>(options);
    report::ClockFrame frame;
    frame.event_time_ms = event_ms + 1000;
    sender_->Add(frame);
    for (int turns = 0; sender_->acked_seq() + 1 < sender_->next_seq(); ++turns) {
      ASSERT_LT(turns, 100'000) << "no acknowledgement";
      sender_->Pump(turns, event_ms);
      ::usleep(100);
    }
  }

  /// Once what was acknowledged is applied.
  std::int64_t WatermarkBecomes(std::int64_t expected) {
    for (int turns = 0; turns < 20'000 && pipeline_->status().watermark_ms != expected; ++turns) ::usleep(100);
    return pipeline_->status().watermark_ms;
  }

  std::string folder_ = "/tmp/fw-pipeline-XXXXXX";
  ManualClock clock_{FromMillis(kStart)};
  CounterRegistry counters_;
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> control_ = database_->Account(kAccount);
  alarms::VerificationBook verifications_{*control_, clock_};
  registry::Directory directory_{kAccount};
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<bus::FrameSender> sender_;
  std::uint64_t plugin_starts_ = 0;
};

/// Only who is there sees a step of the clock. Watermarks would stand still, and all be late, for as long as the step.
TEST_F(PipelineTest, AClockPutBackWhileTheBrokerRestartedIsAStep) {
  StartPlugin(kStart);
  EXPECT_EQ(WatermarkBecomes(kStart + 1000), kStart + 1000);
  StartPlugin(kStart - kHour);
  EXPECT_EQ(WatermarkBecomes(kStart - kHour + 1000), kStart - kHour + 1000);
  StartPlugin(kStart - kHour + 2000);
  EXPECT_EQ(WatermarkBecomes(kStart - kHour + 3000), kStart - kHour + 3000);
}

/// After a stop there is nothing to replay.
TEST_F(PipelineTest, AClockPutBackWhileTheMachineRestartedIsAStep) {
  StartPlugin(kStart);
  EXPECT_EQ(WatermarkBecomes(kStart + 1000), kStart + 1000);
  sender_.reset();
  Boot();
  StartPlugin(kStart - kHour);
  EXPECT_EQ(WatermarkBecomes(kStart - kHour + 1000), kStart - kHour + 1000);
}

TEST_F(PipelineTest, WithoutAControlStoreNothingIsKnownOfRetainedMessages) {
  EXPECT_EQ(pipeline_->Retained("t").error().code(), Code::kUnavailable);
  EXPECT_EQ(pipeline_->ListRetained("", 10).error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace fleetward::ingest
