// A whole fleet in one process: encoded reports in, decode, log, engine and store, up to the durable and judged answer.
//
//   fleet_bench [--things 1000,100000,1000000] [--reports N] [--rounds N] [--shards N] [--statistical N] [--ml N]
//               [--counts] [--socket] [--export N] [--expiry DAYS] [--folder DIR] [--smoke]
//
// Each size runs in a process of its own, which then dies as if killed; the parent recovers what it left. CPU is that of
// the process without the generator. --socket sends the frames through the plugin's socket and the edge loop instead.
// --export: the metrics of so many behaviors are exported (up to the messages; nobody sends them). --expiry: the store also
// holds so many days past retention, which expire while reports come and values are listed.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <thread>

#include "fleet.h"
#include "fleetward/base/huge_pages.h"
#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"
#include "fleetward/bus/frame_sender.h"
#include "fleetward/telemetry/maintenance.h"
#include "fleetward/telemetry/query.h"
#include "machine.h"
#include "old_days.h"

namespace fleetward::bench {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kBatch = 1000;          // reports of one group commit
constexpr std::size_t kWatched = 10'000;      // things whose reports are answered, for the latency
constexpr std::int64_t kRoundMs = 300'000;

struct Flags {
  std::vector<std::uint64_t> things{1'000, 100'000, 1'000'000};
  std::uint64_t reports = 1'000'000;          // at least, in whole rounds of the fleet
  std::uint64_t rounds = 3;                   // at least
  std::uint32_t shards = 2;
  int statistical = 0, ml = 0, exported = 0, expiry_days = 0;
  bool counts = false, socket = false;
  std::string folder = "/tmp/fleet_bench";
};

double HeapBytes() {
  struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd + MappedBytes());
}

/// CPU seconds by name of thread.
std::map<std::string, double> ThreadSeconds() {
  std::map<std::string, double> seconds;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "stat");
    std::string line;
    std::getline(file, line);
    auto open = line.find('('), close = line.rfind(')');
    if (close == line.npos) continue;
    unsigned long user = 0, system = 0;
    if (std::sscanf(line.c_str() + close + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) continue;
    seconds[line.substr(open + 1, close - open - 1)] +=
        static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return seconds;
}

/// The order in which things report: the same pseudo-random one in each round, as devices with a steady interval do.
class Order {
 public:
  explicit Order(std::uint64_t things) : things_(things), step_(things * 618 / 1000 | 1) {
    while (std::gcd(step_, things_) != 1) step_ += 2;
  }
  std::uint64_t operator[](std::uint64_t i) const { return i * step_ % things_; }

 private:
  std::uint64_t things_, step_;
};

/// Makes the frames of the fleet's reports in order of time.
class Generator {
 public:
  Generator(const Flags& flags, std::uint64_t things, std::int64_t start_ms)
      : flags_(flags), things_(things), start_ms_(start_ms), order_(things), fleet_(1) {}

  /// Report number `n` of all. Watched things ask for an answer.
  report::ReportFrame Next(std::uint64_t n) {
    thing_ = order_[n % things_];
    std::uint64_t round = n / things_;
    name_ = Fleet::NameOf(thing_);
    report::ReportFrame frame;
    frame.event_time_ms = TimeOf(n);
    frame.thing = frame.client_id = name_;
    frame.fingerprint = fingerprint_;
    frame.payload = fleet_.Payload(thing_, round);
    frame.flags = thing_ < kWatched ? report::ReportFrame::kAnswerSubscribed : 0;
    return frame;
  }
  std::int64_t TimeOf(std::uint64_t n) const {
    return start_ms_ + static_cast<std::int64_t>(n / things_) * kRoundMs +
           static_cast<std::int64_t>(n % things_ * static_cast<std::uint64_t>(kRoundMs - 1000) / things_);
  }
  /// What the thing of the last report did in the bucket of its time.
  report::CountersFrame Counts(std::uint64_t n) {
    report::CounterRecord record;
    record.flags = report::CounterRecord::kConnected;
    record.client_id = name_;
    record.fingerprint = fingerprint_;
    record.source_ip = "192.0.2.17";
    record.messages_sent = 1;
    record.bytes_sent = record.max_payload = record.min_payload = 1000;
    counts_.clear();
    report::AppendCounter(record, counts_);
    report::CountersFrame frame;
    frame.event_time_ms = TimeOf(n);
    frame.bucket_start_ms = TimeOf(n) - TimeOf(n) % kRoundMs;
    frame.bucket_length_ms = kRoundMs;
    frame.count = 1;
    frame.records = counts_;
    return frame;
  }
  std::uint64_t thing() const { return thing_; }
  bool counts() const { return flags_.counts; }

 private:
  const Flags& flags_;
  const std::uint64_t things_;
  const std::int64_t start_ms_;
  Order order_;
  Fleet fleet_;
  std::uint64_t thing_ = 0;
  std::string name_, counts_;
  const std::string fingerprint_ = std::string(32, 'c');
};

/// Feeds reports into the machine, directly or through the socket. `pause` seconds between batches.
class Feed {
 public:
  Feed(const Flags& flags, Machine& machine, Answers& answers, Generator& generator)
      : flags_(flags), machine_(machine), answers_(answers), generator_(generator) {
    if (!flags.socket) return;
    std::string path = flags.folder + "/ingest.sock";
    auto listener = bus::FrameListener::Open({path, {}, 1 << 20, 64});
    if (!listener.ok()) Check(listener.error(), "the socket");
    listener_ = std::move(*listener);
    ingest::EdgeLoop::Callbacks callbacks;
    callbacks.deliver = [this](std::shared_ptr<const ingest::LogBatch> batch) { machine_.Deliver(std::move(batch)); };
    callbacks.reload = [] {};
    callbacks.window_summaries = [this] { return machine_.CollectSummaries(); };
    loop_ = std::make_unique<ingest::EdgeLoop>(*listener_, *machine_.log, *machine_.converter, machine_.clock,
                                               std::move(callbacks), machine_.counters);
    loop_->Start({}, 0, kRoundMs / 1000);
    // The loop learns here whose windows it has to exchange.
    loop_->Configure({ingest::ProfileSetRecord{0, Fleet::Profile(flags.statistical, flags.ml)}});
    sender_ = std::make_unique<bus::FrameSender>(bus::FrameSender::Options{path, "bench", Id128{1, 2}, 64 << 20, 100, 1024});
  }
  ~Feed() {
    if (loop_) loop_->Stop();
  }

  void Reports(std::uint64_t first, std::uint64_t count, double pause) {
    for (std::uint64_t n = first; n < first + count;) {
      std::uint64_t end = std::min<std::uint64_t>(first + count, n + kBatch);
      double begun = ThreadCpu();
      frames_.clear();
      for (std::uint64_t i = n; i < end; ++i) {
        report::ReportFrame frame = generator_.Next(i);
        if (frame.flags != 0) answers_.sent_at[generator_.thing()] = Wall();
        flags_.socket ? (void)sender_->Add(frame) : report::EncodeFrame(i + 1, frame, frames_);
        if (!generator_.counts()) continue;
        flags_.socket ? (void)sender_->Add(generator_.Counts(i)) : report::EncodeFrame(i + 1, generator_.Counts(i), frames_);
      }
      outside += ThreadCpu() - begun;
      n = end;
      // Once a second of event time, and no more often than each batch: buckets end here.
      std::int64_t now = generator_.TimeOf(n);
      flags_.socket ? Send(now) : Commit(now);
      if (pause > 0) usleep(static_cast<useconds_t>(pause * 1e6));
    }
    if (flags_.socket) {
      while (sender_->acked_seq() + 1 < sender_->next_seq()) {
        Pump();
        usleep(200);
      }
    }
    machine_.Drain();
  }
  double outside = 0;   // CPU of the generator, and of the sender

 private:
  void Commit(std::int64_t now) {
    machine_.Convert(frames_);
    bool bucket_ended = now / kRoundMs != watermark_ms_ / kRoundMs;
    if (now >= watermark_ms_ + 1000) machine_.Emit(ingest::WatermarkRecord{watermark_ms_ = now});
    machine_.Commit();
    if (bucket_ended) machine_.ExchangeSummaries();
  }
  void Send(std::int64_t now) {
    if (now >= watermark_ms_ + 1000) sender_->Add(report::ClockFrame{watermark_ms_ = now, now, 0, 1, 1});
    do {
      Pump();
      if (sender_->buffered_bytes() > (16 << 20)) usleep(200);
    } while (sender_->buffered_bytes() > (16 << 20));
  }
  void Pump() {
    double begun = ThreadCpu();
    sender_->Pump(machine_.clock.MonotonicMillis(), watermark_ms_);
    outside += ThreadCpu() - begun;
  }

  const Flags& flags_;
  Machine& machine_;
  Answers& answers_;
  Generator& generator_;
  std::unique_ptr<bus::FrameListener> listener_;
  std::unique_ptr<ingest::EdgeLoop> loop_;
  std::unique_ptr<bus::FrameSender> sender_;
  std::string frames_;
  std::int64_t watermark_ms_ = 0;
};

/// Milliseconds to the answers to one round of watched reports.
void TakeLatency(Answers& answers, std::size_t watched, std::vector<double>& times) {
  for (std::size_t i = 0; i < watched; ++i) {
    double at = answers.answered_at[i].exchange(0);
    if (at >= answers.sent_at[i] && answers.sent_at[i] > 0) times.push_back((at - answers.sent_at[i]) * 1e3);
    answers.sent_at[i] = 0;
  }
}

void PrintTimes(const char* what, const char* when, std::vector<double>& times) {
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  auto percentile = [&](double p) { return times[static_cast<std::size_t>(p * static_cast<double>(times.size() - 1))]; };
  std::printf("  %s, %s: p50 %.2f ms, p99 %.2f ms, p99.9 %.1f ms, longest %.1f ms (%zu)\n", what, when, percentile(0.5),
              percentile(0.99), percentile(0.999), times.back(), times.size());
}

void PrintLatency(const char* when, Answers& answers, std::size_t watched) {
  std::vector<double> times;
  TakeLatency(answers, watched, times);
  PrintTimes("report to answer", when, times);
}

/// Lists values of things one after the other, a few hundred a second: the last hour, and one day that is about to expire.
class Lister {
 public:
  Lister(Machine& machine, std::uint64_t things, Timestamp now)
      : query_(*machine.blocks, Recorders(machine)), things_(things), now_(now), thread_([this] { Run(); }) {}
  std::vector<double> Stop() {
    stop_ = true;
    thread_.join();
    return std::move(times_);
  }

 private:
  static std::vector<const telemetry::Recorder*> Recorders(Machine& machine) {
    std::vector<const telemetry::Recorder*> all;
    for (auto& shard : machine.shards) all.push_back(&shard->recorder());
    return all;
  }
  void Run() {
    Fleet random(99);
    for (std::uint64_t n = 0; !stop_; ++n) {
      telemetry::SeriesQuery query;
      query.entity = Fleet::EntityOf(random.Random() % things_);
      query.key = {model::IdOf(model::BuiltinMetric::kAllBytesOut), 0};
      query.end = n % 2 == 0 ? now_ + std::chrono::hours(1) : now_ - std::chrono::hours(24 * telemetry::Retention().metric_days - 24);
      query.start = query.end - std::chrono::hours(n % 2 == 0 ? 2 : 24);
      query.max_points = 250;
      double begun = Wall();
      auto page = query_.Series(query);
      if (!page.ok()) Check(page.error(), "listing values");
      times_.push_back((Wall() - begun) * 1e3);
      usleep(2000);
    }
  }

  telemetry::Query query_;
  const std::uint64_t things_;
  const Timestamp now_;
  std::vector<double> times_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Reports at half load and lists of values: while one day expires, then without anything for as many reports, and so on.
void MeasureExpiry(const Flags& flags, std::uint64_t things, Machine& machine, Answers& answers, std::size_t watched,
                   Feed& feed, std::uint64_t reports, double pause) {
  Timestamp now = machine.clock.Now();
  OldRows rows = WriteOldDays(*machine.blocks, things, now, flags.expiry_days);
  std::printf("  %d days past retention: %llu day blocks (%.0f MB), %llu violation events, %llu connections, and a day that stays\n",
              flags.expiry_days, static_cast<unsigned long long>(rows.blocks), static_cast<double>(rows.block_bytes) / 1e6,
              static_cast<unsigned long long>(rows.events), static_cast<unsigned long long>(rows.connections));
  struct Times {
    std::vector<double> answered, listed;
    std::uint64_t rounds = 0;
  } quiet, expiring;
  auto run = [&](Times& times, const std::function<bool(std::uint64_t rounds)>& enough) {
    // The server flushes each ten minutes, and behind a flush it expires.
    Check(machine.blocks->Flush(), "flush");
    Lister lister(machine, things, now);
    for (std::uint64_t n = 0; !enough(n); ++n, ++times.rounds) {
      feed.Reports(reports, things, pause);
      reports += things;
      TakeLatency(answers, watched, times.answered);
    }
    std::vector<double> listed = lister.Stop();
    times.listed.insert(times.listed.end(), listed.begin(), listed.end());
  };
  telemetry::Maintenance maintenance(*machine.blocks, [](telemetry::SlabId) { return std::uint64_t{0}; });
  double cpu = 0, wall = 0;
  for (int day = flags.expiry_days - 1; day >= 0; --day) {
    std::atomic<bool> done{false};
    std::uint64_t before = expiring.rounds;
    std::atomic<bool> begin{false};
    std::thread expiry([&] {
      LowerThisThread();  // as the server's
      while (!begin) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      double begun = Wall(), cpu_begun = ThreadCpu();
      Timestamp at = now - std::chrono::hours(24 * day);
      Check(maintenance.Expire(at), "expiry");
      wall += Wall() - begun;
      // The server removes a piece of the events each second.
      for (bool more = true; more;) {
        auto piece = maintenance.ExpireEvents(at);
        Check(piece.ok() ? Status() : Status(piece.error()), "expiry of events");
        more = piece->more;
        if (more) std::this_thread::sleep_for(std::chrono::seconds(1));
      }
      cpu += ThreadCpu() - cpu_begun;
      done = true;
    });
    run(expiring, [&](std::uint64_t rounds) {
      begin = true;
      return rounds > 0 && done;
    });
    expiry.join();
    run(quiet, [&](std::uint64_t rounds) { return rounds >= expiring.rounds - before; });
  }
  PrintTimes("report to answer", "without expiry", quiet.answered);
  PrintTimes("report to answer", "while a day expires", expiring.answered);
  PrintTimes("ListMetricValues", "without expiry", quiet.listed);
  PrintTimes("ListMetricValues", "while a day expires", expiring.listed);
  std::printf("  expiry of a day: its files %.3f s; with its events %.3f s of CPU in its thread\n", wall / flags.expiry_days, cpu / flags.expiry_days);
}

void RunFleet(const Flags& flags, std::uint64_t things) {
  std::size_t watched = std::min<std::size_t>(kWatched, things);
  Answers answers(watched);
  Machine::Options options;
  options.folder = flags.folder;
  options.shards = flags.shards;
  options.things = things;
  options.statistical = flags.statistical;
  options.ml = flags.ml;
  options.exported = flags.exported;
  double heap0 = HeapBytes();
  Machine machine(options, answers);
  machine.Recover();
  {
    std::vector<registry::Change> changes;
    for (std::uint64_t thing = 0; thing < things; ++thing) {
      registry::Thing t;
      t.name = model::ThingName(Fleet::NameOf(thing));
      t.id = Fleet::EntityOf(thing);
      changes.push_back(registry::ThingChanged{t.name, std::nullopt, t});
      if (changes.size() < 1000 && thing + 1 < things) continue;
      machine.directory.OnChanges(changes);
      changes.clear();
    }
  }
  double heap1 = HeapBytes();
  machine.Start();
  for (const ingest::Record& record : machine.Configuration()) machine.Emit(record);
  machine.Commit();
  machine.Drain();
  double heap2 = HeapBytes();

  std::int64_t start_ms = ToMillis(machine.clock.Now()) / kRoundMs * kRoundMs;
  Generator generator(flags, things, start_ms);
  Feed feed(flags, machine, answers, generator);
  std::uint64_t rounds = std::max<std::uint64_t>(flags.rounds, (flags.reports + things - 1) / things);
  // The first round makes state; the last one is paced.
  feed.Reports(0, things, 0);
  std::uint64_t fast = things * (rounds - 1);
  auto threads_before = ThreadSeconds();
  auto rounds_before = machine.CheckpointStats();
  double cpu = ProcessCpu(), wall = Wall(), outside = feed.outside;
  feed.Reports(things, fast, 0);
  wall = Wall() - wall;
  cpu = ProcessCpu() - cpu - (feed.outside - outside);
  auto threads = ThreadSeconds();
  double per_report = cpu / static_cast<double>(fast) * 1e6;
  std::printf("%llu things, %llu reports%s%s: %.2f us of CPU a report, %.0f reports/s a core, %.0f on two; as it ran %.0f/s\n",
              static_cast<unsigned long long>(things), static_cast<unsigned long long>(fast),
              flags.socket ? " through the socket" : "", flags.counts ? ", each with a count" : "", per_report,
              1e6 / per_report, 2e6 / per_report, static_cast<double>(fast) / wall);
  std::printf("  of it:");
  for (const auto& [name, seconds] : threads) {
    double us = (seconds - threads_before[name]) / static_cast<double>(fast) * 1e6;
    if (name == "fleet_bench") us -= (feed.outside - outside) / static_cast<double>(fast) * 1e6;
    if (us >= 0.01) std::printf(" %s %.2f", name.c_str(), us);
  }
  std::printf(" us; %llu alarms\n", static_cast<unsigned long long>(machine.violations()));
  auto rounds_after = machine.CheckpointStats();
  std::printf("  checkpoints meanwhile: %llu rounds of a shard, %.0f bytes and %.2f us of the shard's CPU a report\n",
              static_cast<unsigned long long>(rounds_after.rounds - rounds_before.rounds),
              static_cast<double>(rounds_after.bytes - rounds_before.bytes) / static_cast<double>(fast),
              (rounds_after.cpu_seconds - rounds_before.cpu_seconds) / static_cast<double>(fast) * 1e6);
  if (flags.exported > 0) {
    Machine::Exports exports = machine.exports();
    std::printf("  exported: %.1f values a report, %.0f bytes each\n", static_cast<double>(exports.values) / static_cast<double>(things + fast),
                static_cast<double>(exports.bytes) / static_cast<double>(std::max<std::uint64_t>(exports.values, 1)));
  }
  PrintLatency("as fast as it goes", answers, watched);

  Check(machine.blocks->Flush(), "flushing");
  double state = HeapBytes() - heap1, count = static_cast<double>(things);
  double open = static_cast<double>(machine.RecorderBytes());
  std::printf("  state a thing: %.0f bytes, of it open block %.0f; before the first report %.0f; directory %.0f; all in all %.0f\n",
              state / count, open / count, (heap2 - heap1) / count, (heap1 - heap0) / count, (HeapBytes() - heap0) / count);

  auto before = machine.CheckpointStats();
  double begun = Wall();
  machine.WaitForCheckpoint();
  double took = Wall() - begun;
  auto after = machine.CheckpointStats();
  std::printf("  checkpoint of all, idle: %.1f s, %.2f s of CPU, %.0f bytes a thing; longest step of any %.1f ms of CPU\n", took,
              after.cpu_seconds - before.cpu_seconds, static_cast<double>(after.bytes - before.bytes) / count,
              after.longest_step_seconds * 1e3);

  // Paced at half of what two cores can, with a checkpoint under way.
  for (auto& shard : machine.shards) shard->WantCheckpoint();
  PrintLatency("-", answers, 0);
  std::uint64_t paced = std::min<std::uint64_t>(things, 200'000);
  feed.Reports(things + fast, paced, static_cast<double>(kBatch) * per_report / 1e6);
  PrintLatency("at half load with a checkpoint", answers, watched);
  if (flags.expiry_days > 0) {
    MeasureExpiry(flags, things, machine, answers, watched, feed, things + fast + paced,
                  static_cast<double>(kBatch) * per_report / 1e6);
  }
  std::fflush(stdout);
  _exit(0);
}

void Recover(const Flags& flags, std::uint64_t things) {
  Answers answers(0);
  Machine::Options options;
  options.folder = flags.folder;
  options.shards = flags.shards;
  options.things = things;
  double begun = Wall(), cpu = ProcessCpu();
  Machine machine(options, answers);
  std::uint64_t records = machine.Recover();
  std::printf("  recovery after a kill: %.2f s (%.2f s of CPU), %llu records replayed\n", Wall() - begun, ProcessCpu() - cpu,
              static_cast<unsigned long long>(records));
  std::fflush(stdout);
  _exit(0);
}

void InChild(void (*fn)(const Flags&, std::uint64_t), const Flags& flags, std::uint64_t things) {
  pid_t child = fork();
  if (child == 0) fn(flags, things);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) std::exit(1);
}

std::vector<std::uint64_t> Numbers(const char* text) {
  std::vector<std::uint64_t> numbers;
  for (char* end = nullptr; *text != 0; text = *end == ',' ? end + 1 : end) {
    numbers.push_back(std::strtoull(text, &end, 10));
    if (end == text) break;
  }
  return numbers;
}

int Main(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--smoke") {
      flags.things = {1'000, 5'000};
      flags.reports = 20'000;
    } else if (flag == "--counts") {
      flags.counts = true;
    } else if (flag == "--socket") {
      flags.socket = true;
    } else if (flag == "--things") {
      flags.things = Numbers(value), ++i;
    } else if (flag == "--reports") {
      flags.reports = Numbers(value).at(0), ++i;
    } else if (flag == "--rounds") {
      flags.rounds = std::max<std::uint64_t>(2, Numbers(value).at(0)), ++i;
    } else if (flag == "--shards") {
      flags.shards = static_cast<std::uint32_t>(Numbers(value).at(0)), ++i;
    } else if (flag == "--statistical") {
      flags.statistical = std::atoi(value), ++i;
    } else if (flag == "--ml") {
      flags.ml = std::atoi(value), ++i;
    } else if (flag == "--export") {
      flags.exported = std::atoi(value), ++i;
    } else if (flag == "--expiry") {
      flags.expiry_days = std::atoi(value), ++i;
    } else if (flag == "--folder") {
      flags.folder = value, ++i;
    } else {
      std::fprintf(stderr, "fleet_bench: unknown flag %s\n", argv[i]);
      return 2;
    }
  }
  log::SetLevel(log::Level::kError);
  std::printf("fleet: 10 behaviors (%d statistical, %d ML, %d exported), reports of 15 metrics in JSON, %u shards, one sync each %zu reports\n",
              flags.statistical, flags.ml, flags.exported, flags.shards, kBatch);
  std::fflush(stdout);
  for (std::uint64_t things : flags.things) {
    std::error_code ignored;
    fs::remove_all(flags.folder, ignored);
    fs::create_directories(flags.folder);
    InChild(RunFleet, flags, things);
    InChild(Recover, flags, things);
  }
  std::error_code ignored;
  fs::remove_all(flags.folder, ignored);
  return 0;
}

}  // namespace
}  // namespace fleetward::bench

int main(int argc, char** argv) { return fleetward::bench::Main(argc, argv); }
