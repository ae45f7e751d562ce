// What repeats: the week's course, and what is unusual at the same time of every day.
#include <algorithm>
#include <cmath>

#include "ml/model.h"
#include "ml/parameters.h"

namespace fleetward::detect::ml {
namespace {

constexpr std::int64_t kDay = 86400, kWeek = Model::kDays * kDay, kBucket = kDay / Model::kBuckets;

std::int64_t Within(std::int64_t time_s, std::int64_t period_s) {
  return (time_s % period_s + period_s) % period_s;
}
std::size_t BucketOf(std::int64_t time_s) { return static_cast<std::size_t>(Within(time_s, kDay) / kBucket); }
std::size_t DayOf(std::int64_t time_s) { return static_cast<std::size_t>(Within(time_s, kWeek) / kDay); }

constexpr float kLargest = 127;
std::int8_t Rounded(float value) {
  return static_cast<std::int8_t>(std::clamp(std::round(value), -kLargest, kLargest));
}

float Weeks(const Model& model) { return static_cast<float>(model.last_s - model.first_s) / kWeek; }

}  // namespace

bool Model::IsWeekly() const { return Weeks(*this) >= 2 && weekly_off < kParameters.weekly_most * daily_off; }

// One course of a free day, and of each day of the week how much it is like that one: what seven courses
// would say, where days are of two kinds.
float Model::WeeklyAt(std::int64_t time_s) const {
  std::size_t now = BucketOf(time_s), next = (now + 1) % kBuckets, before = (now + kBuckets - 1) % kBuckets;
  float place = static_cast<float>(Within(time_s, kBucket)) / kBucket - 0.5f;  // off the bucket's middle
  float off = static_cast<float>(weekly[now]) * (1 - std::fabs(place)) +
              static_cast<float>(weekly[place < 0 ? before : next]) * std::fabs(place);
  return weekly_step * off * static_cast<float>(day[DayOf(time_s)]) / kDayUnit;
}

void Model::LearnWeekly(std::int64_t time_s, float y, std::int64_t step_s) {
  float off = y - DailyAt(time_s);
  if (bucket_count < UINT16_MAX) {
    bucket_off += off;
    ++bucket_count;
  }
  if (Weeks(*this) < 1) return;
  constexpr std::int64_t kMemory = 7 * kDay;
  float rate = static_cast<float>(std::min(step_s, kDay)) / kMemory;
  daily_off += rate * (std::fabs(off) - daily_off);
  weekly_off += rate * (std::fabs(off - WeeklyAt(time_s)) - weekly_off);
}

void Model::LearnBucketOfWeek(std::int64_t step_s) {
  if (bucket_count * step_s * 2 < kBucket) return;
  if (weekly_step == 0) weekly_step = grain;
  float off = bucket_off / static_cast<float>(bucket_count) / weekly_step;
  float part = static_cast<float>(day[day_at]) / kDayUnit, was = static_cast<float>(weekly[bucket_at]);
  along += off * was;
  length += was * was;
  float rate = std::max(1 / (std::floor(Weeks(*this)) + 2), kParameters.weekly_rate);
  float now = was + rate * part * (off - part * was);
  if (!(std::fabs(now) < 1e12f)) return;
  while (std::fabs(now) > kLargest) {
    for (auto& code : weekly) code = static_cast<std::int8_t>(code / 2);
    weekly_step *= 2;
    now /= 2;
    along /= 4;
    length /= 4;
  }
  weekly[bucket_at] = Rounded(now);
}

void Model::EndBucket(std::int64_t time_s, std::int64_t step_s) {
  std::size_t bucket = BucketOf(time_s), today = DayOf(time_s);
  if (bucket == bucket_at && today == day_at) return;
  LearnBucketOfWeek(step_s);
  if (habit_max >= 0) {
    float was = static_cast<float>(habit[bucket_at]) / kHabitUnit;
    float now = was + kParameters.habit_rate * (std::min(habit_max, kParameters.habit_cap) - was);
    habit[bucket_at] = static_cast<std::uint8_t>(std::clamp(std::round(now * kHabitUnit), 0.f, 255.f));
  }
  bucket_at = static_cast<std::uint8_t>(bucket);
  bucket_count = 0;
  bucket_off = 0;
  habit_max = -1;
  if (today == day_at) return;
  // A course so flat that it is all rounding says nothing of the day.
  if (length > kBuckets) {
    float part = std::clamp(along / length, -1.f, 1.f) * kDayUnit, old = static_cast<float>(day[day_at]);
    day[day_at] = Rounded(old + kParameters.weekly_day_rate * (part - old));
  }
  day_at = static_cast<std::uint8_t>(today);
  along = length = 0;
}

float Model::WithoutHabit(std::int64_t time_s, float evidence) const {
  std::size_t bucket = BucketOf(time_s);
  std::uint8_t usual = 0;
  for (std::size_t near : {bucket + kBuckets - 1, bucket, bucket + 1})
    usual = std::max(usual, habit[near % kBuckets]);
  float floor = kParameters.habit_floor;
  float taken = kParameters.habit_take * (static_cast<float>(usual) / kHabitUnit - floor);
  return taken > 0 ? std::max(evidence - taken, std::min(evidence, floor)) : evidence;
}

void Model::LearnHabit(float evidence) { habit_max = std::max(habit_max, evidence); }

}  // namespace fleetward::detect::ml
