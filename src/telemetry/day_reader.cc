#include "day_reader.h"

#include <algorithm>

#include "fleetward/base/log.h"
#include "fleetward/telemetry/layout.h"
#include "hour_block.h"
#include "keys.h"

namespace fleetward::telemetry {

DayReader::DayReader(const store::View& view, DayScratch& scratch, bool readahead)
    : days_(view.NewCursor(kFamilyDays, {}, readahead)), hours_(view.NewCursor(kFamilyHours, {}, readahead)),
      long_(view.NewCursor(kFamilyLong, {}, readahead)), scratch_(scratch) {}

Status DayReader::Read(const model::EntityId& entity, Source source, std::uint32_t day, std::uint32_t from_hour,
                       const SeriesKey* only, std::span<const OpenBlock> open) {
  used_ = 0;
  stored_.clear();
  FW_TRY(ReadDays(*days_, entity, source, day, only));
  if (used_ == 0) FW_TRY(ReadDays(*long_, entity, source, day, only));  // fine rows stay until the coarse one is there
  FW_TRY(ReadHours(entity, source, day, from_hour));
  for (const OpenBlock& block : open) {
    if (block.source != source) continue;
    // Replay makes blocks again that had been stored: the stored one is complete.
    if (std::find(stored_.begin(), stored_.end(), block.first_position) != stored_.end()) continue;
    std::size_t first = used_;
    FW_TRY(Take(DecodeHourBlock(block.bytes, entity, source, scratch_.samples, used_), day));
    if (used_ > first && DayOf(scratch_.samples[first].time) != day) used_ = first;
  }
  return {};
}

Result<std::uint32_t> DayReader::NextDay(std::uint32_t day, std::span<const OpenBlock> open) {
  ++day;
  if (used_ > 0) return day;
  std::uint32_t next = UINT32_MAX;
  auto look = [&](store::Cursor& cursor, std::uint32_t from, std::uint32_t units) -> Status {
    cursor.Seek(TimeKey(from));
    if (cursor.Valid()) next = std::min(next, static_cast<std::uint32_t>(GetBigEndian(cursor.key().substr(0, 4))) / units);
    return cursor.status();
  };
  FW_TRY(look(*days_, day, 1));
  FW_TRY(look(*long_, day, 1));
  FW_TRY(look(*hours_, day * kHoursPerDay, kHoursPerDay));
  for (const OpenBlock& block : open) {
    std::size_t used = 0;
    if (!DecodeHourBlock(block.bytes, {}, block.source, scratch_.samples, used).ok() || used == 0) continue;
    std::uint32_t of_block = DayOf(scratch_.samples[0].time);
    if (of_block >= day) next = std::min(next, of_block);
  }
  return next;
}

/// A block that makes no sense is counted and left out; what lies beside it is still good.
Status DayReader::Take(Status decoded, std::uint32_t day) {
  if (decoded.ok() || decoded.error().code() != Code::kCorrupt) return decoded;
  ++damaged_;
  log::Error("telemetry.damaged_block", {{"day", day}, {"error", decoded.error().ToString()}});
  return {};
}

Status DayReader::ReadDays(store::Cursor& cursor, const model::EntityId& entity, Source source, std::uint32_t day,
                           const SeriesKey* only) {
  std::string prefix = DayKey(day, entity, static_cast<std::uint8_t>(source), 0);
  prefix.resize(prefix.size() - 2);
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    FW_TRY(Take(scratch_.decoder.Decode(cursor.value(), entity, source, only, scratch_.samples, used_), day));
  }
  return cursor.status();
}

Status DayReader::ReadHours(const model::EntityId& entity, Source source, std::uint32_t day, std::uint32_t from_hour) {
  const std::uint32_t end = (day + 1) * kHoursPerDay;
  for (std::uint32_t hour = std::max(from_hour, day * kHoursPerDay); hour < end;) {
    std::string prefix = ThingKey(hour, entity);
    for (hours_->Seek(prefix); hours_->Valid() && hours_->key().starts_with(prefix); hours_->Next()) {
      auto parts = ParseHourKey(hours_->key());
      if (!parts) {
        FW_TRY(Take(Error(Code::kCorrupt, "a telemetry key makes no sense"), day));
        continue;
      }
      if ((parts->lane & 1) != static_cast<Lane>(source)) continue;
      stored_.push_back(parts->first);
      FW_TRY(Take(DecodeHourBlock(hours_->value(), entity, source, scratch_.samples, used_), day));
    }
    if (!hours_->Valid()) return hours_->status();
    // Where the cursor stands tells which hours are empty.
    std::uint32_t next = static_cast<std::uint32_t>(GetBigEndian(hours_->key().substr(0, 4)));
    hour = std::max(hour + 1, hours_->key().substr(0, prefix.size()) <= ThingKey(next, entity) ? next : next + 1);
  }
  return {};
}

const std::vector<std::uint32_t>& DayReader::Ordered() {
  scratch_.order.resize(used_);
  for (std::uint32_t i = 0; i < used_; ++i) scratch_.order[i] = i;
  auto earlier = [this](std::uint32_t a, std::uint32_t b) { return scratch_.samples[a].time < scratch_.samples[b].time; };
  if (!std::is_sorted(scratch_.order.begin(), scratch_.order.end(), earlier)) std::stable_sort(scratch_.order.begin(), scratch_.order.end(), earlier);
  return scratch_.order;
}

}  // namespace fleetward::telemetry
