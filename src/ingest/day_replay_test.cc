// A day of a fleet through the pipeline as in production: frames over the socket, event log and stores on disk, the exchange
// of window sums, shards. Each run is a process of its own, so that it can be killed. Whatever the shards, the kills and the
// replays, the decisions must be the same, byte for byte.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "fleetward/alarms/alarm_query.h"
#include "fleetward/base/log.h"
#include "fleetward/bus/frame_sender.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/ingest/pipeline.h"
#include "fleetward/model/dimension.h"
#include "fleetward/model/json.h"
#include "fleetward/report/encode.h"
#include "fleetward/store/memory_store.h"
#include "fleetward/telemetry/layout.h"

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kStart = 1'767'225'600'000;   // 2026-01-01T00:00:00Z
constexpr std::int64_t kStepMs = 100'000;            // between two clock frames
constexpr int kSteps = 24 * 36;
constexpr int kThings = 30;
constexpr std::uint32_t kDimension = 6;
const model::AccountId kAccount("123456789012");

std::string NameOf(int thing) { return "thing-" + std::to_string(thing); }
model::EntityId EntityOf(int thing) { return registry::UnregisteredEntity(kAccount, NameOf(thing)); }

constexpr char kProfile[] = R"({"securityProfileName":"P","behaviors":[
  {"name":"ports","metric":"aws:listening-tcp-ports","criteria":{"comparisonOperator":"in-port-set","value":{"ports":[22,443]}}},
  {"name":"bytes","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than","durationSeconds":900,"value":{"count":9000}}},
  {"name":"sent","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":100},"consecutiveDatapointsToAlarm":2}},
  {"name":"admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"IN"},"criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":30}}},
  {"name":"offline","metric":"aws:disconnect-duration","criteria":{"comparisonOperator":"less-than","value":{"count":10}}},
  {"name":"silent","metric":"fleetward:report-silence","criteria":{"comparisonOperator":"less-than","value":{"count":900}}},
  {"name":"p-out","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p99.99"}}},
  {"name":"p-sent","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"less-than-equals","durationSeconds":900,"statisticalThreshold":{"statistic":"p90"},"consecutiveDatapointsToAlarm":2}},
  {"name":"p-admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"NOT_IN"},"criteria":{"comparisonOperator":"less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p100"}}},
  {"name":"p-temp","metric":"temp","criteria":{"comparisonOperator":"less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p99"}}},
  {"name":"most","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"greater-than","durationSeconds":300,"statisticalThreshold":{"statistic":"p99"}}},
  {"name":"ml-out","metric":"aws:all-bytes-out","criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}},
  {"name":"ml-temp","metric":"temp","criteria":{"mlDetectionConfig":{"confidenceLevel":"MEDIUM"}}},
  {"name":"ml-admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"IN"},"criteria":{"mlDetectionConfig":{"confidenceLevel":"HIGH"}}}]})";
const std::vector<std::string> kMustAlarm = {"ports", "bytes", "sent", "admin", "offline", "silent", "p-out", "p-sent",
                                             "p-admin", "p-temp", "most", "ml-out", "ml-temp", "ml-admin"};

// --- the server ------------------------------------------------------------------------------------------------------

/// Stands where the test's process puts it.
class SharedClock : public Clock {
 public:
  Timestamp Now() const override { return FromMillis(now_ms); }
  std::int64_t MonotonicMillis() const override { return now_ms; }
  std::atomic<std::int64_t> now_ms{kStart};
};

std::array<std::uint8_t, 32> Sha256(std::string_view bytes) {
  std::string digest = crypto::Sha256(bytes);
  std::array<std::uint8_t, 32> out{};
  std::copy(digest.begin(), digest.end(), out.begin());
  return out;
}

Status Configure(const std::function<void(Record)>& emit) {
  emit(CustomMetricSetRecord{0, {model::CustomMetricName("temp"), model::kFirstCustomMetric, model::CustomMetricType::kNumber}});
  emit(DimensionSetRecord{0, model::DimensionName("admin"), kDimension});
  for (int thing = 0; thing < kThings; ++thing) {
    if (thing % 5 != 4) emit(ThingSetRecord{0, {EntityOf(thing), model::ThingName(NameOf(thing)), true, {}}});
  }
  ProfileSetRecord profile;
  profile.config.profile = *model::ParseSecurityProfile(kProfile);
  profile.config.definition_versions.assign(profile.config.profile.behaviors.size(), 1);
  profile.config.targets = {{model::ProfileTarget::Kind::kAllThings, {}}};
  emit(std::move(profile));
  return {};
}

/// One server process from start to stop.
class Server {
 public:
  Server(const std::string& folder, std::uint32_t shards, const Clock& clock) : clock_(clock) {
    PipelineOptions options;
    options.folder = folder;
    options.ingest_socket = folder + "/ingest.sock";
    options.control_socket = folder + "/no-broker.sock";
    options.control_secret_file = folder + "/no-secret";
    options.allowed_uids = {::getuid()};
    options.shards = shards;
    options.engine.account = kAccount;
    options.engine.sha256 = Sha256;
    options.engine.max_new_alarms_per_second = 0;
    options.admission.min_report_interval_seconds = 60;
    Pipeline::Parts parts;
    parts.directory = &directory_;
    parts.verifications = &verifications_;
    parts.clock = &clock_;
    parts.counters = &counters_;
    pipeline_ = Pipeline::Open(std::move(options), parts).value();
  }

  void Start() {
    if (!pipeline_->Start(Configure).ok()) std::abort();
  }

  /// Everything that was decided and kept, as text.
  void Dump(const std::string& path, std::int64_t watermark_ms) {
    while (pipeline_->status().watermark_ms < watermark_ms) ::usleep(1000);
    std::ofstream out(path);
    for (int thing = 0; thing < kThings; ++thing) DumpThing(thing, out);
    pipeline_->Stop();
    alarms::AlarmQuery alarms(pipeline_->blocks(), verifications_);
    alarms::EventPage events = alarms.Events({}, FromMillis(kStart), FromMillis(watermark_ms), "", 1'000'000).value();
    for (const auto& listed : events.items) {
      const model::ViolationEvent& e = listed.event;
      out << model::ViolationEventTypeName(e.type) << ' ' << e.thing_name.value() << ' ' << e.profile.value() << '/'
          << e.behavior.name.value() << ' ' << Iso8601(e.time) << ' ' << e.violation_id.Hex() << ' '
          << model::ToJsonText(e.metric_value) << ' ' << e.reason << '\n';
    }
    alarms::ActivePage page = alarms.Active({}, "", 1'000'000).value();
    for (const auto& active : page.items) {
      out << "active " << active.thing_name.value() << ' ' << active.behavior.name.value() << ' '
          << active.violation_id.Hex() << ' ' << Iso8601(active.last_violation_time) << ' '
          << model::ToJsonText(active.last_value) << '\n';
    }
    // Keys of connections end in the log's position, which a restart moves.
    for (auto [family, cut] : {std::pair{telemetry::kFamilyEvents, 0}, {telemetry::kFamilyConnections, 12}}) {
      bool scanned = pipeline_->blocks().Scan(family, {}, {}, [&, cut = cut](std::string_view key, std::string_view value) {
        out << HexEncode(key.substr(0, key.size() - static_cast<std::size_t>(cut))) << '=' << HexEncode(value) << '\n';
        return true;
      }).ok();
      if (!scanned) std::abort();
    }
  }

 private:
  void DumpThing(int thing, std::ostream& out) {
    ThingReport report = pipeline_->Describe(NameOf(thing));
    report = pipeline_->Describe(NameOf(thing));   // the round that took the last batch is over
    for (const detect::BehaviorExplanation& e : report.behaviors) {
      out << report.name << ' ' << e.behavior.name.value() << ' ' << detect::VerdictName(e.verdict) << ' ' << e.in_alarm
          << e.violating << e.conforming << ' ' << (e.violation_id ? e.violation_id->Hex() : "") << ' ' << e.why << '\n';
    }
    for (auto source : {telemetry::Source::kDevice, telemetry::Source::kCloud}) {
      bool read = pipeline_->query().Samples(EntityOf(thing), source, FromMillis(kStart - 90'000'000),
                                             FromMillis(kStart + 180'000'000), [&](const telemetry::Sample& sample) {
        out << report.name << ' ' << ToMillis(sample.time) << ' ' << sample.flags << ' ' << sample.report_id;
        for (auto word : sample.words()) out << ' ' << word;
        out << '\n';
        return true;
      }).ok();
      if (!read) std::abort();
    }
  }

  const Clock& clock_;
  CounterRegistry counters_;
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> control_ = database_->Account(kAccount);
  alarms::VerificationBook verifications_{*control_, clock_};
  registry::Directory directory_{kAccount};
  std::unique_ptr<Pipeline> pipeline_;
};

// --- the fleet -------------------------------------------------------------------------------------------------------

/// The same frames for the same seed.
class Fleet {
 public:
  explicit Fleet(bus::FrameSender& sender) : sender_(sender) {}

  /// What happened in (step - 1, step], then the clock.
  void Step(int step) {
    for (int thing = 0; thing < kThings; ++thing) {
      Connections(thing, step);
      if ((step + thing) % 3 == 0) Report(thing, step);
    }
    Counts(step);
    clock_.event_time_ms = kStart + (step + 1) * kStepMs;
    sender_.Add(clock_);
  }

 private:
  std::int64_t Pick(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  std::int64_t At(int step) { return kStart + step * kStepMs + 1000 + Pick(kStepMs - 2000); }
  /// Thing 3 misbehaves for an hour late in the day, thing 7 now and then.
  static bool Attacks(int thing, int step) {
    return (thing == 3 && step > 20 * 36 && step < 21 * 36) || (thing == 7 && step > 36 && step % 200 > 180);
  }

  void Connections(int thing, int step) {
    bool& open = open_[static_cast<std::size_t>(thing)];
    bool away = thing % 10 == 9 && step % 100 > 80;
    if (open == !away) return;
    std::string name = NameOf(thing);
    if (open) {
      report::DisconnectedFrame frame;
      frame.event_time_ms = kStart + step * kStepMs + 1;
      frame.connection = static_cast<std::uint64_t>(thing);
      frame.client_id = name;
      frame.source_ip = "192.0.2.1";
      sender_.Add(frame);
    } else {
      report::ConnectedFrame frame;
      frame.event_time_ms = kStart + step * kStepMs + 1;
      frame.connection = static_cast<std::uint64_t>(thing);
      frame.client_id = name;
      frame.source_ip = "192.0.2.1";
      sender_.Add(frame);
    }
    open = !open;
  }

  void Report(int thing, int step) {
    if (thing % 8 == 6 && step % 150 > 130) return;   // silent for half an hour
    if (Pick(60) == 0) return;                        // missed
    bool attack = Attacks(thing, step);
    report::MetricReport report;
    report.report_id = static_cast<std::uint64_t>(step + 1);
    report.network.bytes_out = (attack ? 50'000 : 1000) + Pick(20);
    for (std::uint16_t port : {22, 443}) report.tcp.Add(port);
    if (attack || Pick(200) == 0) report.tcp.Add(4444);
    report.tcp.Finish();
    report.custom.Begin("temp", model::CustomMetricType::kNumber);
    report.custom.AddNumber((attack ? 80.0 : 20.0) + static_cast<double>(Pick(16)) / 8);
    report::EncodeReport(report, report::Format::kJson, report::Names::kLong, payload_);
    std::string name = NameOf(thing);
    report::ReportFrame frame;
    frame.event_time_ms = At(step);
    if (Pick(80) == 0) frame.event_time_ms -= 4 * kStepMs;   // behind the watermark: late
    frame.thing = frame.client_id = name;
    frame.payload = payload_;
    sender_.Add(frame);
    if (Pick(30) == 0) sender_.Add(frame);                   // a duplicate
  }

  void Counts(int step) {
    report::CountersFrame frame;
    std::string records;
    frame.bucket_length_ms = 300'000;
    frame.event_time_ms = kStart + step * kStepMs;
    frame.bucket_start_ms = frame.event_time_ms / 300'000 * 300'000;
    for (int thing = 0; thing < kThings; ++thing) {
      if (!open_[static_cast<std::size_t>(thing)]) continue;
      std::string name = NameOf(thing);
      report::CounterRecord record;
      record.flags = report::CounterRecord::kConnected;
      record.client_id = name;
      record.source_ip = "192.0.2.1";
      std::int64_t admin = 3 + Pick(3) + (Attacks(thing, step) ? 60 : 0), other = 10;
      if (thing == 11 && step > 300 && step % 200 > 170) other = 40;
      for (auto [series, sent] : {std::pair{0U, admin + other}, {model::DimensionSeries(kDimension, model::DimensionOperator::kIn), admin},
                                  {model::DimensionSeries(kDimension, model::DimensionOperator::kNotIn), other}}) {
        record.dimension = series;
        record.messages_sent = static_cast<std::uint64_t>(sent);
        record.bytes_sent = record.messages_sent * 50;
        record.max_payload = record.min_payload = 50;
        report::AppendCounter(record, records);
        ++frame.count;
      }
    }
    frame.records = records;
    sender_.Add(frame);
  }

  bus::FrameSender& sender_;
  std::mt19937_64 random_{20260101};
  std::array<bool, kThings> open_{};
  report::ClockFrame clock_;
  std::string payload_;
};

// --- runs ------------------------------------------------------------------------------------------------------------

class DayReplay : public testing::Test {
 protected:
  void SetUp() override {
    log::SetLevel(log::Level::kError);
    // In memory where that is possible: the process is killed, not the machine, and nobody waits for a disk.
    root_ = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/fw-day-XXXXXX" : "/tmp/fw-day-XXXXXX";
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    void* shared = ::mmap(nullptr, sizeof(SharedClock), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    clock_ = new (shared) SharedClock;
  }
  void TearDown() override {
    if (server_ > 0) {
      ::kill(server_, SIGKILL);
      ::waitpid(server_, nullptr, 0);
    }
    std::filesystem::remove_all(root_);
  }

  std::string Folder(const std::string& run) { return root_ + "/" + run; }

  /// A server process. It ends when told: with a byte as it is, without one after it has dumped what it decided.
  void Fork(const std::string& run, std::uint32_t shards) {
    std::filesystem::create_directories(Folder(run));
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    server_ = ::fork();
    ASSERT_GE(server_, 0);
    if (server_ == 0) {
      ::close(pipe[1]);
      {
        Server server(Folder(run), shards, *clock_);
        server.Start();
        char byte;
        if (::read(pipe[0], &byte, 1) == 0) server.Dump(Folder(run) + "/decisions", kEnd);
      }
      ::_exit(0);
    }
    ::close(pipe[0]);
    stop_ = pipe[1];
  }
  void Stop(bool dump) {
    if (!dump) {
      ASSERT_EQ(::write(stop_, "r", 1), 1);
    }
    ::close(stop_);
    int status = 0;
    ::waitpid(std::exchange(server_, 0), &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  void Kill() {
    ::close(stop_);
    ::kill(server_, SIGKILL);
    ::waitpid(std::exchange(server_, 0), nullptr, 0);
  }

  /// `ends`: steps in whose middle the server is killed, or (every fourth) stopped, and started anew. `clock_moves`: with a
  /// clock that stands still, no checkpoint is made and the log stays whole.
  void RunDay(const std::string& run, std::uint32_t shards, const std::set<int>& ends, bool clock_moves) {
    bus::FrameSender::Options options;
    options.path = Folder(run) + "/ingest.sock";
    options.edge_id = "edge";
    options.plugin_start = Id128{1, 2};
    options.reconnect_ms = 5;
    bus::FrameSender sender(options);
    Fleet fleet(sender);
    std::mt19937 random(7);
    clock_->now_ms = kStart;
    Fork(run, shards);
    int ended = 0;
    for (int step = 0; step < kSteps && !HasFatalFailure(); ++step) {
      if (clock_moves) clock_->now_ms = kStart + step * kStepMs;
      fleet.Step(step);
      if (ends.contains(step)) {
        for (auto turns = random() % 40; turns > 0; --turns) Pump(sender, step);
        if (ended++ % 4 == 3) Stop(false);
        else Kill();
        Fork(run, shards);
      }
      WaitAcknowledged(sender, step);
    }
    report::ClockFrame end;
    end.event_time_ms = kEnd;
    sender.Add(end);
    WaitAcknowledged(sender, kSteps);
    if (HasFatalFailure()) Kill();
    else Stop(true);
  }

  static void WaitAcknowledged(bus::FrameSender& sender, int step) {
    for (int turns = 0; sender.acked_seq() + 1 < sender.next_seq(); ++turns) {
      ASSERT_LT(turns, 300'000) << "no acknowledgement at step " << step;
      Pump(sender, step);
    }
  }

  static void Pump(bus::FrameSender& sender, int step) {
    sender.Pump(SystemClock().MonotonicMillis(), kStart + step * kStepMs);
    ::usleep(100);
  }

  /// A server that finds the log of a run and nothing else.
  void Replay(const std::string& log_of, const std::string& run, std::uint32_t shards) {
    std::filesystem::create_directories(Folder(run));
    std::filesystem::copy(Folder(log_of) + "/log", Folder(run) + "/log", std::filesystem::copy_options::recursive);
    Fork(run, shards);
    Stop(true);
  }

  std::vector<std::string> Decisions(const std::string& run) {
    std::ifstream file(Folder(run) + "/decisions");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  void ExpectSame(const std::vector<std::string>& expected, const std::string& run) {
    std::vector<std::string> found = Decisions(run);
    for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
      ASSERT_EQ(found[i], expected[i]) << run << " line " << i;
    }
    ASSERT_EQ(found.size(), expected.size()) << run;
  }

  // Behind the last window's sums, which follow its watermark.
  static constexpr std::int64_t kEnd = kStart + kSteps * kStepMs + 50'000;
  std::string root_;
  SharedClock* clock_ = nullptr;
  pid_t server_ = 0;
  int stop_ = -1;
};

TEST_F(DayReplay, DecidesTheSameWhateverTheShardsTheKillsAndTheReplays) {
  RunDay("one", 1, {}, false);
  ASSERT_FALSE(HasFatalFailure());
  std::vector<std::string> expected = Decisions("one");
  for (const std::string& behavior : kMustAlarm) {
    bool raised = false, cleared = false;
    for (const std::string& line : expected) {
      bool is = line.find(" P/" + behavior + " ") != std::string::npos;
      raised |= is && line.starts_with("in-alarm ");
      cleared |= is && line.starts_with("alarm-cleared ");
    }
    EXPECT_TRUE(raised) << behavior;
    EXPECT_TRUE(cleared) << behavior;
  }
  auto run = [&](const std::string& name, std::uint32_t shards, const std::set<int>& ends, bool clock_moves) {
    if (HasFatalFailure()) return;
    RunDay(name, shards, ends, clock_moves);
    if (!HasFatalFailure()) ExpectSame(expected, name);
  };
  run("four", 4, {}, false);
  run("killed-four", 4, {17, 18, 100, 101, 287, 288, 350, 431, 432, 600, 719, 721, 740, 760, 863}, true);
  run("killed-one", 1, {35, 36, 400, 725, 863}, true);
  int number = 0;
  for (const char* log_of : {"one", "four"}) {
    for (std::uint32_t shards : {1u, 1u, 4u, 4u}) {
      ASSERT_FALSE(HasFatalFailure());
      std::string name = "replay" + std::to_string(number++);
      Replay(log_of, name, shards);
      ExpectSame(expected, name);
    }
  }
}

}  // namespace
}  // namespace fleetward::ingest
