// Fleetward's own counters, shown at /metrics in Prometheus' text form. Never a thing's name in a label
// (threats.md m): label values come from closed sets.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetward {

class Counter {
 public:
  void Add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// All families of a process. Returned references live as long as the registry. Thread-safe.
class CounterRegistry {
 public:
  /// `name` ends in _total; `labels` is `key="value"` text or empty. The same name and labels give the same counter.
  Counter& AddCounter(std::string_view name, std::string_view help, std::string_view labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, std::string_view labels = {});
  /// Prometheus text format 0.0.4, families sorted by name.
  std::string Render() const;

 private:
  struct Series {
    std::string name, help, labels;
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
  };
  Series& Find(std::string_view name, std::string_view help, std::string_view labels);
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Series>> series_;
};

}  // namespace fleetward
