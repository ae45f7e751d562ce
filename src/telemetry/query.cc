#include "fleetward/telemetry/query.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "day_reader.h"
#include "fleetward/base/encoding.h"
#include "fleetward/telemetry/layout.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

constexpr std::uint8_t kResumeVersion = 1;

/// A page ended behind this many points of exactly this time.
struct Resume {
  std::int64_t time_ms = INT64_MIN;
  std::uint64_t taken = 0;
};

std::string EncodeResume(const Resume& resume) {
  std::string bytes;
  ByteWriter w(bytes);
  w.U8(kResumeVersion);
  w.SignedVarint(resume.time_ms);
  w.Varint(resume.taken);
  return bytes;
}

Result<Resume> DecodeResume(std::string_view bytes) {
  Resume resume;
  if (bytes.empty()) return resume;
  ByteReader in(bytes);
  std::uint8_t version = in.U8();
  resume.time_ms = in.SignedVarint();
  resume.taken = in.Varint();
  if (!in.ok() || !in.AtEnd() || version != kResumeVersion) {
    return Error(Code::kInvalidArgument, "the token is not one of this list");
  }
  return resume;
}

Source SourceOf(model::MetricId metric) {
  if (metric >= model::kBuiltinMetricCount) return Source::kDevice;
  bool cloud = model::InfoOf(static_cast<model::BuiltinMetric>(metric)).side == model::MetricSide::kCloud;
  return cloud ? Source::kCloud : Source::kDevice;
}

/// What is not yet stored, and a view of what is, of one moment.
struct Moment {
  std::vector<OpenBlock> open;
  std::unique_ptr<store::View> view;
};
Moment Take(const store::BlockStore& store, const std::vector<const Recorder*>& recorders,
            const model::EntityId& entity) {
  Moment moment;
  if (recorders.empty()) {
    moment.view = store.NewView();
    return moment;
  }
  const Recorder& recorder = *recorders[ShardOf(SlabOf(entity), static_cast<std::uint32_t>(recorders.size()))];
  recorder.Copy(entity, [&](std::vector<OpenBlock> open) {
    moment.open = std::move(open);
    moment.view = store.NewView();
  });
  return moment;
}

/// Adds what it met of damage to the query's sum.
class CountingReader : public DayReader {
 public:
  CountingReader(const store::View& view, DayScratch& scratch, std::atomic<std::uint64_t>& sum)
      : DayReader(view, scratch), sum_(sum) {}
  ~CountingReader() { sum_ += damaged(); }

 private:
  std::atomic<std::uint64_t>& sum_;
};

}  // namespace

struct Query::Pool {
  static constexpr std::size_t kKept = 8;
  std::mutex mutex;
  std::vector<std::unique_ptr<DayScratch>> free;

  /// Given back at the end of its life.
  class Lease {
   public:
    explicit Lease(Pool& pool) : pool_(pool) {
      std::lock_guard lock(pool_.mutex);
      if (pool_.free.empty()) {
        scratch_ = std::make_unique<DayScratch>();
      } else {
        scratch_ = std::move(pool_.free.back());
        pool_.free.pop_back();
      }
    }
    ~Lease() {
      if (scratch_->samples.size() > 4 * kMaxDaySamples) return;  // an unusual day: not worth keeping
      std::lock_guard lock(pool_.mutex);
      if (pool_.free.size() < kKept) pool_.free.push_back(std::move(scratch_));
    }
    DayScratch& operator*() { return *scratch_; }

   private:
    Pool& pool_;
    std::unique_ptr<DayScratch> scratch_;
  };
};

Query::Query(const store::BlockStore& store, std::vector<const Recorder*> recorders)
    : store_(store), recorders_(std::move(recorders)), pool_(std::make_unique<Pool>()) {}
Query::~Query() = default;

Result<SeriesPage> Query::Series(const SeriesQuery& query) const {
  FW_ASSIGN(Resume resume, DecodeResume(query.resume));
  SeriesPage page;
  Timestamp start = query.start;
  if (resume.time_ms != INT64_MIN) start = std::max(start, FromMillis(resume.time_ms));
  if (start > query.end || query.max_points == 0) return page;
  Moment moment = Take(store_, recorders_, query.entity);
  Pool::Lease scratch(*pool_);
  CountingReader reader(*moment.view, *scratch, damaged_);
  Resume last = resume;
  for (std::uint32_t day = DayOf(start); day <= DayOf(query.end);) {
    FW_TRY(reader.Read(query.entity, SourceOf(query.key.metric), day, HourOf(start), &query.key, moment.open));
    page.damaged_blocks = reader.damaged();
    std::uint64_t at_resume = 0;
    for (std::uint32_t i : reader.Ordered()) {
      const Sample& sample = reader.samples()[i];
      if (sample.time < start || sample.time > query.end) continue;
      const Sample::Field* field = sample.Find(query.key);
      if (field == nullptr) continue;
      std::int64_t ms = ToMillis(sample.time);
      if (ms == resume.time_ms && at_resume++ < resume.taken) continue;
      if (page.points.size() == query.max_points) {
        page.resume = EncodeResume(last);
        return page;
      }
      last.taken = ms == last.time_ms ? last.taken + 1 : 1;
      last.time_ms = ms;
      page.points.push_back({sample.time, sample.flags, sample.Value(*field)});
    }
    FW_ASSIGN(day, reader.NextDay(day, moment.open));
  }
  return page;
}

Result<std::vector<std::pair<SeriesKey, Datapoint>>> Query::Latest(const model::EntityId& entity, Timestamp now,
                                                                  Millis horizon) const {
  Moment moment = Take(store_, recorders_, entity);
  Pool::Lease scratch(*pool_);
  CountingReader reader(*moment.view, *scratch, damaged_);
  std::map<SeriesKey, Datapoint> latest;
  Timestamp oldest = now - horizon;
  // A device's spool or an edge's clock may be a little ahead.
  for (std::uint32_t day = DayOf(now) + 1; day + 1 > DayOf(oldest); --day) {
    for (Source source : {Source::kDevice, Source::kCloud}) {
      FW_TRY(reader.Read(entity, source, day, 0, nullptr, moment.open));
      const auto& order = reader.Ordered();
      for (auto i = order.rbegin(); i != order.rend(); ++i) {
        const Sample& sample = reader.samples()[*i];
        if (sample.time < oldest) continue;
        for (const Sample::Field& field : sample.fields()) {
          auto [at, fresh] = latest.try_emplace(field.key);
          if (fresh || at->second.time < sample.time) at->second = {sample.time, sample.flags, sample.Value(field)};
        }
      }
    }
    if (day == 0) break;
  }
  return std::vector<std::pair<SeriesKey, Datapoint>>(latest.begin(), latest.end());
}

Status Query::Samples(const model::EntityId& entity, Source source, Timestamp start, Timestamp end,
                      const std::function<bool(const Sample&)>& fn) const {
  if (start > end) return {};
  Moment moment = Take(store_, recorders_, entity);
  Pool::Lease scratch(*pool_);
  CountingReader reader(*moment.view, *scratch, damaged_);
  for (std::uint32_t day = DayOf(start); day <= DayOf(end);) {
    FW_TRY(reader.Read(entity, source, day, HourOf(start), nullptr, moment.open));
    for (std::uint32_t i : reader.Ordered()) {
      const Sample& sample = reader.samples()[i];
      if (sample.time < start || sample.time > end) continue;
      if (!fn(sample)) return {};
    }
    FW_ASSIGN(day, reader.NextDay(day, moment.open));
  }
  return {};
}

}  // namespace fleetward::telemetry
