// store_bench [--smoke] [--things 3472] [--per 288] [--pairs 3] [--only rows|ours] [--dir DIR]: rows E1 to E4 of the
// performance targets.
//            store_bench --days N [--things N] [--interval S] [--retention DAYS] [--dir DIR]: ours alone, day after day.
//
// Ours: event log with a sync per 1,000 reports, recorder, hour blocks, whole-shard checkpoints after as much event time
// as the server lets pass between them (slabs hold 200 bytes a thing beside the open reports, for engine and admission),
// log trimming, the day's merge, all compactions. Baseline of E1, E3, E4: one RocksDB row per report (its log synced
// per 1,000), its compactions waited for. Floor of E2: the same bytes appended to a file, fdatasync per 1,000. Both
// sides get the same reports of a made-up fleet (250 bytes each as a row); making them up is outside of the clock on both
// sides. Alternates A B A B; prints the median of the pairwise ratios and their range.
//
// --days: the same path in simulated time, with all that the server's maintenance does meanwhile (trim, merge, flush,
// expire). Three hours after each midnight the day before must be merged; it is waited for within the clock. At the end:
// the last hour of 1,000 things, one thing's last 24 h as they lie in hour blocks, and again when merged.
#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/store/block_store.h"
#include "fleetward/store/event_log.h"
#include "fleetward/telemetry/maintenance.h"
#include "fleetward/telemetry/query.h"
#include "fleetward/telemetry/shard_state.h"

namespace fs = std::filesystem;
using namespace fleetward;

namespace {

constexpr std::int64_t kDayStart = 1'790'035'200'000;  // midnight UTC
constexpr std::int64_t kInterval = 300'000;  // of a thing's reports, where nothing else is said
constexpr std::int64_t kHour = 3'600'000, kDay = 24 * kHour;
constexpr std::size_t kBatch = 1000;
// As in ingest/shard.h and ingest/pipeline.cc.
constexpr std::int64_t kCheckpointAgeMs = 3'600'000;
constexpr std::uint64_t kMinCheckpointRecords = 250'000, kMaxCheckpointRecords = 4'000'000;
constexpr std::int64_t kTrimMs = 10'000, kFlushMs = 600'000;
constexpr std::uint64_t kTrimBytes = 64 << 20;
constexpr std::size_t kAhead = 8;
constexpr std::size_t kEngineBytesPerThing = 200;

double Wall() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}
double ProcessCpu() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}
double ThreadCpu() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}
void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "store_bench: %s failed\n", what);
  std::exit(1);
}

/// Waits until background threads (flushes, compactions) have nothing left to do.
void Settle() {
  for (int quiet = 0; quiet < 3;) {
    double before = ProcessCpu();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    quiet = ProcessCpu() - before < 0.002 ? quiet + 1 : 0;
  }
}

/// One report: four counters, eight ports, six connections of which one in ten is new, ten small numbers.
struct Report {
  std::uint64_t thing;
  std::int64_t time_ms;
  std::uint64_t counters[4];
  std::uint16_t ports[8];
  struct { std::uint32_t address; std::uint16_t port, local; } connections[6];
  std::uint32_t numbers[10];
};

class Fleet {
 public:
  explicit Fleet(std::uint64_t seed, std::int64_t interval_ms = kInterval)
      : state_(seed * 2 + 1), interval_ms_(interval_ms) {}
  Report Make(std::uint64_t thing, std::uint64_t round) {
    std::uint64_t h = (thing + 1) * 0x9e3779b97f4a7c15ULL;
    Report r{};
    r.thing = thing;
    r.time_ms = kDayStart + static_cast<std::int64_t>(round) * interval_ms_ +
                static_cast<std::int64_t>(h % static_cast<std::uint64_t>(interval_ms_ - 1000));
    r.counters[0] = h % 1000000 + round * 20000 + Random() % 20000;
    r.counters[1] = h % 300000 + round * 7000 + Random() % 7000;
    r.counters[2] = round * 30 + Random() % 30;
    r.counters[3] = round * 11 + Random() % 11;
    for (int i = 0; i < 8; ++i) r.ports[i] = static_cast<std::uint16_t>((h >> i) % 60000 + 22);
    for (int i = 0; i < 6; ++i) {
      std::uint64_t a = Random() % 10 == 0 ? Random() : h * static_cast<std::uint64_t>(i + 3);
      r.connections[i] = {static_cast<std::uint32_t>(a), static_cast<std::uint16_t>(a >> 32),
                          static_cast<std::uint16_t>(443 + i)};
    }
    for (auto& n : r.numbers) n = static_cast<std::uint32_t>(Random() % 1000);
    return r;
  }

 private:
  std::uint64_t Random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::uint64_t state_;
  const std::int64_t interval_ms_;
};

/// The report as the 250 bytes of a row, names included.
std::string AsRow(const Report& r) {
  std::string row;
  ByteWriter w(row);
  w.U64(static_cast<std::uint64_t>(r.time_ms));
  for (auto c : r.counters) w.U64(c);
  for (auto p : r.ports) w.U16(p);
  for (const auto& c : r.connections) {
    w.U32(c.address);
    w.U16(c.port);
    w.U16(c.local);
  }
  for (auto n : r.numbers) w.U32(n);
  row += "cpu_usage,battery_mV,msgs_sent,msg_bytes,auth_failures,conn_attempts,disconnects,eth0,eth0,wlan0,";
  row.resize(250, '\0');
  return row;
}

model::EntityId EntityOf(std::uint64_t thing) { return {thing * 0x9e3779b97f4a7c15ULL, ~thing}; }

void AsSample(const Report& r, telemetry::Sample& s) {
  s.Clear();
  s.entity = EntityOf(r.thing);
  s.time = FromMillis(r.time_ms);
  s.report_id = static_cast<std::uint64_t>(r.time_ms / 1000);
  s.reporter = std::string(32, static_cast<char>(r.thing));
  for (model::MetricId i = 0; i < 4; ++i) s.AddCount({8 + i, 0}, static_cast<std::int64_t>(r.counters[i]));
  s.AddPorts({15, 0}, r.ports);
  model::IpAddress addresses[6];
  std::uint16_t remote[6], local[6];
  for (int i = 0; i < 6; ++i) {
    addresses[i].bytes[10] = addresses[i].bytes[11] = 0xff;
    std::memcpy(addresses[i].bytes.data() + 12, &r.connections[i].address, 4);
    remote[i] = r.connections[i].port;
    local[i] = r.connections[i].local;
  }
  s.AddAddresses({17, 0}, addresses);
  s.AddPorts({telemetry::kAuxDestinationPorts, 0}, remote);
  s.AddPorts({telemetry::kAuxLocalPorts, 0}, local);
  for (model::MetricId i = 0; i < 10; ++i) s.AddNumber({64 + i, 0}, r.numbers[i]);
}

struct Run {
  double cpu_us = 0, reports_per_second = 0, bytes = 0, day_us = 0;
};

std::uint64_t FolderBytes(const std::string& folder) {
  std::uint64_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) sum += entry.file_size();
  }
  return sum;
}

double Load() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void BigEndian(std::string& key, std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(v >> shift));
}

/// What to do with each batch of reports of the rounds from `first` until `per`.
template <class Fn>
void ForEachBatch(std::uint64_t things, std::uint64_t per, Fleet& fleet, Fn&& fn, std::uint64_t first = 0) {
  std::vector<Report> batch;
  for (std::uint64_t round = first; round < per; ++round) {
    for (std::uint64_t thing = 0; thing < things; ++thing) {
      batch.push_back(fleet.Make(thing, round));
      if (batch.size() == kBatch) {
        fn(batch);
        batch.clear();
      }
    }
  }
  if (!batch.empty()) fn(batch);
}

Run RunRows(const std::string& folder, std::uint64_t things, std::uint64_t per, std::uint64_t seed) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kZSTD;
  options.compression_opts.level = 1;
  options.write_buffer_size = 64 << 20;
  options.max_background_jobs = 2;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 16384;
  table.block_cache = rocksdb::NewLRUCache(64 << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* raw = nullptr;
  Check(rocksdb::DB::Open(options, folder, &raw).ok(), "opening the row store");
  std::unique_ptr<rocksdb::DB> db(raw);
  Fleet fleet(seed);
  double cpu = ProcessCpu(), outside = 0, wall = 0;
  ForEachBatch(things, per, fleet, [&](const std::vector<Report>& reports) {
    double begun = ThreadCpu();
    std::vector<std::string> rows;
    for (const Report& r : reports) rows.push_back(AsRow(r));
    outside += ThreadCpu() - begun;
    double at = Wall();
    rocksdb::WriteBatch batch;
    std::string key;
    for (std::size_t i = 0; i < reports.size(); ++i) {
      key.clear();
      BigEndian(key, reports[i].thing);
      BigEndian(key, static_cast<std::uint64_t>(reports[i].time_ms));
      batch.Put(key, rows[i]);
    }
    rocksdb::WriteOptions write;
    write.sync = true;
    Check(db->Write(write, &batch).ok(), "writing rows");
    wall += Wall() - at;
  });
  Check(db->Flush(rocksdb::FlushOptions()).ok(), "flushing rows");
  Settle();
  Run run;
  double reports = static_cast<double>(things * per);
  run.cpu_us = (ProcessCpu() - cpu - outside) / reports * 1e6;
  run.reports_per_second = reports / wall;
  std::vector<double> reads;
  Fleet pick(seed + 99);
  for (int i = 0; i < 400; ++i) {
    std::uint64_t thing = pick.Make(0, 0).counters[0] % things;
    std::string from, until;
    BigEndian(from, thing);
    BigEndian(from, 0);
    BigEndian(until, thing + 1);
    BigEndian(until, 0);
    double at = Wall();
    rocksdb::ReadOptions read;
    rocksdb::Slice upper(until);
    read.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(read));
    std::uint64_t count = 0;
    for (it->Seek(from); it->Valid(); it->Next()) count += it->value().size() == 250;
    if (i >= 200) reads.push_back((Wall() - at) * 1e6);
    Check(count == per, "reading a thing's rows");
  }
  run.day_us = Median(reads);
  db.reset();
  run.bytes = static_cast<double>(FolderBytes(folder)) / reports;
  return run;
}

double RunFile(const std::string& path, std::uint64_t things, std::uint64_t per, std::uint64_t seed) {
  int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC, 0644);
  Check(fd >= 0, "making the floor's file");
  Fleet fleet(seed);
  double wall = 0;
  ForEachBatch(things, per, fleet, [&](const std::vector<Report>& reports) {
    std::vector<std::string> rows;
    for (const Report& r : reports) rows.push_back(AsRow(r));
    double at = Wall();
    std::string bytes;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      BigEndian(bytes, reports[i].thing);
      BigEndian(bytes, static_cast<std::uint64_t>(reports[i].time_ms));
      bytes += rows[i];
    }
    Check(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "writing the floor's file");
    Check(fdatasync(fd) == 0, "syncing the floor's file");
    wall += Wall() - at;
  });
  close(fd);
  unlink(path.c_str());
  return static_cast<double>(things * per) / wall;
}

/// The shard's thread: applies batches while the next one is being synced, as in the server.
class ShardThread {
 public:
  ShardThread(telemetry::ShardState& state, std::uint64_t things, std::int64_t interval_ms)
      : state_(state),
        things_(things),
        interval_ms_(static_cast<std::uint64_t>(interval_ms)),
        checkpoint_records_(std::clamp<std::uint64_t>(things * 4, kMinCheckpointRecords, kMaxCheckpointRecords)),
        thread_([this] { Loop(); }) {}
  void Post(store::LogPosition first, std::vector<telemetry::Sample> samples) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return queue_.size() < 4; });
    queue_.push_back({first, std::move(samples)});
    wake_.notify_one();
  }
  std::vector<telemetry::Sample> Recycle() {
    std::lock_guard lock(mutex_);
    if (done_.empty()) return {};
    auto samples = std::move(done_.back());
    done_.pop_back();
    return samples;
  }
  void Drain() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return queue_.empty() && idle_; });
  }
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      wake_.notify_one();
    }
    thread_.join();
  }

 private:
  struct Work {
    store::LogPosition first;
    std::vector<telemetry::Sample> samples;
  };
  void Loop() {
    for (;;) {
      Work work;
      {
        std::unique_lock lock(mutex_);
        idle_ = true;
        room_.notify_all();
        wake_.wait(lock, [&] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
        idle_ = false;
        room_.notify_all();
      }
      store::LogPosition position = work.first;
      for (std::size_t i = 0; i < work.samples.size(); ++i) {
        Foresee(work.samples, i + 3 * kAhead, Ahead::kEntry);
        Foresee(work.samples, i + 2 * kAhead, Ahead::kState);
        Foresee(work.samples, i + kAhead, Ahead::kContents);
        const telemetry::Sample& sample = work.samples[i];
        telemetry::SlabId slab = telemetry::SlabOf(sample.entity);
        if (!state_.ShouldApply(position) || !state_.ShouldApply(slab, position)) continue;
        state_.recorder().Add(sample, position++);
        state_.Touch(slab);
      }
      Commit(position - 1, work.samples.back().time);
      std::lock_guard lock(mutex_);
      done_.push_back(std::move(work.samples));
    }
  }
  /// As Shard::Prefetch.
  void Foresee(const std::vector<telemetry::Sample>& samples, std::size_t i, Ahead ahead) const {
    if (i < samples.size()) state_.recorder().Prefetch(samples[i].entity, samples[i].source, ahead);
  }
  void Commit(store::LogPosition applied, Timestamp watermark) {
    auto now_ms = static_cast<std::int64_t>(applied * interval_ms_ / things_);
    Check(state_.Commit(applied, watermark, now_ms).ok(), "a commit");
    if (now_ms - checkpointed_ms_ < kCheckpointAgeMs && applied - checkpointed_ < checkpoint_records_) return;
    state_.BeginCheckpoint(applied);
    checkpointed_ms_ = now_ms;
    checkpointed_ = applied;
  }

  telemetry::ShardState& state_;
  const std::uint64_t things_, interval_ms_, checkpoint_records_;
  std::int64_t checkpointed_ms_ = 0;
  store::LogPosition checkpointed_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, room_;
  std::deque<Work> queue_;
  std::vector<std::vector<telemetry::Sample>> done_;
  bool stop_ = false, idle_ = false;
  std::thread thread_;
};

/// The maintenance thread: does what is due when told that time has passed. Without `maintenance` it only trims.
class Background {
 public:
  Background(telemetry::LogTrimmer& trimmer, store::BlockStore& store, telemetry::Maintenance* maintenance)
      : trimmer_(trimmer), store_(store), maintenance_(maintenance), thread_([this] { Loop(); }) {}
  void Poke(std::int64_t now_ms) {
    std::lock_guard lock(mutex_);
    now_ms_ = now_ms;
    wanted_ = true;
    wake_.notify_one();
  }
  /// Until everything is merged that ended before.
  void AwaitMerged(std::int64_t now_ms) {
    for (std::unique_lock lock(mutex_); merged_ms_ < now_ms;) {
      now_ms_ = now_ms;
      wanted_ = true;
      wake_.notify_one();
      idle_.wait(lock, [&] { return !wanted_ && !busy_; });
    }
  }
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      wake_.notify_one();
    }
    thread_.join();
  }

 private:
  void Loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      idle_.notify_all();
      wake_.wait(lock, [&] { return stop_ || wanted_; });
      if (stop_) return;
      wanted_ = false;
      busy_ = true;
      std::int64_t now_ms = now_ms_;
      lock.unlock();
      Check(trimmer_.Run(kTrimBytes).ok(), "trimming");
      bool merged = maintenance_ != nullptr && Maintain(now_ms);
      lock.lock();
      busy_ = false;
      if (merged) merged_ms_ = now_ms;
    }
  }
  bool Maintain(std::int64_t now_ms) {
    Timestamp now = FromMillis(kDayStart + now_ms);
    auto progress = maintenance_->Merge(now);
    Check(progress.ok(), "a merge");
    if (now_ms >= flushed_ms_ + kFlushMs) {
      Check(store_.Flush().ok(), "a flush");
      flushed_ms_ = now_ms;
    }
    if (now_ms >= expired_ms_ + kHour) {
      Check(maintenance_->Expire(now).ok(), "expiry");
      expired_ms_ = now_ms;
    }
    return !progress.value().more;
  }

  telemetry::LogTrimmer& trimmer_;
  store::BlockStore& store_;
  telemetry::Maintenance* maintenance_;
  std::int64_t now_ms_ = 0, merged_ms_ = 0, flushed_ms_ = 0, expired_ms_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  bool wanted_ = false, busy_ = false, stop_ = false;
  std::thread thread_;
};

/// Log, store, shard and maintenance, fed with rounds of a fleet's reports.
class Ours {
 public:
  Ours(const std::string& folder, std::uint64_t things, std::uint64_t seed, std::int64_t interval_ms, bool maintain,
       telemetry::Retention retention)
      : folder_(folder), things_(things), interval_ms_(interval_ms), fleet_(seed, interval_ms) {
    store::FileLogOptions log_options;
    log_options.folder = folder + "/log";
    log_ = std::move(std::move(store::OpenFileLog(log_options)).value().log);
    store::RocksOptions rocks;
    rocks.folder = folder + "/telemetry";
    rocks.families = telemetry::TelemetryFamilies();
    store_ = std::move(store::OpenRocksStore(rocks)).value();
    members_.resize(telemetry::kSlabCount);
    for (std::uint64_t thing = 0; thing < things; ++thing) ++members_[telemetry::SlabOf(EntityOf(thing))];
    telemetry::EngineSlabs engine;
    engine.save = [this](telemetry::SlabId slab, std::string& out) {
      if (slab < telemetry::kSlabCount) out.append(members_[slab] * kEngineBytesPerThing, 'e');
    };
    state_ = std::make_unique<telemetry::ShardState>(*store_, 0, 1, engine);
    Check(state_->Load(telemetry::AppliedTable::Open(*store_, 1).value()).ok(), "loading");
    maintenance_ = std::make_unique<telemetry::Maintenance>(
        *store_, [this](telemetry::SlabId slab) { return state_->checkpointer().SavedPosition(slab); }, retention);
    trimmer_ = std::make_unique<telemetry::LogTrimmer>(
        *store_, *log_, std::vector<const telemetry::Checkpointer*>{&state_->checkpointer()});
    shard_ = std::make_unique<ShardThread>(*state_, things, interval_ms);
    background_ = std::make_unique<Background>(*trimmer_, *store_, maintain ? maintenance_.get() : nullptr);
    cpu_ = ProcessCpu();
  }

  /// Reports of the rounds from `first` until `end`, each batch synced.
  void Rounds(std::uint64_t first, std::uint64_t end) {
    ForEachBatch(things_, end, fleet_, [this](const std::vector<Report>& reports) { Add(reports); }, first);
    double at = Wall();
    shard_->Drain();
    wall_ += Wall() - at;
  }
  void AwaitMerged(std::int64_t now_ms) {
    double at = Wall();
    background_->AwaitMerged(now_ms);
    wall_ += Wall() - at;
  }
  /// The last checkpoint, and everything merged that ended before.
  void Finish(std::int64_t now_ms) {
    Timestamp end = FromMillis(kDayStart + now_ms);
    shard_->Stop();
    background_->Stop();
    state_->BeginCheckpoint(log_->durable_position());
    for (std::int64_t tick = std::int64_t{1} << 40; state_->checkpointer().active(); ++tick) {
      Check(state_->CommitAll(log_->durable_position(), end, tick).ok(), "the last commit");
    }
    for (;;) {
      auto progress = maintenance_->Merge(end);
      Check(progress.ok(), "a merge");
      if (!progress.value().more) break;
    }
    Check(store_->Flush().ok() && trimmer_->Run().ok(), "trimming");
    Settle();
  }

  telemetry::Query Reader() { return telemetry::Query(*store_, {&state_->recorder()}); }
  /// Of everything but the making up of reports.
  double cpu() const { return ProcessCpu() - cpu_ - outside_; }
  double wall() const { return wall_; }
  std::uint64_t Bytes() const { return FolderBytes(folder_ + "/telemetry"); }
  void Close() { store_.reset(); }

 private:
  void Add(const std::vector<Report>& reports) {
    double begun = ThreadCpu();
    std::vector<std::string> rows;
    std::vector<telemetry::Sample> samples = shard_->Recycle();
    samples.resize(reports.size());
    for (std::size_t i = 0; i < reports.size(); ++i) {
      rows.push_back(AsRow(reports[i]));
      AsSample(reports[i], samples[i]);
    }
    std::vector<std::string_view> records(rows.begin(), rows.end());
    outside_ += ThreadCpu() - begun;
    double at = Wall();
    auto first = log_->Append(records);
    Check(first.ok() && log_->Sync().ok(), "the log");
    shard_->Post(first.value(), std::move(samples));
    auto now_ms = static_cast<std::int64_t>(first.value() * static_cast<std::uint64_t>(interval_ms_) / things_);
    if (now_ms - poked_ms_ >= kTrimMs) {
      background_->Poke(now_ms);
      poked_ms_ = now_ms;
    }
    wall_ += Wall() - at;
  }

  const std::string folder_;
  const std::uint64_t things_;
  const std::int64_t interval_ms_;
  Fleet fleet_;
  std::vector<std::size_t> members_;
  std::unique_ptr<store::EventLog> log_;
  std::unique_ptr<store::BlockStore> store_;
  std::unique_ptr<telemetry::ShardState> state_;
  std::unique_ptr<telemetry::Maintenance> maintenance_;
  std::unique_ptr<telemetry::LogTrimmer> trimmer_;
  std::unique_ptr<ShardThread> shard_;
  std::unique_ptr<Background> background_;
  double cpu_ = 0, outside_ = 0, wall_ = 0;
  std::int64_t poked_ms_ = 0;
};

/// Samples and points of a thing from..until; microseconds of both reads. Both must be `count`.
std::pair<double, double> ReadThing(telemetry::Query& query, std::uint64_t thing, std::int64_t from_ms,
                                    std::int64_t until_ms, std::uint64_t count) {
  Timestamp from = FromMillis(kDayStart + from_ms), until = FromMillis(kDayStart + until_ms);
  double begun = Wall();
  std::uint64_t whole = 0;
  Check(query.Samples(EntityOf(thing), telemetry::Source::kDevice, from, until, [&](const telemetry::Sample& sample) {
    whole += sample.fields().size() == 18;
    return true;
  }).ok(), "reading samples");
  double samples_us = (Wall() - begun) * 1e6;
  Check(whole == count, "finding every sample");
  begun = Wall();
  Check(query.Series({EntityOf(thing), {9, 0}, from, until, 10'000, {}}).value().points.size() == count, "finding every point");
  return {samples_us, (Wall() - begun) * 1e6};
}

Run RunOurs(const std::string& folder, std::uint64_t things, std::uint64_t per, std::uint64_t seed, double* series_us) {
  Ours ours(folder, things, seed, kInterval, false, {});
  ours.Rounds(0, per);
  ours.Finish(26 * kHour);
  Run run;
  double reports = static_cast<double>(things * per);
  run.cpu_us = ours.cpu() / reports * 1e6;
  run.reports_per_second = reports / ours.wall();
  telemetry::Query query = ours.Reader();
  std::vector<double> reads, series;
  Fleet pick(seed + 99);
  for (int i = 0; i < 400; ++i) {
    auto [all, one] = ReadThing(query, pick.Make(0, 0).counters[0] % things, 0, 25 * kHour, per);
    if (i < 200) continue;
    reads.push_back(all);
    series.push_back(one);
  }
  run.day_us = Median(reads);
  *series_us = Median(series);
  ours.Close();
  run.bytes = static_cast<double>(FolderBytes(folder + "/telemetry")) / reports;
  return run;
}

double Percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1))];
}

void PrintReads(const char* what, Ours& ours, std::uint64_t things, std::int64_t from_ms, std::int64_t until_ms,
                std::uint64_t count, std::size_t reads) {
  telemetry::Query query = ours.Reader();
  std::vector<double> samples, series;
  Fleet pick(reads);
  double all = 0, one = 0;
  for (std::size_t i = 0; i < reads; ++i) {
    Report dice = pick.Make(0, 0);
    std::uint64_t thing = (dice.numbers[0] * 1000 + dice.numbers[1]) % things;
    auto [samples_us, series_us] = ReadThing(query, thing, from_ms, until_ms, count);
    all += samples_us / 1000;
    one += series_us / 1000;
    samples.push_back(samples_us);
    series.push_back(series_us);
  }
  std::printf("%s, %zu things: all 18 values p50 %.0f us, p99 %.0f us, together %.0f ms; one series p50 %.0f us, p99 %.0f us, "
              "together %.0f ms\n", what, reads, Percentile(samples, 0.5), Percentile(samples, 0.99), all,
              Percentile(series, 0.5), Percentile(series, 0.99), one);
}

void RunDays(const std::string& folder, std::uint64_t things, std::int64_t days, std::int64_t interval_ms,
             telemetry::Retention retention) {
  Ours ours(folder, things, 1, interval_ms, true, retention);
  // Reports of a round lie within its interval, so rounds end at hours.
  auto rounds = [&](std::int64_t ms) { return static_cast<std::uint64_t>(ms / interval_ms); };
  double cpu = 0, wall = 0;
  std::uint64_t done = 0;
  auto print = [&](std::int64_t ms, const char* when, std::uint64_t end) {
    double reports = static_cast<double>((end - done) * things);
    std::printf("until day %lld, %02lld:00%s: %.2f us CPU a report, %.0f synced reports/s; on disk %.3f GB; load %.0f\n",
                static_cast<long long>(ms / kDay + 1), static_cast<long long>(ms % kDay / kHour), when,
                (ours.cpu() - cpu) / reports * 1e6, reports / (ours.wall() - wall), static_cast<double>(ours.Bytes()) / 1e9, Load());
    std::fflush(stdout);
    cpu = ours.cpu();
    wall = ours.wall();
    done = end;
  };
  // Three hours after midnight yesterday must be merged.
  for (std::int64_t now_ms = 3 * kHour; now_ms < days * kDay; now_ms += days > 1 ? kDay : 3 * kHour) {
    ours.Rounds(done, rounds(now_ms));
    ours.AwaitMerged(now_ms);
    print(now_ms, "", rounds(now_ms));
  }
  const std::int64_t end_ms = days * kDay;
  ours.Rounds(done, rounds(end_ms));
  PrintReads("last hour", ours, things, end_ms - kHour, end_ms - 1, rounds(kHour), std::min<std::uint64_t>(things, 1000));
  PrintReads("last 24 hours, not merged", ours, things, end_ms - kDay, end_ms - 1, rounds(kDay), 400);
  ours.Finish(end_ms + 2 * kHour);
  print(end_ms, ", all merged", rounds(end_ms));
  PrintReads("last 24 hours, merged", ours, things, end_ms - kDay, end_ms - 1, rounds(kDay), 400);
  PrintReads("the same again", ours, things, end_ms - kDay, end_ms - 1, rounds(kDay), 400);
  std::int64_t kept = std::min<std::int64_t>(days, retention.metric_days + 1);
  double reports = static_cast<double>(things * rounds(end_ms));
  std::printf("all: %.2f us CPU a report, %.0f synced reports/s, %.1f bytes a report of the %lld days kept\n",
              ours.cpu() / reports * 1e6, reports / ours.wall(),
              static_cast<double>(ours.Bytes()) / static_cast<double>(things * rounds(kept * kDay)), static_cast<long long>(kept));
}

void Print(const char* row, const char* what, const std::vector<double>& ours, const std::vector<double>& base,
           double target, bool at_most) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / base[i]);
  double ratio = Median(ratios);
  std::printf("%s  %-58s ours %9.2f  base %9.2f  ratio %.2f (%.2f-%.2f)  target %s %.2f  %s\n", row, what, Median(ours),
              Median(base), ratio, *std::min_element(ratios.begin(), ratios.end()),
              *std::max_element(ratios.begin(), ratios.end()), at_most ? "<=" : ">=", target,
              (at_most ? ratio <= target : ratio >= target) ? "ok" : "MISSED");
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t things = 3472, per = 288, pairs = 3;
  std::int64_t days = 0, interval_ms = kInterval;
  telemetry::Retention retention;
  std::string only;
  std::string folder = "/tmp/fleetward-store-bench." + std::to_string(getpid());
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag == "--smoke") {
      things = 100;
      per = 48;
      pairs = 1;
      continue;
    }
    if (i + 1 == argc) break;
    if (flag == "--things") things = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--per") per = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--pairs") pairs = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--dir") folder = argv[i + 1];
    if (flag == "--days") days = std::atoll(argv[i + 1]);
    if (flag == "--interval") interval_ms = std::atoll(argv[i + 1]) * 1000;
    if (flag == "--retention") retention.metric_days = std::atoi(argv[i + 1]);
    if (flag == "--only") only = argv[i + 1];
    ++i;
  }
  if (days > 0) {
    Check(interval_ms >= 60'000 && kHour % interval_ms == 0 && retention.metric_days > 0, "an interval that divides an hour");
    std::printf("store: %llu things, a report of 250 bytes each %lld s, %lld days; batches of %zu with a sync each, metrics kept "
                "%d days\n", static_cast<unsigned long long>(things), static_cast<long long>(interval_ms / 1000),
                static_cast<long long>(days), kBatch, retention.metric_days);
    fs::remove_all(folder);
    fs::create_directories(folder);
    RunDays(folder, things, days, interval_ms, retention);
    fs::remove_all(folder);
    return 0;
  }
  std::printf("store: %llu things x %llu reports of 250 bytes, batches of %zu with a sync each, %llu pairs\n",
              static_cast<unsigned long long>(things), static_cast<unsigned long long>(per), kBatch,
              static_cast<unsigned long long>(pairs));
  std::vector<double> cpu[2], rate[2], bytes[2], day[2], series;
  for (std::uint64_t pair = 0; pair < pairs; ++pair) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    double series_us = 0;
    if (!only.empty()) {
      Run run = only == "rows" ? RunRows(folder + "/rows", things, per, pair)
                               : RunOurs(folder, things, per, pair, &series_us);
      std::printf("%s: %.2f us CPU a report, %.0f reports/s, %.1f bytes a report, %.0f us a day read\n", only.c_str(),
                  run.cpu_us, run.reports_per_second, run.bytes, run.day_us);
      continue;
    }
    Run rows = RunRows(folder + "/rows", things, per, pair);
    fs::remove_all(folder + "/rows");
    double file = RunFile(folder + "/file", things, per, pair);
    Run ours = RunOurs(folder, things, per, pair, &series_us);
    cpu[0].push_back(ours.cpu_us);
    cpu[1].push_back(rows.cpu_us);
    rate[0].push_back(ours.reports_per_second / 1000);
    rate[1].push_back(file / 1000);
    bytes[0].push_back(ours.bytes);
    bytes[1].push_back(rows.bytes);
    day[0].push_back(ours.day_us);
    day[1].push_back(rows.day_us);
    series.push_back(series_us);
  }
  fs::remove_all(folder);
  if (!only.empty()) return 0;
  Print("E1", "CPU us a report, merges and checkpoints in / RocksDB row", cpu[0], cpu[1], 0.6, true);
  Print("E2", "thousand reports/s, sync per batch / file append", rate[0], rate[1], 0.5, false);
  Print("E3", "bytes a report after a day / RocksDB row", bytes[0], bytes[1], 0.75, true);
  Print("E4", "us for one thing's 24 h, warm p50 / RocksDB row", day[0], day[1], 0.75, true);
  std::printf("    one series of 24 h: %.0f us\n", Median(series));
}
