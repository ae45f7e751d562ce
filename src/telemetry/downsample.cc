#include "downsample.h"

#include <cmath>
#include <map>

#include "fleetward/model/metric.h"

namespace fleetward::telemetry {
namespace {

struct Series {
  model::ValueKind kind{};
  long double sum = 0;
  std::uint64_t count = 0;
  model::MetricValue list;
};

bool IsApiMetric(model::MetricId metric) {
  return metric < model::kBuiltinMetricCount || metric >= model::kFirstCustomMetric;
}

class Stretch {
 public:
  void Add(const Sample& sample) {
    flags_ |= sample.flags;
    for (const Sample::Field& field : sample.fields()) {
      if (!IsApiMetric(field.key.metric)) continue;
      Series& series = series_[field.key];
      if (series.kind != field.kind) series = Series{field.kind, 0, 0, {}};
      model::MetricValue value = sample.Value(field);
      if (auto* count = std::get_if<model::Count>(&value)) {
        series.sum += static_cast<long double>(count->value);
      } else if (auto* number = std::get_if<model::Number>(&value)) {
        if (!std::isfinite(number->value)) continue;
        series.sum += static_cast<long double>(number->value);
      } else {
        series.list = std::move(value);
      }
      ++series.count;
    }
  }

  Sample Take(const Sample& like, Timestamp time) {
    Sample sample;
    sample.entity = like.entity;
    sample.source = like.source;
    sample.time = time;
    sample.flags = flags_ | kFlagDownsampled;
    for (const auto& [key, series] : series_) {
      if (series.count == 0) continue;
      long double mean = series.sum / static_cast<long double>(series.count);
      if (series.kind == model::ValueKind::kCount) {
        sample.AddCount(key, std::llroundl(mean));
      } else if (series.kind == model::ValueKind::kNumber) {
        sample.AddNumber(key, static_cast<double>(mean));
      } else {
        sample.Add(key, series.list);
      }
    }
    series_.clear();
    flags_ = 0;
    return sample;
  }

 private:
  std::uint32_t flags_ = 0;
  std::map<SeriesKey, Series> series_;
};

}  // namespace

std::vector<Sample> Downsample(std::span<const Sample> samples, Millis length) {
  std::vector<Sample> out;
  Stretch stretch;
  auto begin_of = [&](const Sample& sample) { return FromMillis(ToMillis(sample.time) / length.count() * length.count()); };
  for (std::size_t i = 0; i < samples.size(); ++i) {
    stretch.Add(samples[i]);
    if (i + 1 == samples.size() || begin_of(samples[i + 1]) != begin_of(samples[i])) {
      out.push_back(stretch.Take(samples[i], begin_of(samples[i])));
    }
  }
  return out;
}

}  // namespace fleetward::telemetry
