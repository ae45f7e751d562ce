// Samples for tests: deterministic in a seed, with every kind of value.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

inline model::EntityId TestEntity(std::uint64_t n) { return {n * 0x9e3779b97f4a7c15ULL, n}; }

/// Fills a sample like a device's report, sometimes odd: missing series, empty lists, NaN, extreme numbers.
inline void FillRandom(std::mt19937_64& random, Sample& sample) {
  auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
  for (model::MetricId metric = 8; metric < 12; ++metric) {
    if (chance(95)) sample.AddCount({metric, 0}, static_cast<std::int64_t>(random() % 100000));
  }
  if (chance(5)) sample.AddCount({12, 0}, INT64_MIN);
  if (chance(5)) sample.AddCount({13, 0}, INT64_MAX);
  std::vector<std::uint16_t> ports{22, 80, 443};
  if (chance(20)) ports.push_back(static_cast<std::uint16_t>(random()));
  if (chance(5)) ports.clear();
  if (chance(95)) sample.AddPorts({15, 0}, ports);
  std::vector<model::IpPrefix> prefixes;
  for (int i = 0; i < 4; ++i) {
    model::IpPrefix prefix;
    bool v4 = chance(70);
    if (v4) prefix.address.bytes[10] = prefix.address.bytes[11] = 0xff;
    for (int b = v4 ? 12 : 0; b < 16; ++b) prefix.address.bytes[static_cast<std::size_t>(b)] = chance(80) ? 7 : static_cast<std::uint8_t>(random());
    if (chance(10)) prefix.length = static_cast<std::uint8_t>(random() % 129);
    prefixes.push_back(prefix);
  }
  if (chance(90)) sample.AddPrefixes({17, 0}, prefixes);
  const double numbers[] = {71.5, 1e300, -0.0, 3.0, 0.1 + 0.2, static_cast<double>(random() % 1000) / 100, -5e-324, 20.25};
  if (chance(90)) sample.AddNumber({64, 0}, numbers[random() % 8]);
  if (chance(50)) sample.AddNumber({65, 0}, static_cast<double>(random() % 100));
  if (chance(2)) sample.AddNumber({66, 0}, std::numeric_limits<double>::quiet_NaN());
  if (chance(30)) sample.AddNumbers({67, 0}, std::span(numbers).first(random() % 8));
  if (chance(60)) {
    sample.BeginStrings({68, 0});
    for (std::uint64_t i = random() % 4; i > 0; --i) sample.AddString(chance(80) ? "init" : std::string(random() % 9, 'x'));
  }
  if (chance(10)) sample.flags = static_cast<std::uint32_t>(random() % 64);
  sample.report_id = chance(95) ? static_cast<std::uint64_t>(ToMillis(sample.time)) / 1000 : random();
  if (chance(95)) sample.reporter = std::string(32, 'c');
}

}  // namespace fleetward::telemetry
