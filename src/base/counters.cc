#include "fleetward/base/counters.h"

#include <algorithm>
#include <cstdio>

namespace fleetward {

CounterRegistry::Series& CounterRegistry::Find(std::string_view name, std::string_view help,
                                               std::string_view labels) {
  for (auto& series : series_) {
    if (series->name == name && series->labels == labels) return *series;
  }
  auto series = std::make_unique<Series>();
  series->name = name;
  series->help = help;
  series->labels = labels;
  series_.push_back(std::move(series));
  return *series_.back();
}

Counter& CounterRegistry::AddCounter(std::string_view name, std::string_view help, std::string_view labels) {
  std::lock_guard lock(mutex_);
  Series& series = Find(name, help, labels);
  if (!series.counter) series.counter = std::make_unique<Counter>();
  return *series.counter;
}

Gauge& CounterRegistry::AddGauge(std::string_view name, std::string_view help, std::string_view labels) {
  std::lock_guard lock(mutex_);
  Series& series = Find(name, help, labels);
  if (!series.gauge) series.gauge = std::make_unique<Gauge>();
  return *series.gauge;
}

std::string CounterRegistry::Render() const {
  std::lock_guard lock(mutex_);
  std::vector<const Series*> sorted;
  for (const auto& series : series_) sorted.push_back(series.get());
  std::sort(sorted.begin(), sorted.end(), [](const Series* a, const Series* b) {
    return a->name != b->name ? a->name < b->name : a->labels < b->labels;
  });
  std::string text;
  std::string_view last;
  for (const Series* series : sorted) {
    if (series->name != last) {
      text += "# HELP " + series->name + ' ' + series->help + '\n';
      text += "# TYPE " + series->name + (series->counter ? " counter\n" : " gauge\n");
      last = series->name;
    }
    text += series->name;
    if (!series->labels.empty()) text += '{' + series->labels + '}';
    if (series->counter) {
      text += ' ' + std::to_string(series->counter->value()) + '\n';
    } else {
      char value[40];
      std::snprintf(value, sizeof value, " %.17g\n", series->gauge->value());
      text += value;
    }
  }
  return text;
}

}  // namespace fleetward
