// Cost of ML Detect: one value of one series, in order and with the series in random order of memory, and bytes a series.
// The floor is a moving average with its deviation (16 bytes). CPU time of the thread; medians of pairs A B A B ….
//
//   ml_bench [--series N] [--smoke]
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fleetward/detect/ml.h"

namespace {

using namespace fleetward::detect;  // NOLINT: a program of one file

constexpr std::int64_t kStart = 1'700'000'000, kStep = 300;

double CpuNow() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::uint64_t random_state = 88172645463325252ULL;
std::uint64_t Random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

double Value(int i) {
  double noise = static_cast<double>(Random() % 1000) / 1000 - 0.5;
  return 1000 + 400 * std::sin(static_cast<double>(i) * 2 * M_PI / 288) + 100 * noise;
}

struct Average {
  double mean = 0, deviation = 0;
};

double Floor(Average& a, double value) {
  double off = value - a.mean;
  a.mean += 0.05 * off;
  a.deviation += 0.05 * (std::fabs(off) - a.deviation);
  return a.deviation > 0 ? std::fabs(off) / a.deviation : 0;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 100'000;
  int values = 2016;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--smoke") == 0) count = 500, values = 300;
    if (i + 1 < argc && std::strcmp(argv[i], "--series") == 0) count = static_cast<std::size_t>(std::atol(argv[i + 1]));
  }
  if (count == 0) return 1;

  double sum = 0;
  ml::Series one;
  double start = CpuNow();
  for (int i = 0; i < values; ++i) sum += static_cast<double>(ml::Update(one, kStart + i * kStep, Value(i), kStep, ml::Alarm::kNone).score);
  double single = CpuNow() - start;
  std::printf("one series, %d values: %.0f ns a value\n", values, single / values * 1e9);

  // Every series is a copy of the trained one: as long a history, as costly a tail.
  std::vector<ml::Series> series(count, one);
  std::vector<Average> floors(count);
  std::vector<std::uint32_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = count - 1; i > 0; --i) std::swap(order[i], order[Random() % (i + 1)]);
  std::vector<double> ours, plain;
  for (int round = 0; round < 5; ++round) {
    int i = values + round;
    start = CpuNow();
    for (auto k : order) sum += static_cast<double>(ml::Update(series[k], kStart + i * kStep, Value(i), kStep, ml::Alarm::kNone).score);
    ours.push_back(CpuNow() - start);
    start = CpuNow();
    for (auto k : order) sum += Floor(floors[k], Value(i));
    plain.push_back(CpuNow() - start);
  }
  double each = Median(ours) / static_cast<double>(count) * 1e9, floor = Median(plain) / static_cast<double>(count) * 1e9;
  std::printf("%zu series in random order: %.0f ns a value, moving average %.1f ns, ratio %.0f; %zu bytes a series (%g)\n",
              count, each, floor, each / floor, sizeof(ml::Series), sum > 0 ? 1.0 : 0.0);
  return 0;
}
