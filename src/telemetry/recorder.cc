#include "fleetward/telemetry/recorder.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fleetward/base/encoding.h"
#include "hour_block.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

constexpr std::uint8_t kSlabVersion = 1;

struct Open {
  std::uint32_t count = 0;
  std::uint32_t day = 0;
  Timestamp newest{};
  LogPosition first = 0, last = 0;
  Sample previous;                   // the newest row, which the next one is coded against
  std::string rows;

  std::size_t Bytes() const { return sizeof(Open) + 16 + previous.HeapBytes() + rows.capacity() + 16; }
};

struct Thing {
  std::array<std::unique_ptr<Open>, kLaneCount> lanes;
};

struct Waiting {
  model::EntityId entity;
  Lane lane = 0;
  std::uint32_t hour = 0;
  LogPosition first = 0, last = 0;
  std::string bytes;
};

Lane LaneOf(const Sample& sample) {
  bool side = (sample.flags & (kFlagLate | kFlagSpooled)) != 0;
  return static_cast<Lane>(static_cast<std::uint8_t>(sample.source) + (side ? 2 : 0));
}
Source SourceOf(Lane lane) { return static_cast<Source>(lane & 1); }

}  // namespace

struct Recorder::Impl {
  mutable std::mutex mutex;
  std::vector<std::unordered_map<model::EntityId, Thing>> slabs{kSlabCount};
  /// No open block's newest sample is older: lets Idle pass over most slabs.
  std::vector<Timestamp> oldest = std::vector<Timestamp>(kSlabCount, Timestamp::max());
  std::vector<Waiting> waiting;      // sealed, not yet in the store
  std::size_t drained = 0;           // of waiting
  std::size_t waiting_bytes = 0;
  Stats stats;

  /// `sealed_by`: position of the record that ended the block. A slab saved before that still holds it open, and replay
  /// would make it again: until then it must not be merged.
  void Seal(const model::EntityId& entity, Lane lane, Open& open, LogPosition sealed_by) {
    Waiting block{entity, lane, HourOf(open.newest), open.first, open.last,
                  MakeHourBlock(open.count, open.first, sealed_by, open.rows)};
    stats.blocks += 1;
    stats.block_bytes += block.bytes.size();
    stats.open_samples -= open.count;
    waiting_bytes += block.bytes.size();
    waiting.push_back(std::move(block));
    open.count = 0;
    open.rows.clear();
  }

  void Drain(store::Batch& batch) {
    for (; drained < waiting.size(); ++drained) {
      const Waiting& block = waiting[drained];
      batch.Put(kFamilyHours, HourKey(block.hour, block.entity, block.lane, block.first), block.bytes);
    }
  }
};

Recorder::Recorder() : impl_(std::make_unique<Impl>()) {}
Recorder::~Recorder() = default;

void Recorder::Add(const Sample& sample, LogPosition position) {
  std::lock_guard lock(impl_->mutex);
  Thing& thing = impl_->slabs[SlabOf(sample.entity)][sample.entity];
  Lane lane = LaneOf(sample);
  if (!thing.lanes[lane]) thing.lanes[lane] = std::make_unique<Open>();
  Open& open = *thing.lanes[lane];
  std::uint32_t day = DayOf(sample.time);
  if (open.count > 0 && open.day != day) impl_->Seal(sample.entity, lane, open, position);
  AppendHourRow(sample, open.count > 0 ? &open.previous : nullptr, open.rows);
  if (open.count == 0) {
    open.first = position;
    open.day = day;
    open.newest = sample.time;
  }
  open.previous = sample;
  open.last = position;
  open.newest = std::max(open.newest, sample.time);
  Timestamp& oldest = impl_->oldest[SlabOf(sample.entity)];
  oldest = std::min(oldest, open.newest);
  ++open.count;
  impl_->stats.samples += 1;
  impl_->stats.open_samples += 1;
  if (lane >= 2) impl_->stats.late += 1;
  if (open.count == kMaxOpenSamples) impl_->Seal(sample.entity, lane, open, position);
}

void Recorder::Drain(store::Batch& batch) {
  std::lock_guard lock(impl_->mutex);
  impl_->Drain(batch);
}

void Recorder::Written() {
  impl_->waiting.erase(impl_->waiting.begin(), impl_->waiting.begin() + static_cast<std::ptrdiff_t>(impl_->drained));
  impl_->drained = 0;
  impl_->waiting_bytes = 0;
  for (const Waiting& block : impl_->waiting) impl_->waiting_bytes += block.bytes.size();
}

std::size_t Recorder::waiting_bytes() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->waiting_bytes;
}

void Recorder::Save(SlabId slab, Timestamp seal_before, std::string& out, store::Batch& batch) {
  std::lock_guard lock(impl_->mutex);
  auto& things = impl_->slabs[slab];
  Timestamp oldest = Timestamp::max();
  for (auto it = things.begin(); it != things.end();) {
    bool keep = false;
    for (Lane lane = 0; lane < kLaneCount; ++lane) {
      auto& open = it->second.lanes[lane];
      if (!open) continue;
      if (open->newest < seal_before) {
        if (open->count > 0) impl_->Seal(it->first, lane, *open, open->last);
        open.reset();
      }
      keep |= open != nullptr;
      if (open) oldest = std::min(oldest, open->newest);
    }
    it = keep ? std::next(it) : things.erase(it);
  }
  impl_->oldest[slab] = oldest;
  impl_->Drain(batch);
  ByteWriter w(out);
  w.U8(kSlabVersion);
  for (const auto& [entity, thing] : things) {
    for (Lane lane = 0; lane < kLaneCount; ++lane) {
      const Open* open = thing.lanes[lane].get();
      if (open == nullptr || open->count == 0) continue;
      w.U64(entity.high);
      w.U64(entity.low);
      w.U8(lane);
      w.Varint(open->first);
      w.SignedVarint(ToMillis(open->newest));
      w.Bytes(MakeHourBlock(open->count, open->first, open->last, open->rows));
    }
  }
}

Status Recorder::Load(SlabId slab, std::string_view bytes) {
  ByteReader in(bytes);
  if (in.U8() != kSlabVersion) return Error(Code::kCorrupt, "a recorder slab of an unknown version");
  std::vector<Sample> samples;
  std::lock_guard lock(impl_->mutex);
  while (!in.AtEnd()) {
    model::EntityId entity;
    entity.high = in.U64();
    entity.low = in.U64();
    std::uint8_t lane = in.U8();
    LogPosition first = in.Varint();
    Timestamp newest = FromMillis(in.SignedVarint());
    std::string_view block = in.Bytes();
    if (!in.ok() || lane >= kLaneCount || SlabOf(entity) != slab) {
      return Error(Code::kCorrupt, "a recorder slab makes no sense");
    }
    FW_ASSIGN(HourBlockHeader header, ParseHourHeader(block));
    std::size_t used = 0;
    FW_TRY(DecodeHourBlock(block, entity, SourceOf(lane), samples, used));
    if (used == 0) return Error(Code::kCorrupt, "a recorder slab makes no sense");
    auto open = std::make_unique<Open>();
    open->count = static_cast<std::uint32_t>(header.count);
    open->previous = samples[used - 1];
    open->day = DayOf(open->previous.time);
    open->newest = newest;
    open->first = first;
    open->last = first + header.span;
    open->rows = header.rows;
    impl_->stats.open_samples += open->count;
    impl_->oldest[slab] = std::min(impl_->oldest[slab], newest);
    impl_->slabs[slab][entity].lanes[lane] = std::move(open);
  }
  return {};
}

std::vector<SlabId> Recorder::Idle(Timestamp before) {
  std::lock_guard lock(impl_->mutex);
  std::vector<SlabId> idle;
  for (SlabId slab = 0; slab < kSlabCount; ++slab) {
    if (impl_->oldest[slab] >= before) continue;
    Timestamp oldest = Timestamp::max();
    for (const auto& [entity, thing] : impl_->slabs[slab]) {
      for (const auto& open : thing.lanes) {
        if (open) oldest = std::min(oldest, open->newest);
      }
    }
    impl_->oldest[slab] = oldest;
    if (oldest < before) idle.push_back(slab);
  }
  return idle;
}

void Recorder::Copy(const model::EntityId& entity, const std::function<void(std::vector<OpenBlock>)>& fn) const {
  std::lock_guard lock(impl_->mutex);
  std::vector<OpenBlock> blocks;
  for (const Waiting& block : impl_->waiting) {
    if (block.entity == entity) blocks.push_back({SourceOf(block.lane), block.first, block.last, block.bytes});
  }
  const auto& things = impl_->slabs[SlabOf(entity)];
  if (auto found = things.find(entity); found != things.end()) {
    for (Lane lane = 0; lane < kLaneCount; ++lane) {
      const Open* open = found->second.lanes[lane].get();
      if (open == nullptr || open->count == 0) continue;
      blocks.push_back({SourceOf(lane), open->first, open->last,
                        MakeHourBlock(open->count, open->first, open->last, open->rows)});
    }
  }
  fn(std::move(blocks));
}

std::mutex& Recorder::mutex() const { return impl_->mutex; }

Recorder::Stats Recorder::stats() const {
  std::lock_guard lock(impl_->mutex);
  Stats stats = impl_->stats;
  for (const auto& slab : impl_->slabs) stats.things += slab.size();
  return stats;
}

std::uint64_t Recorder::MemoryBytes() const {
  std::lock_guard lock(impl_->mutex);
  std::uint64_t bytes = 0;
  for (const auto& slab : impl_->slabs) {
    bytes += slab.bucket_count() * sizeof(void*) + slab.size() * (sizeof(std::pair<model::EntityId, Thing>) + 3 * sizeof(void*));
    for (const auto& [entity, thing] : slab) {
      for (const auto& open : thing.lanes) {
        if (open) bytes += open->Bytes();
      }
    }
  }
  return bytes;
}


}  // namespace fleetward::telemetry
