#include "export_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fleetward/model/dimension.h"
#include "fleetward/model/metric.h"

namespace fleetward::ingest {
namespace {

/// Most names need no escapes.
std::string Quoted(std::string_view text) {
  bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 127 && c != '"' && c != '\\'; });
  if (plain) return '"' + std::string(text) + '"';
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Note(const std::string& metric, const std::optional<model::MetricDimension>& dimension, ProfileExport& to) {
  bool present = std::any_of(to.metrics.begin(), to.metrics.end(), [&](const ExportedMetric& each) {
    return each.metric == metric && each.dimension == dimension;
  });
  if (!present) to.metrics.push_back({metric, dimension, {}});
}

std::optional<telemetry::SeriesKey> KeyOf(const ExportedMetric& metric, const CustomMetricTable& customs,
                                          const DimensionNumbers& dimensions) {
  telemetry::SeriesKey key;
  if (const model::MetricInfo* info = model::FindBuiltinMetric(metric.metric)) {
    key.metric = model::IdOf(info->id);
  } else {
    auto custom = customs.find(metric.metric);
    if (custom == customs.end()) return std::nullopt;
    key.metric = custom->second.id;
  }
  if (!metric.dimension) return key;
  auto number = dimensions.find(metric.dimension->dimension_name.value());
  if (number == dimensions.end()) return std::nullopt;
  key.dimension = model::DimensionSeries(number->second, metric.dimension->op);
  return key;
}

}  // namespace

void ExportPlan::Set(const model::SecurityProfile& profile) {
  ProfileExport wanted;
  if (profile.metrics_export) {
    wanted.topic = profile.metrics_export->mqtt_topic;
    for (const model::Behavior& behavior : profile.behaviors) {
      if (behavior.export_metric.value_or(false) && behavior.metric) Note(*behavior.metric, behavior.dimension, wanted);
    }
    for (const model::MetricToRetain& metric : profile.additional_metrics_to_retain) {
      if (metric.export_metric.value_or(false)) Note(metric.metric, metric.dimension, wanted);
    }
  }
  if (wanted.metrics.empty()) {
    Remove(profile.name.value());
  } else {
    profiles_.insert_or_assign(profile.name.value(), std::move(wanted));
  }
}

void ExportPlan::Resolve(const CustomMetricTable& customs, const DimensionNumbers& dimensions) {
  for (auto& [name, profile] : profiles_) {
    for (ExportedMetric& metric : profile.metrics) metric.key = KeyOf(metric, customs, dimensions);
  }
}

bool ExportPlan::ExportsOffline() const {
  return std::any_of(profiles_.begin(), profiles_.end(), [](const auto& each) {
    return std::any_of(each.second.metrics.begin(), each.second.metrics.end(), [](const ExportedMetric& metric) {
      return metric.key && metric.key->metric == model::IdOf(model::BuiltinMetric::kDisconnectDuration);
    });
  });
}

// Two values of one second have the same timestamp; the version says which is the later one.
std::string ExportItem(const ExportedMetric& metric, std::string_view thing, std::string_view value, Timestamp time) {
  std::int64_t ms = ToMillis(time);
  std::string item = "{\"name\":" + Quoted(metric.metric) + ",\"thing\":" + Quoted(thing) + ",\"value\":";
  item.append(value);
  item += ",\"version\":" + std::to_string(ms % 1000 + 1) + ",\"timestamp\":" + std::to_string(ms / 1000);
  if (metric.dimension) {
    item += ",\"dimension\":{\"name\":" + Quoted(metric.dimension->dimension_name.value()) + ",\"operator\":\"" +
            std::string(model::DimensionOperatorName(metric.dimension->op)) + "\"}";
  }
  return item + '}';
}

std::string ExportedSizes(std::uint64_t smallest, std::uint64_t largest, std::uint64_t total) {
  return "{\"count\":" + std::to_string(largest) + ",\"min\":" + std::to_string(smallest) + ",\"max\":" +
         std::to_string(largest) + ",\"total\":" + std::to_string(total) + '}';
}

}  // namespace fleetward::ingest
