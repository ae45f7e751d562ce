#include "machine.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "fleet.h"
#include "fleetward/crypto/digest.h"
#include "replay.h"

namespace fleetward::bench {
namespace {

double Seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::array<std::uint8_t, 32> Sha256(std::string_view bytes) {
  std::string digest = crypto::Sha256(bytes);
  std::array<std::uint8_t, 32> out{};
  std::copy(digest.begin(), digest.end(), out.begin());
  return out;
}

const model::AccountId kAccount("123456789012");

}  // namespace

double Wall() { return Seconds(CLOCK_MONOTONIC); }
double ProcessCpu() { return Seconds(CLOCK_PROCESS_CPUTIME_ID); }
double ThreadCpu() { return Seconds(CLOCK_THREAD_CPUTIME_ID); }

void Check(const Status& status, const char* what) {
  if (status.ok()) return;
  std::fprintf(stderr, "fleet_bench: %s: %s\n", what, status.error().ToString().c_str());
  std::exit(1);
}

// The thing's number is its name's end; watched reports are those of the first things.
void Answers::Send(std::string_view topic, std::string_view) {
  auto at = topic.find("device-");
  std::size_t thing = 0;
  if (at == topic.npos) return;
  std::from_chars(topic.data() + at + 7, topic.data() + at + 15, thing);
  if (thing < answered_at.size()) answered_at[thing] = Wall();
}

Machine::Machine(const Options& o, Answers& answers) : options(o), directory(kAccount) {
  store::RocksOptions rocks;
  rocks.folder = options.folder + "/telemetry";
  rocks.families = telemetry::TelemetryFamilies();
  auto store = store::OpenRocksStore(rocks);
  if (!store.ok()) Check(store.error(), "opening the store");
  blocks = std::move(*store);
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    ingest::ShardOptions shard;
    shard.index = i;
    shard.count = options.shards;
    shard.engine.account = kAccount;
    shard.engine.sha256 = Sha256;
    shard.engine.max_unregistered_things = 10'000'000;
    shard.admission.min_report_interval_seconds = 0;
    if (options.exported > 0) {
      // As MetricsExporter::Add; where that has a thread that sends, messages that are due are let go of here.
      shard.exported = [this](const std::string& topic, std::string_view item) {
        std::lock_guard lock(export_mutex_);
        std::int64_t now = clock.MonotonicMillis();
        export_batches_.Add(topic, item, now);
        while (auto message = export_batches_.Take(now, false)) {
          exports_.values += message->values;
          exports_.bytes += message->payload.size();
        }
      };
    }
    if (options.checkpoint_records > 0) {
      shard.min_checkpoint_records = shard.max_checkpoint_records = options.checkpoint_records;
    }
    shards.push_back(std::make_unique<ingest::Shard>(
        shard, *blocks, clock, answers, [](std::span<const notify::Publication>) { return Status(); },
        [](const model::ViolationId&) { return model::VerificationState::kUnknown; }, counters));
  }
  converter = std::make_unique<ingest::FrameConverter>(directory, answers, faults,
                                                        ingest::FrameConverter::Listeners(), counters);
}

Machine::~Machine() {
  for (auto& shard : shards) shard->Stop();
}

std::uint64_t Machine::Recover() {
  auto applied = telemetry::AppliedTable::Open(*blocks, options.shards);
  if (!applied.ok()) Check(applied.error(), "reading applied positions");
  store::FileLogOptions files;
  files.folder = options.folder + "/log";
  files.min_next_position = applied->newest + 1;
  auto opened = store::OpenFileLog(files);
  if (!opened.ok()) Check(opened.error(), "opening the log");
  log = std::move(opened->log);
  for (auto& shard : shards) Check(shard->Load(*applied), "loading a shard");
  auto replayed = ingest::ReplayLog(*log, applied->applied + 1, shards);
  if (!replayed.ok()) Check(replayed.error(), "replaying");
  return *replayed;
}

void Machine::Start() {
  for (auto& shard : shards) shard->Start();
}

std::vector<ingest::Record> Machine::Configuration() const {
  std::vector<ingest::Record> records;
  records.emplace_back(ingest::ConfigBeginRecord{});
  model::MetricId id = model::kFirstCustomMetric;
  for (const char* name : kCustomNumbers) {
    records.emplace_back(ingest::CustomMetricSetRecord{
        0, {model::CustomMetricName(name), id++, model::CustomMetricType::kNumber}});
  }
  records.emplace_back(ingest::ProfileSetRecord{0, Fleet::Profile(options.statistical, options.ml, options.exported)});
  for (std::uint64_t thing = 0; thing < options.things; ++thing) {
    ingest::ThingSetRecord record;
    record.config = {Fleet::EntityOf(thing), model::ThingName(Fleet::NameOf(thing)), true, {model::ThingGroupName("all")}};
    records.emplace_back(std::move(record));
  }
  records.emplace_back(ingest::ConfigEndRecord{});
  return records;
}

void Machine::Emit(const ingest::Record& record) {
  scratch_.clear();
  ingest::EncodeLogRecord(record, scratch_);
  batch_->Add(scratch_);
}

void Machine::Convert(std::string_view frames) {
  std::vector<report::RawFrame> taken;
  for (;;) {
    auto frame = report::TakeFrame(frames);
    if (!frame.ok()) Check(frame.error(), "taking a frame");
    if (!*frame) break;
    taken.push_back(**frame);
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (i % ingest::FrameConverter::kAnnounced == 0) converter->Announce(std::span(taken).subspan(i));
    auto news = converter->Convert(taken[i], [this](const ingest::Record& record) { Emit(record); });
    if (!news.ok()) Check(news.error(), "converting a frame");
  }
}

void Machine::Commit() {
  std::vector<std::string_view> records;
  records.reserve(batch_->size());
  for (std::size_t i = 0; i < batch_->size(); ++i) records.push_back(batch_->Record(i));
  auto first = log->Append(records);
  if (!first.ok()) Check(first.error(), "appending");
  batch_->first = *first;
  Check(log->Sync(), "syncing");
  Deliver(std::move(batch_));
  batch_ = std::make_shared<ingest::LogBatch>();
}

std::optional<std::vector<detect::WindowSummary>> Machine::CollectSummaries() {
  std::vector<detect::WindowSummary> parts;
  for (auto& shard : shards) {
    bool answered = shard->Ask([&](ingest::Shard& s) {
      for (detect::WindowSummary& part : s.engine().PendingSummaries()) parts.push_back(std::move(part));
    });
    if (!answered) return std::nullopt;
  }
  auto merged = detect::MergeWindowSummaries(parts);
  if (!merged.ok()) Check(merged.error(), "merging summaries");
  return std::move(*merged);
}

void Machine::ExchangeSummaries() {
  if (options.statistical == 0) return;
  auto summaries = CollectSummaries();
  if (!summaries || summaries->empty()) return;
  for (detect::WindowSummary& summary : *summaries) Emit(ingest::WindowSummaryRecord{std::move(summary)});
  Commit();
}

void Machine::Deliver(std::shared_ptr<const ingest::LogBatch> batch) {
  for (auto& shard : shards) shard->Post(batch);
}

void Machine::Drain() {
  for (int i = 0; i < 2; ++i) {
    for (auto& shard : shards) shard->Ask([](ingest::Shard&) {});
  }
}

void Machine::WaitForCheckpoint() {
  Drain();
  for (auto& shard : shards) {
    std::uint64_t rounds = 0;
    shard->Ask([&](ingest::Shard& s) { rounds = s.checkpointer().stats().rounds; });
    shard->WantCheckpoint();
    for (bool done = false; !done;) {
      shard->Ask([&](ingest::Shard& s) { done = s.checkpointer().stats().rounds > rounds; });
      timespec nap{0, 2'000'000};
      nanosleep(&nap, nullptr);
    }
  }
}

std::uint64_t Machine::RecorderBytes() {
  std::uint64_t bytes = 0;
  for (auto& shard : shards) bytes += shard->recorder().MemoryBytes();
  return bytes;
}

telemetry::Checkpointer::Stats Machine::CheckpointStats() {
  telemetry::Checkpointer::Stats sum;
  for (auto& shard : shards) {
    shard->Ask([&](ingest::Shard& s) {
      const auto& stats = s.checkpointer().stats();
      sum.rounds += stats.rounds;
      sum.slabs += stats.slabs;
      sum.bytes += stats.bytes;
      sum.cpu_seconds += stats.cpu_seconds;
      sum.longest_step_seconds = std::max(sum.longest_step_seconds, stats.longest_step_seconds);
    });
  }
  return sum;
}

Machine::Exports Machine::exports() {
  std::lock_guard lock(export_mutex_);
  return exports_;
}

std::uint64_t Machine::violations() {
  return counters.AddCounter("fleetward_violation_events_total", "Violation events, by type.", "type=\"in-alarm\"").value();
}

}  // namespace fleetward::bench
