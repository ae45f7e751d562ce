// store_bench [--smoke] [--things 3472] [--per 288] [--pairs 3] [--only rows|ours] [--dir DIR]: rows E1 to E4 of the
// performance targets.
//
// Ours: event log with a sync per 1,000 reports, recorder, hour blocks, whole-shard checkpoints after as much event time
// as the server lets pass between them (slabs hold 200 bytes a thing beside the open reports, for engine and admission),
// log trimming, the day's merge, all compactions. Baseline of E1, E3, E4: one RocksDB row per report (its log synced
// per 1,000), its compactions waited for. Floor of E2: the same bytes appended to a file, fdatasync per 1,000. Both
// sides get the same reports of a made-up fleet (250 bytes each as a row); making them up is outside of the clock on both
// sides. Alternates A B A B; prints the median of the pairwise ratios and their range.
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
constexpr std::size_t kBatch = 1000;
// As in ingest/shard.h and ingest/pipeline.cc.
constexpr std::int64_t kCheckpointAgeMs = 3'600'000;
constexpr std::uint64_t kCheckpointRecords = 250'000;
constexpr std::int64_t kTrimMs = 10'000;
constexpr std::uint64_t kTrimBytes = 64 << 20;
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
  explicit Fleet(std::uint64_t seed) : state_(seed * 2 + 1) {}
  Report Make(std::uint64_t thing, std::uint64_t round) {
    std::uint64_t h = (thing + 1) * 0x9e3779b97f4a7c15ULL;
    Report r{};
    r.thing = thing;
    r.time_ms = kDayStart + static_cast<std::int64_t>(round) * 300'000 + static_cast<std::int64_t>(h % 299'000);
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

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void BigEndian(std::string& key, std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(v >> shift));
}

/// What to do with each batch of reports.
template <class Fn>
void ForEachBatch(std::uint64_t things, std::uint64_t per, Fleet& fleet, Fn&& fn) {
  std::vector<Report> batch;
  for (std::uint64_t round = 0; round < per; ++round) {
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
  ShardThread(telemetry::ShardState& state, std::uint64_t things)
      : state_(state), things_(things), thread_([this] { Loop(); }) {}
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
      for (const telemetry::Sample& sample : work.samples) {
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
  /// Every thing reports once in five minutes.
  void Commit(store::LogPosition applied, Timestamp watermark) {
    auto now_ms = static_cast<std::int64_t>(applied * 300'000 / things_);
    Check(state_.Commit(applied, watermark, now_ms).ok(), "a commit");
    if (now_ms - checkpointed_ms_ < kCheckpointAgeMs && applied - checkpointed_ < kCheckpointRecords) return;
    state_.BeginCheckpoint(applied);
    checkpointed_ms_ = now_ms;
    checkpointed_ = applied;
  }

  telemetry::ShardState& state_;
  const std::uint64_t things_;
  std::int64_t checkpointed_ms_ = 0;
  store::LogPosition checkpointed_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, room_;
  std::deque<Work> queue_;
  std::vector<std::vector<telemetry::Sample>> done_;
  bool stop_ = false, idle_ = false;
  std::thread thread_;
};

/// The maintenance thread: trims when told that time has passed.
class TrimThread {
 public:
  explicit TrimThread(telemetry::LogTrimmer& trimmer) : trimmer_(trimmer), thread_([this] { Loop(); }) {}
  void Poke() {
    std::lock_guard lock(mutex_);
    wanted_ = true;
    wake_.notify_one();
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
      wake_.wait(lock, [&] { return stop_ || wanted_; });
      if (stop_) return;
      wanted_ = false;
      lock.unlock();
      Check(trimmer_.Run(kTrimBytes).ok(), "trimming");
      lock.lock();
    }
  }
  telemetry::LogTrimmer& trimmer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false, stop_ = false;
  std::thread thread_;
};

Run RunOurs(const std::string& folder, std::uint64_t things, std::uint64_t per, std::uint64_t seed, double* series_us) {
  store::FileLogOptions log_options;
  log_options.folder = folder + "/log";
  auto log = std::move(std::move(store::OpenFileLog(log_options)).value().log);
  store::RocksOptions rocks;
  rocks.folder = folder + "/telemetry";
  rocks.families = telemetry::TelemetryFamilies();
  auto store = std::move(store::OpenRocksStore(rocks)).value();
  std::vector<std::size_t> members(telemetry::kSlabCount);
  for (std::uint64_t thing = 0; thing < things; ++thing) ++members[telemetry::SlabOf(EntityOf(thing))];
  telemetry::EngineSlabs engine;
  engine.save = [&](telemetry::SlabId slab, std::string& out) {
    if (slab < telemetry::kSlabCount) out.append(members[slab] * kEngineBytesPerThing, 'e');
  };
  telemetry::ShardState state(*store, 0, 1, engine);
  Check(state.Load(telemetry::AppliedTable::Open(*store, 1).value()).ok(), "loading");
  ShardThread shard(state, things);
  telemetry::LogTrimmer trimmer(*store, *log, {&state.checkpointer()});
  TrimThread maintenance_thread(trimmer);
  Fleet fleet(seed);
  double cpu = ProcessCpu(), outside = 0, outside_wall = 0, wall = 0;
  std::int64_t trimmed_ms = 0;
  ForEachBatch(things, per, fleet, [&](const std::vector<Report>& reports) {
    double begun = ThreadCpu(), begun_wall = Wall();
    std::vector<std::string> rows;
    std::vector<telemetry::Sample> samples = shard.Recycle();
    samples.resize(reports.size());
    for (std::size_t i = 0; i < reports.size(); ++i) {
      rows.push_back(AsRow(reports[i]));
      AsSample(reports[i], samples[i]);
    }
    std::vector<std::string_view> records(rows.begin(), rows.end());
    outside += ThreadCpu() - begun;
    outside_wall += Wall() - begun_wall;
    double at = Wall();
    auto first = log->Append(records);
    Check(first.ok() && log->Sync().ok(), "the log");
    shard.Post(first.value(), std::move(samples));
    auto now_ms = static_cast<std::int64_t>(first.value() * 300'000 / things);
    if (now_ms - trimmed_ms >= kTrimMs) {
      maintenance_thread.Poke();
      trimmed_ms = now_ms;
    }
    wall += Wall() - at;
  });
  double at = Wall();
  shard.Drain();
  wall += Wall() - at;
  Timestamp end = FromMillis(kDayStart + 26 * 3'600'000);
  shard.Stop();
  maintenance_thread.Stop();
  state.BeginCheckpoint(log->durable_position());
  for (std::int64_t now_ms = 1 << 30; state.checkpointer().active(); ++now_ms) {
    Check(state.CommitAll(log->durable_position(), end, now_ms).ok(), "the last commit");
  }
  telemetry::Maintenance maintenance(*store, [&](telemetry::SlabId slab) { return state.checkpointer().SavedPosition(slab); });
  for (;;) {
    auto progress = maintenance.Merge(end);
    Check(progress.ok(), "a merge");
    if (!progress.value().more) break;
  }
  Check(store->Flush().ok() && trimmer.Run().ok(), "trimming");
  Settle();
  Run run;
  double reports = static_cast<double>(things * per);
  run.cpu_us = (ProcessCpu() - cpu - outside) / reports * 1e6;
  run.reports_per_second = reports / wall;
  telemetry::Query query(*store, {&state.recorder()});
  std::vector<double> reads, series;
  Fleet pick(seed + 99);
  for (int i = 0; i < 400; ++i) {
    std::uint64_t thing = pick.Make(0, 0).counters[0] % things;
    double begun = Wall();
    std::uint64_t count = 0;
    Check(query.Samples(EntityOf(thing), telemetry::Source::kDevice, FromMillis(kDayStart),
                        FromMillis(kDayStart + 25 * 3'600'000), [&](const telemetry::Sample& sample) {
                          count += sample.fields().size() == 18;
                          return true;
                        }).ok(), "reading a day");
    if (i >= 200) reads.push_back((Wall() - begun) * 1e6);
    Check(count == per, "finding every sample");
    begun = Wall();
    telemetry::SeriesQuery one{EntityOf(thing), {9, 0}, FromMillis(kDayStart), FromMillis(kDayStart + 25 * 3'600'000), 10000, {}};
    Check(query.Series(one).value().points.size() == per, "finding every point");
    if (i >= 200) series.push_back((Wall() - begun) * 1e6);
  }
  run.day_us = Median(reads);
  *series_us = Median(series);
  store.reset();
  run.bytes = static_cast<double>(FolderBytes(folder + "/telemetry")) / reports;
  return run;
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
    if (flag == "--only") only = argv[i + 1];
    ++i;
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
