#include "metric_view.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "fleetward/model/dimension.h"
#include "fleetward/model/json.h"
#include "fleetward/telemetry/connection_history.h"
#include "fleetward/telemetry/gaps.h"

namespace fleetward::app {
namespace {

using nlohmann::ordered_json;
using telemetry::SeriesKey;

constexpr std::size_t kMostValues = 10'000;
constexpr std::size_t kMostConnections = 100'000;
const model::MetricId kOffline = model::IdOf(model::BuiltinMetric::kDisconnectDuration);

struct Series {
  SeriesKey key;
  telemetry::Source source = telemetry::Source::kDevice;
};

Result<Series> FindSeries(const registry::Registry& registry, const MetricViewQuery& query) {
  Series series;
  if (const model::MetricInfo* info = model::FindBuiltinMetric(query.metric)) {
    if (info->id == model::BuiltinMetric::kReportSilence) {
      return Error(Code::kInvalidArgument, query.metric + " is derived and not stored; look at a metric of the reports");
    }
    series.key.metric = model::IdOf(info->id);
    if (info->side == model::MetricSide::kCloud) series.source = telemetry::Source::kCloud;
  } else {
    FW_ASSIGN(auto custom, registry.custom_metrics.Describe(model::CustomMetricName(query.metric)));
    series.key.metric = custom.id;
  }
  if (!query.dimension) return series;
  FW_ASSIGN(auto dimension, registry.dimensions.Describe(query.dimension->dimension_name));
  series.key.dimension = model::DimensionSeries(dimension.number, query.dimension->op);
  return series;
}

/// Samples of one source that have the metric, and the times of those that have not.
struct Values {
  std::deque<telemetry::Datapoint> with;
  std::vector<Timestamp> without;
  bool truncated = false;
};

Result<Values> ReadValues(const telemetry::Query& query, const model::EntityId& entity, const Series& series,
                          const MetricViewQuery& wanted) {
  // Not what a report or a bucket holds, but what came about in between.
  auto beside = [&](const telemetry::Sample& sample) {
    if (sample.fields().size() != 1) return false;
    model::MetricId only = sample.fields()[0].key.metric;
    return only == telemetry::kAuxReportsLost || only == kOffline;
  };
  Values values;
  FW_TRY(query.Samples(entity, series.source, wanted.start, wanted.end, [&](const telemetry::Sample& sample) {
    if (const auto* field = sample.Find(series.key)) {
      values.with.push_back({sample.time, sample.flags, sample.Value(*field)});
      if (values.with.size() > kMostValues) {
        values.with.pop_front();
        values.truncated = true;
      }
    } else if (!beside(sample)) {
      values.without.push_back(sample.time);
    }
    return true;
  }));
  return values;
}

Result<std::vector<telemetry::ConnectionEvent>> ReadConnections(const store::BlockStore& store,
                                                                const model::EntityId& entity, Timestamp start,
                                                                Timestamp end) {
  std::vector<telemetry::ConnectionEvent> events;
  for (const model::EntityId& whose : {entity, telemetry::kEveryThing}) {
    FW_TRY(telemetry::ScanConnections(store, whose, start, end, [&](const telemetry::ConnectionEvent& event) {
      events.push_back(event);
      return events.size() < kMostConnections;
    }));
  }
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  return events;
}

Result<std::vector<telemetry::LostReports>> ReadLost(const telemetry::Query& query, const model::EntityId& entity,
                                                     Timestamp start, Timestamp end) {
  telemetry::SeriesQuery series;
  series.entity = entity;
  series.key = {telemetry::kAuxReportsLost, 0};
  series.start = start;
  series.end = end;
  series.max_points = kMostValues;
  FW_ASSIGN(auto page, query.Series(series));
  std::vector<telemetry::LostReports> lost;
  for (const telemetry::Datapoint& point : page.points) {
    if (auto* count = std::get_if<model::Count>(&point.value)) {
      lost.push_back({point.time, static_cast<std::uint64_t>(count->value)});
    }
  }
  return lost;
}

ordered_json Marks(std::uint32_t flags) {
  static constexpr std::pair<std::uint32_t, const char*> kMarks[] = {
      {telemetry::kFlagLate, "late"},   {telemetry::kFlagSpooled, "spooled"},     {telemetry::kFlagGap, "after a gap"},
      {telemetry::kFlagClock, "clock step"}, {telemetry::kFlagPartial, "partial"}, {telemetry::kFlagDownsampled, "mean"}};
  ordered_json marks = ordered_json::array();
  for (const auto& mark : kMarks) {
    if ((flags & mark.first) != 0) marks.push_back(mark.second);
  }
  return marks;
}

ordered_json Entry(const telemetry::Datapoint& point) {
  return {{"time", Iso8601(point.time)}, {"value", model::ToJson(point.value)}, {"marks", Marks(point.flags)}};
}

ordered_json Entry(const telemetry::Gap& gap) {
  return {{"from", Iso8601(gap.start)},
          {"to", Iso8601(gap.end)},
          {"gap", telemetry::GapCauseName(gap.cause)},
          {"missing", gap.missing},
          {"reason", gap.reason}};
}

}  // namespace

Result<ordered_json> MetricView(const ingest::Pipeline& pipeline, const registry::Registry& registry,
                                const MetricViewQuery& query) {
  FW_ASSIGN(Series series, FindSeries(registry, query));
  ingest::ThingReport thing = pipeline.Describe(query.thing);
  FW_ASSIGN(Values values, ReadValues(pipeline.query(), thing.entity, series, query));
  Timestamp start = values.truncated ? values.with.front().time : query.start;
  std::vector<telemetry::Gap> gaps;
  std::vector<Timestamp> times;
  for (const auto& point : values.with) times.push_back(point.time);
  // Of the time offline there are values at connects and disconnects only.
  if (series.key.metric != kOffline && !(times.empty() && values.without.empty() && !thing.known)) {
    FW_ASSIGN(auto connections, ReadConnections(pipeline.blocks(), thing.entity, start, query.end));
    FW_ASSIGN(auto lost, ReadLost(pipeline.query(), thing.entity, start, query.end));
    gaps = telemetry::LabelGaps({start, query.end, series.source, times, values.without, connections,
                                 thing.open_connections > 0, lost});
  }
  ordered_json entries = ordered_json::array();
  auto gap = gaps.begin();
  for (const telemetry::Datapoint& point : values.with) {
    for (; gap != gaps.end() && gap->start < point.time; ++gap) entries.push_back(Entry(*gap));
    entries.push_back(Entry(point));
  }
  for (; gap != gaps.end(); ++gap) entries.push_back(Entry(*gap));
  return ordered_json{{"thingName", query.thing},
                      {"known", thing.known},
                      {"metric", query.metric},
                      {"from", Iso8601(start)},
                      {"to", Iso8601(query.end)},
                      {"usualIntervalSeconds", static_cast<double>(telemetry::UsualInterval(times).count()) / 1000},
                      {"truncated", values.truncated},
                      {"entries", std::move(entries)}};
}

}  // namespace fleetward::app
