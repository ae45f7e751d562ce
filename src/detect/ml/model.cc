#include "ml/model.h"

#include <algorithm>
#include <cmath>

#include "ml/parameters.h"

namespace fleetward::detect::ml {
namespace {

constexpr float kLargestCode = 32767;
constexpr std::int64_t kDay = 86400;

struct Place {  // between the middles of two buckets
  std::size_t before, after;
  float share;  // of `after`
};

Place PlaceOf(std::int64_t time_s) {
  std::int64_t second = ((time_s % kDay) + kDay) % kDay;
  float position = static_cast<float>(second) * Model::kBuckets / kDay - 0.5f;
  float whole = std::floor(position);
  int bucket = static_cast<int>(whole) + Model::kBuckets;
  return {static_cast<std::size_t>(bucket % Model::kBuckets),
          static_cast<std::size_t>((bucket + 1) % Model::kBuckets), position - whole};
}

template <class Range>
auto Middle(Range& values, double share) {
  auto at = values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * share);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

double Model::ValueOf(float y) const { return std::sinh(static_cast<double>(y)) * static_cast<double>(unit); }

float Model::Encode(double value) const {
  return static_cast<float>(std::asinh(value / static_cast<double>(unit)));
}

std::int16_t Model::Code(float y) const {
  return static_cast<std::int16_t>(
      std::clamp(std::round((y - centre) / quantum), -kLargestCode, kLargestCode));
}

std::int8_t Model::Coarse(float y) const {
  return static_cast<std::int8_t>(std::clamp(std::round((y - centre) / grain), -127.f, 127.f));
}

void Model::Start(std::int64_t time_s, double value) {
  version = kSeriesVersion;
  first_s = last_s = learned_s = static_cast<std::uint32_t>(std::clamp<std::int64_t>(time_s, 0, UINT32_MAX));
  float size = static_cast<float>(std::fabs(value));
  unit = size > 0 ? size : 1;
  centre = level = Encode(value);
  quantum = 1e-4f;
  season.fill(kAbsent);
  grain = 1e-2f;
  ring.fill(kNoValue);
  habit_max = -1;
  constexpr std::int8_t kFree = 64, kWork = -26;  // until learned otherwise: Saturday and Sunday
  day = {kWork, kWork, kFree, kFree, kWork, kWork, kWork};
}

float Model::DailyAt(std::int64_t time_s) const {
  Place place = PlaceOf(time_s);
  std::int16_t a = season[place.before], b = season[place.after];
  if (a == kAbsent && b == kAbsent) return level;
  if (a == kAbsent) return Decode(b);
  if (b == kAbsent) return Decode(a);
  return Decode(a) * (1 - place.share) + Decode(b) * place.share;
}

float Model::SeasonAt(std::int64_t time_s) const {
  return DailyAt(time_s) + (IsWeekly() ? WeeklyAt(time_s) : 0);
}

void Model::LearnSeason(std::int64_t time_s, float y) {
  Place place = PlaceOf(time_s);
  if (IsWeekly()) y -= WeeklyAt(time_s);
  float known = std::clamp(static_cast<float>(values) / kBuckets, 1.f, kParameters.season_weight);
  for (bool after : {false, true}) {
    std::int16_t& code = season[after ? place.after : place.before];
    float share = after ? place.share : 1 - place.share;
    if (code == kAbsent) {
      if (share > 0.5f) code = Code(y);
      continue;
    }
    // Steps of less than a code would be lost: every residual moves it by at least one, but not past itself.
    float step = share * (y - Decode(code)) / known / quantum;
    float least = std::fabs(y - Decode(code)) / quantum >= 1 ? share : 0;
    if (std::fabs(step) < 1) step = std::fabs(step) * 2 > least ? std::copysign(1.f, step) : 0;
    code = static_cast<std::int16_t>(
        std::clamp(static_cast<float>(code) + std::round(step), -kLargestCode, kLargestCode));
  }
}

float Model::PatternDistance(float y) const {
  constexpr int kWidth = kRecent + 1;
  if (recent_count < kRecent) return 0;
  // Whole numbers, so that the compiler may compare several stretches at once. kFar is never the nearest.
  constexpr std::int32_t kFar = 16000;
  std::int32_t line[kHistory];  // oldest first
  for (int i = 0; i < kHistory; ++i) {
    int from = ring_at + i;
    std::int8_t code = ring[static_cast<std::size_t>(from < kHistory ? from : from - kHistory)];
    line[i] = code == kNoValue ? kFar : code;
  }
  std::int32_t last[kWidth] = {Coarse(y)};
  for (int k = 1; k < kWidth; ++k) last[k] = Coarse(recent[static_cast<std::size_t>(k - 1)]);
  std::int32_t best = INT32_MAX;
  for (int i = kWidth - 1; i <= kHistory - kWidth; ++i) {
    std::int32_t sum = 0;
    for (int k = 0; k < kWidth; ++k) sum += (last[k] - line[i - k]) * (last[k] - line[i - k]);
    best = std::min(best, sum);
  }
  return best < kFar * kFar / 2 ? std::sqrt(static_cast<float>(best)) * grain : 0;
}

void Model::Refit() {
  std::array<double, kHistory> sizes;
  std::size_t count = 0;
  for (std::int8_t code : ring) {
    if (code != kNoValue) sizes[count++] = std::fabs(ValueOf(FromCoarse(code)));
  }
  clipped = 0;
  if (count < 4) return;
  struct Span {
    double* from;
    std::size_t length;
    double* begin() const { return from; }
    double* end() const { return from + length; }
    std::size_t size() const { return length; }
  } span{sizes.data(), count};
  double size = Middle(span, 0.5);
  if (!(size > 0)) size = Middle(span, 0.9);
  if (!(size > 0)) size = *std::max_element(span.begin(), span.end());
  if (!(size > 0)) size = static_cast<double>(unit);
  Model old = *this;
  unit = static_cast<float>(std::clamp(size, 1e-30, 1e30));
  auto convert = [&](float y) { return Encode(old.ValueOf(y)); };

  std::array<float, kHistory> ys;
  std::size_t n = 0;
  for (std::int8_t code : ring) {
    if (code != kNoValue) ys[n++] = convert(old.FromCoarse(code));
  }
  std::sort(ys.begin(), ys.begin() + static_cast<std::ptrdiff_t>(n));
  float median = ys[n / 2];
  // How much finer or coarser the new scale is around the middle.
  double middle = ValueOf(median);
  double units = static_cast<double>(unit), was = static_cast<double>(old.unit);
  float factor =
      static_cast<float>(std::sqrt((middle * middle + was * was) / (middle * middle + units * units)));
  for (Tail& tail : tails) tail.Rescale(factor);
  float low = ys[n / 100], high = ys[n - 1 - n / 100];
  centre = (low + high) / 2;
  // Differences stay within what values can differ by, however often the scale is chosen anew.
  constexpr float kFarthest = 300;
  for (float* off : {&shift, &bucket_off, &daily_off, &weekly_off})
    *off = std::clamp(*off * factor, -kFarthest, kFarthest);
  if (weekly_step > 0) weekly_step = std::clamp(weekly_step * factor, 1e-6f, kFarthest);
  quantum = tails[kByJump].Usual() / 24;
  if (!(quantum > 0)) quantum = 1e-4f;
  quantum = std::max({quantum, (ys[n - 1] - centre) / 20000, (centre - ys[0]) / 20000, 1e-6f});
  float jump = tails[kByJump].Usual();
  grain = jump > 0 ? std::max({jump / 4, (high - low) * kParameters.history_range / 254, 1e-6f}) : 0.01f;
  for (auto& code : ring) {
    if (code != kNoValue) code = Coarse(convert(old.FromCoarse(code)));
  }
  for (auto& code : season) {
    if (code != kAbsent) code = Code(convert(old.Decode(code)));
  }
  for (float& y : recent) y = convert(y);
  float seasonal = convert(old.level + old.offset);
  level = convert(old.level);
  offset = seasonal - level;
}

}  // namespace fleetward::detect::ml
