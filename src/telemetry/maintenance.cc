#include "fleetward/telemetry/maintenance.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "day_block.h"
#include "downsample.h"
#include "fleetward/base/log.h"
#include "fleetward/telemetry/violation_store.h"
#include "hour_block.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::string_view kDownsampledKey = "downsampled";  // meta: day rows before this key are in kFamilyLong
constexpr char kBehindLanes = '\xff';                  // above every lane of a thing
constexpr std::size_t kSmallDayBytes = 64 << 10;      // stored days up to this are merged with what comes late

std::uint64_t Elements(const Sample& sample) {
  std::uint64_t sum = 1;
  for (const Sample::Field& field : sample.fields()) sum += field.count;
  return sum;
}

/// Merges the hours of one day, thing by thing, from the thing behind `after` on, which is the first one when empty.
class DayMerge {
 public:
  DayMerge(store::BlockStore& store, const std::function<LogPosition(SlabId)>& saved, std::uint32_t day,
           const std::string& after)
      : store_(store), saved_(saved), day_(day), view_(store.NewView()), days_(view_->NewCursor(kFamilyDays)) {
    for (std::uint32_t hour = day * kHoursPerDay; hour < (day + 1) * kHoursPerDay; ++hour) {
      auto cursor = view_->NewCursor(kFamilyHours, TimeKey(hour + 1), true);
      // Not from the hour's beginning: the store would step over every row that this pass deleted.
      cursor->Seek(after.empty() ? TimeKey(hour) : TimeKey(hour) + after + kBehindLanes);
      if (cursor->Valid() || !cursor->status().ok()) hours_.push_back(std::move(cursor));
    }
  }

  /// Merges the next thing and source behind the last one. False: the day is through.
  Result<bool> Next(Maintenance::Progress& progress) {
    std::string_view least;
    for (const auto& cursor : hours_) {
      FW_TRY(cursor->status());
      if (!cursor->Valid()) continue;
      if (!ParseHourKey(cursor->key())) return Error(Code::kCorrupt, "a telemetry key makes no sense");
      std::string_view thing = cursor->key().substr(4, 16);
      if (least.empty() || thing < least) least = thing;
    }
    if (least.empty()) return false;
    thing_ = least;
    const std::string& thing = thing_;
    auto parts = ParseHourKey(std::string(4, '\0') + thing + std::string(9, '\0'));
    for (Source source : {Source::kDevice, Source::kCloud}) {
      used_[static_cast<int>(source)] = 0;
      keys_[static_cast<int>(source)].clear();
    }
    LogPosition saved = saved_(SlabOf(parts->entity));
    for (const auto& cursor : hours_) {
      for (; cursor->Valid() && cursor->key().substr(4, 16) == thing; cursor->Next()) {
        FW_TRY(Take(*cursor, saved, progress));
      }
    }
    for (Source source : {Source::kDevice, Source::kCloud}) FW_TRY(Emit(parts->entity, source, progress));
    if (batch_.bytes() > kBatchBytes) FW_TRY(Write());
    return true;
  }

  /// The last one; empty before the first.
  const std::string& thing() const { return thing_; }

  Status Write() {
    // In the order of the keys: the store finds the place of a row beside the one before it.
    std::sort(merged_.begin(), merged_.end());
    for (const std::string& key : merged_) batch_.Delete(kFamilyHours, key);
    merged_.clear();
    FW_TRY(store_.Write(batch_));
    batch_.Clear();
    return {};
  }

 private:
  Status Take(const store::Cursor& cursor, LogPosition saved, Maintenance::Progress& progress) {
    auto key = ParseHourKey(cursor.key());
    Result<HourBlockHeader> header = ParseHourHeader(cursor.value());
    // Damage stays where it is and is seen by who reads it; the rest of the day goes on.
    if (!key || !header.ok()) return Damaged(cursor.key());
    if (key->first + header->span > saved) {
      return {};  // replay could make it again
    }
    int source = key->lane & 1;
    if (!DecodeHourBlock(cursor.value(), key->entity, static_cast<Source>(source), samples_[source], used_[source]).ok()) {
      return Damaged(cursor.key());
    }
    keys_[source].emplace_back(cursor.key());
    ++progress.hour_blocks;
    if (used_[source] > 4 * kMaxDaySamples) return Emit(key->entity, static_cast<Source>(source), progress);
    return {};
  }

  Status Damaged(std::string_view key) {
    log::Error("telemetry.damaged_hour_block", {{"day", day_}, {"key_bytes", key.size()}});
    return {};
  }

  /// Puts what was taken of one source into day blocks.
  Status Emit(const model::EntityId& entity, Source source, Maintenance::Progress& progress) {
    int s = static_cast<int>(source);
    if (used_[s] == 0) return {};
    std::uint16_t part = 0;
    FW_TRY(TakeStoredDay(entity, source, part));
    order_.clear();
    for (std::size_t i = 0; i < used_[s]; ++i) order_.push_back(&samples_[s][i]);
    auto earlier = [](const Sample* a, const Sample* b) { return a->time < b->time; };
    if (!std::is_sorted(order_.begin(), order_.end(), earlier)) std::stable_sort(order_.begin(), order_.end(), earlier);
    for (std::size_t first = 0; first < order_.size();) {
      std::uint64_t elements = 0;
      std::size_t end = first;
      while (end < order_.size() && end - first < kMaxDaySamples) {
        elements += Elements(*order_[end]);
        if (elements > kMaxDayElements && end > first) break;
        ++end;
      }
      std::string_view block = encoder_.Encode(std::span(order_).subspan(first, end - first));
      batch_.Put(kFamilyDays, DayKey(day_, entity, static_cast<std::uint8_t>(source), part++), block);
      ++progress.day_blocks;
      first = end;
    }
    progress.samples += order_.size();
    last_ = std::pair(entity, source);
    last_part_ = part;
    std::move(keys_[s].begin(), keys_[s].end(), std::back_inserter(merged_));
    keys_[s].clear();
    used_[s] = 0;
    return {};
  }

  /// A small stored day is taken in and replaced; a large one keeps its parts, and more are put behind them.
  Status TakeStoredDay(const model::EntityId& entity, Source source, std::uint16_t& part) {
    int s = static_cast<int>(source);
    part = last_part_;
    if (last_ == std::pair(entity, source)) return {};  // written in this run, not in the view
    part = 0;
    std::string prefix = DayKey(day_, entity, static_cast<std::uint8_t>(source), 0);
    prefix.resize(prefix.size() - 2);
    std::string first;
    for (days_->Seek(prefix); days_->Valid() && days_->key().starts_with(prefix); days_->Next()) {
      if (part == 0) first = days_->value();
      part = static_cast<std::uint16_t>(GetBigEndian(days_->key().substr(prefix.size())) + 1);
    }
    FW_TRY(days_->status());
    if (part != 1 || first.size() > kSmallDayBytes) return {};
    std::size_t before = used_[s];
    if (!decoder_.Decode(first, entity, source, nullptr, samples_[s], used_[s]).ok()) {
      used_[s] = before;
      return {};
    }
    part = 0;
    // In front, so that equal times keep their order.
    auto begin = samples_[s].begin();
    std::rotate(begin, begin + static_cast<std::ptrdiff_t>(before), begin + static_cast<std::ptrdiff_t>(used_[s]));
    return {};
  }

  store::BlockStore& store_;
  const std::function<LogPosition(SlabId)>& saved_;
  const std::uint32_t day_;
  std::unique_ptr<store::View> view_;
  std::unique_ptr<store::Cursor> days_;
  std::vector<std::unique_ptr<store::Cursor>> hours_;
  std::string thing_;
  DayEncoder encoder_;
  DayDecoder decoder_;
  std::vector<Sample> samples_[kSourceCount];
  std::size_t used_[kSourceCount] = {};
  std::vector<std::string> keys_[kSourceCount];
  std::vector<std::string> merged_;  // keys to delete with the batch
  std::vector<const Sample*> order_;
  std::optional<std::pair<model::EntityId, Source>> last_;   // emitted last
  std::uint16_t last_part_ = 0;
  store::Batch batch_;
};

/// The day of a family's first row, whose key begins with a day or hour; nothing when it is empty.
Result<std::optional<std::uint32_t>> OldestDay(const store::BlockStore& store, store::FamilyId family,
                                               std::uint32_t units_per_day = 1) {
  std::optional<std::uint32_t> day;
  FW_TRY(store.Scan(family, {}, {}, [&](std::string_view key, auto) {
    day = static_cast<std::uint32_t>(GetBigEndian(key.substr(0, 4))) / units_per_day;
    return false;
  }));
  return day;
}

/// The oldest day of metric values in full resolution.
Result<std::optional<std::uint32_t>> OldestFineDay(const store::BlockStore& store) {
  FW_ASSIGN(auto merged, OldestDay(store, kFamilyDays));
  FW_ASSIGN(auto hours, OldestDay(store, kFamilyHours, kHoursPerDay));
  return merged && hours ? std::min(merged, hours) : merged ? merged : hours;
}

}  // namespace

Maintenance::Maintenance(store::BlockStore& store, std::function<LogPosition(SlabId)> saved, Retention retention)
    : store_(store), saved_(std::move(saved)), retention_(retention) {}

Result<Maintenance::Progress> Maintenance::Merge(Timestamp now, std::uint64_t max_things) {
  Progress progress;
  if (HourOf(now) == 0) return progress;
  const std::uint32_t end_day = (HourOf(now) - 1) / kHoursPerDay;  // days before this one ended an hour ago
  if (resume_ && resume_->day >= end_day) resume_.reset();      // the clock went back
  const bool resumed = resume_.has_value();
  if (!resumed) pass_merged_ = false;
  std::uint64_t things = 0;
  std::unique_ptr<store::View> view = store_.NewView();
  std::unique_ptr<store::Cursor> cursor = view->NewCursor(kFamilyHours, TimeKey(end_day * kHoursPerDay));
  auto day_from = [&](const std::string& key) -> std::optional<std::uint32_t> {
    cursor->Seek(key);
    if (!cursor->Valid()) return std::nullopt;
    return static_cast<std::uint32_t>(GetBigEndian(cursor->key().substr(0, 4))) / kHoursPerDay;
  };
  std::optional<std::uint32_t> day = resumed ? resume_->day : day_from({});
  for (; day; day = day_from(TimeKey((*day + 1) * kHoursPerDay))) {
    DayMerge merge(store_, saved_, *day, resume_ ? resume_->thing : std::string());
    merged_days_.insert(*day);
    bool through = false;
    while (!through && things < max_things) {
      FW_ASSIGN(bool merged, merge.Next(progress));
      through = !merged;
      things += merged;
    }
    FW_TRY(merge.Write());
    // Only now: what was not written is still to be merged.
    if (progress.hour_blocks > 0) pass_merged_ = true;
    if (!through) {
      if (!merge.thing().empty()) resume_ = Resume{*day, merge.thing()};
      progress.more = true;
      return progress;
    }
    resume_.reset();
  }
  FW_TRY(cursor->status());
  FW_TRY(CompactMerged());
  // Behind a pass of several calls rows may have come or been saved. Once it merges nothing, they wait as any others.
  progress.more = resumed && pass_merged_;
  return progress;
}

/// Gives the space of merged hours back. Late samples may have come meanwhile: nothing is deleted here.
Status Maintenance::CompactMerged() {
  for (std::uint32_t day : std::exchange(merged_days_, {})) {
    FW_TRY(store_.CompactRange(kFamilyHours, TimeKey(day * kHoursPerDay), TimeKey((day + 1) * kHoursPerDay)));
  }
  return {};
}

Result<Maintenance::Progress> Maintenance::Downsample(Timestamp now, std::uint64_t max_things) {
  Progress progress;
  std::uint32_t today = DayOf(now);
  if (!retention_.Downsamples() || today <= static_cast<std::uint32_t>(retention_.metric_days)) return progress;
  FW_ASSIGN(std::optional<std::uint32_t> oldest, OldestFineDay(store_));
  if (!oldest) return progress;
  // No further ahead of Expire, which is what keeps pace, than a day.
  const std::string until = TimeKey(std::min(today - static_cast<std::uint32_t>(retention_.metric_days), *oldest + 1));
  FW_ASSIGN(std::optional<std::string> from, store_.Get(kFamilyMeta, kDownsampledKey));
  if (from && *from >= until) return progress;
  const Millis length = std::chrono::minutes(retention_.downsampled_minutes);
  DayDecoder decoder;
  DayEncoder encoder;
  std::vector<Sample> samples;
  store::Batch batch;
  std::unique_ptr<store::View> view = store_.NewView();
  std::unique_ptr<store::Cursor> cursor = view->NewCursor(kFamilyDays, until, true);
  for (cursor->Seek(from.value_or("")); cursor->Valid();) {
    if (progress.day_blocks == max_things) {
      progress.more = true;
      break;
    }
    // All parts of one day, thing and source. Damage was seen by who read it; it does not live longer.
    constexpr std::size_t kDayThingBytes = 4 + 16 + 1;
    const std::string prefix(cursor->key().substr(0, kDayThingBytes));
    if (prefix.size() < kDayThingBytes) return Error(Code::kCorrupt, "a telemetry key makes no sense");
    model::EntityId entity{GetBigEndian(prefix.substr(4, 8)), GetBigEndian(prefix.substr(12, 8))};
    auto source = static_cast<Source>(prefix.back() & 1);
    std::size_t used = 0;
    for (; cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
      std::size_t before = used;
      if (!decoder.Decode(cursor->value(), entity, source, nullptr, samples, used).ok()) used = before;
    }
    auto earlier = [](const Sample& a, const Sample& b) { return a.time < b.time; };
    std::stable_sort(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(used), earlier);
    std::vector<Sample> coarse = telemetry::Downsample(std::span(samples.data(), used), length);
    std::vector<const Sample*> order;
    for (const Sample& sample : coarse) order.push_back(&sample);
    if (!order.empty()) batch.Put(kFamilyLong, prefix + std::string(2, '\0'), encoder.Encode(order));
    ++progress.day_blocks;
    progress.samples += used;
  }
  FW_TRY(cursor->status());
  batch.Put(kFamilyMeta, kDownsampledKey, progress.more ? cursor->key() : std::string_view(until));
  FW_TRY(store_.Write(batch));
  return progress;
}

Status Maintenance::Expire(Timestamp now) {
  auto before = [&](int days) {
    std::uint32_t today = DayOf(now);
    return today > static_cast<std::uint32_t>(days) ? today - static_cast<std::uint32_t>(days) : 0;
  };
  auto drop_oldest = [&](store::FamilyId family, std::uint32_t until) -> Status {
    FW_ASSIGN(auto oldest, OldestDay(store_, family));
    if (!oldest || *oldest >= until) return {};
    return store_.DropRange(family, {}, TimeKey(*oldest + 1));
  };
  FW_TRY(drop_oldest(kFamilyConnections, before(retention_.connection_days)));
  FW_TRY(drop_oldest(kFamilyLong, before(std::max(retention_.metric_days, retention_.downsampled_days))));
  const std::uint32_t metric_day = before(retention_.metric_days);
  FW_ASSIGN(std::optional<std::uint32_t> oldest, OldestFineDay(store_));
  if (!oldest || *oldest >= metric_day) return {};
  const std::uint32_t until = *oldest + 1;
  if (until < metric_day) {
    log::Warning("telemetry.days_past_retention", {{"days", metric_day - *oldest}, {"dropped", 1}});
  }
  std::uint32_t fine_day = until;
  if (retention_.Downsamples()) {
    FW_ASSIGN(std::optional<std::string> done, store_.Get(kFamilyMeta, kDownsampledKey));
    fine_day = done && done->size() >= 4
                   ? std::min(until, static_cast<std::uint32_t>(GetBigEndian(done->substr(0, 4))))
                   : 0;
  }
  auto drop = [&](store::FamilyId family, const std::string& end) -> Status {
    bool any = false;
    FW_TRY(store_.Scan(family, {}, end, [&](auto, auto) {
      any = true;
      return false;
    }));
    return any ? store_.DropRange(family, {}, end) : Status();
  };
  FW_TRY(drop(kFamilyDays, TimeKey(fine_day)));
  return drop(kFamilyHours, TimeKey(until * kHoursPerDay));
}

Result<Maintenance::Progress> Maintenance::ExpireEvents(Timestamp now, std::uint64_t max_events) {
  constexpr auto kDay = std::chrono::hours(24);
  Progress progress;
  if (events_from_.empty()) {  // a new pass
    FW_ASSIGN(std::optional<Timestamp> oldest, OldestEvent(store_));
    if (!oldest) return progress;
    events_until_ = std::min<Timestamp>(now - kDay * retention_.event_days, *oldest + kDay);
  }
  FW_TRY(telemetry::ExpireEvents(store_, events_until_, max_events, events_from_));
  progress.more = !events_from_.empty();
  return progress;
}

}  // namespace fleetward::telemetry
