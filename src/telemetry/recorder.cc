#include "fleetward/telemetry/recorder.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "fleetward/base/encoding.h"
#include "hour_block.h"
#include "keys.h"
#include "open_rows.h"

namespace fleetward::telemetry {
namespace {

constexpr std::uint8_t kSlabVersion = 1;

constexpr Timestamp kNothing = Timestamp::min();

struct Open {
  std::uint32_t count = 0;
  std::uint32_t day = 0;
  Timestamp newest = kNothing;       // stays when the block is sealed
  LogPosition first = 0, last = 0;
  OpenRows rows;
};

struct Thing {
  model::EntityId entity;
  Open device;                       // lane 0, which nearly every thing has
  std::array<std::unique_ptr<Open>, kLaneCount - 1> others;

  Open* At(Lane lane) { return lane == 0 ? &device : others[lane - 1U].get(); }
  const Open* At(Lane lane) const { return lane == 0 ? &device : others[lane - 1U].get(); }
  Open& Make(Lane lane) {
    if (lane > 0 && !others[lane - 1U]) others[lane - 1U] = std::make_unique<Open>();
    return *At(lane);
  }
  void Drop(Lane lane) {
    if (lane == 0) {
      device = Open();
    } else {
      others[lane - 1U].reset();
    }
  }
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
  IdTable<Thing> table;
  std::vector<std::vector<std::unique_ptr<Thing>>> slabs{kSlabCount};
  /// No open block's newest sample is older: lets Idle pass over most slabs.
  std::vector<Timestamp> oldest = std::vector<Timestamp>(kSlabCount, Timestamp::max());
  std::vector<Waiting> waiting;      // sealed, not yet in the store
  std::size_t drained = 0;           // of waiting
  std::size_t waiting_bytes = 0;
  Stats stats;
  OpenRows::Scratch scratch;

  Thing& FindOrMake(const model::EntityId& entity) {
    if (Thing* known = table.Find(entity)) return *known;
    auto made = std::make_unique<Thing>();
    made->entity = entity;
    table.Insert(made.get());
    return *slabs[SlabOf(entity)].emplace_back(std::move(made));
  }

  /// `sealed_by`: position of the record that ended the block. A slab saved before that still holds it open, and replay
  /// would make it again: until then it must not be merged.
  void Seal(const model::EntityId& entity, Lane lane, Open& open, LogPosition sealed_by) {
    Waiting block{entity, lane, HourOf(open.newest), open.first, open.last,
                  MakeHourBlock(open.count, open.first, sealed_by, open.rows.rows())};
    stats.blocks += 1;
    stats.block_bytes += block.bytes.size();
    stats.open_samples -= open.count;
    waiting_bytes += block.bytes.size();
    waiting.push_back(std::move(block));
    open.count = 0;
    open.rows.Clear();
  }

  /// In the order of the keys: the store finds the place of a row beside the one before it.
  void Drain(store::Batch& batch) {
    std::vector<std::pair<std::string, const Waiting*>> rows;
    for (; drained < waiting.size(); ++drained) {
      const Waiting& block = waiting[drained];
      rows.emplace_back(HourKey(block.hour, block.entity, block.lane, block.first), &block);
    }
    std::sort(rows.begin(), rows.end());
    for (const auto& [key, block] : rows) batch.Put(kFamilyHours, key, block->bytes);
  }
};

Recorder::Recorder() : impl_(std::make_unique<Impl>()) {}
Recorder::~Recorder() = default;

void Recorder::Add(const Sample& sample, LogPosition position) {
  std::lock_guard lock(impl_->mutex);
  Lane lane = LaneOf(sample);
  Open& open = impl_->FindOrMake(sample.entity).Make(lane);
  std::uint32_t day = DayOf(sample.time);
  if (open.count > 0 && open.day != day) impl_->Seal(sample.entity, lane, open, position);
  open.rows.Append(sample, impl_->scratch);
  if (open.count == 0) {
    open.first = position;
    open.day = day;
    open.newest = sample.time;
  }
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

void Recorder::Prefetch(const model::EntityId& entity, Source source, Ahead ahead) const {
  if (ahead == Ahead::kEntry) return impl_->table.Prefetch(entity);
  const Thing* thing = impl_->table.FindByHash(entity);
  if (thing == nullptr) return;
  if (ahead == Ahead::kState) return PrefetchBytes(thing, sizeof *thing);
  if (source == Source::kDevice) return thing->device.rows.Prefetch();
  if (const Open* open = thing->At(static_cast<Lane>(source))) PrefetchBytes(open, sizeof *open);
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
  std::erase_if(things, [&](const std::unique_ptr<Thing>& thing) {
    bool keep = false;
    for (Lane lane = 0; lane < kLaneCount; ++lane) {
      Open* open = thing->At(lane);
      if (open == nullptr || open->newest == kNothing) continue;
      if (open->newest < seal_before) {
        if (open->count > 0) impl_->Seal(thing->entity, lane, *open, open->last);
        thing->Drop(lane);
        continue;
      }
      keep = true;
      oldest = std::min(oldest, open->newest);
    }
    if (!keep) impl_->table.Erase(thing.get());
    return !keep;
  });
  impl_->oldest[slab] = oldest;
  impl_->Drain(batch);
  ByteWriter w(out);
  w.U8(kSlabVersion);
  for (std::size_t i = 0; i < things.size(); ++i) {
    if (i + 8 < things.size()) PrefetchBytes(things[i + 8].get(), sizeof(Thing));
    if (i + 4 < things.size()) things[i + 4]->device.rows.Prefetch();
    for (Lane lane = 0; lane < kLaneCount; ++lane) {
      const Open* open = things[i]->At(lane);
      if (open == nullptr || open->count == 0) continue;
      w.U64(things[i]->entity.high);
      w.U64(things[i]->entity.low);
      w.U8(lane);
      w.Varint(open->first);
      w.SignedVarint(ToMillis(open->newest));
      w.Bytes(MakeHourBlock(open->count, open->first, open->last, open->rows.rows()));
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
    RowPlaces places;
    FW_TRY(DecodeHourBlock(block, entity, SourceOf(lane), samples, used, &places));
    if (used == 0) return Error(Code::kCorrupt, "a recorder slab makes no sense");
    Open& open = impl_->FindOrMake(entity).Make(lane);
    open.count = static_cast<std::uint32_t>(header.count);
    open.day = DayOf(samples[used - 1].time);
    open.newest = newest;
    open.first = first;
    open.last = first + header.span;
    open.rows.Assign(header.rows, samples[used - 1], places, impl_->scratch);
    impl_->stats.open_samples += open.count;
    impl_->oldest[slab] = std::min(impl_->oldest[slab], newest);
  }
  return {};
}

std::vector<SlabId> Recorder::Idle(Timestamp before) {
  std::lock_guard lock(impl_->mutex);
  std::vector<SlabId> idle;
  for (SlabId slab = 0; slab < kSlabCount; ++slab) {
    if (impl_->oldest[slab] >= before) continue;
    Timestamp oldest = Timestamp::max();
    for (const auto& thing : impl_->slabs[slab]) {
      for (Lane lane = 0; lane < kLaneCount; ++lane) {
        const Open* open = thing->At(lane);
        if (open && open->newest != kNothing) oldest = std::min(oldest, open->newest);
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
    if (block.entity == entity) blocks.push_back({SourceOf(block.lane), block.first, block.bytes});
  }
  if (const Thing* thing = impl_->table.Find(entity)) {
    for (Lane lane = 0; lane < kLaneCount; ++lane) {
      const Open* open = thing->At(lane);
      if (open == nullptr || open->count == 0) continue;
      blocks.push_back({SourceOf(lane), open->first,
                        MakeHourBlock(open->count, open->first, open->last, open->rows.rows())});
    }
  }
  fn(std::move(blocks));
}

std::mutex& Recorder::mutex() const { return impl_->mutex; }

Recorder::Stats Recorder::stats() const {
  std::lock_guard lock(impl_->mutex);
  Stats stats = impl_->stats;
  stats.things = impl_->table.size();
  return stats;
}

std::uint64_t Recorder::MemoryBytes() const {
  std::lock_guard lock(impl_->mutex);
  constexpr std::size_t kMalloc = 8;   // its own bytes of each piece
  std::uint64_t bytes = impl_->table.bytes();
  for (const auto& slab : impl_->slabs) {
    bytes += slab.capacity() * sizeof(slab[0]);
    for (const auto& thing : slab) {
      bytes += sizeof(Thing) + kMalloc + thing->device.rows.HeapBytes() + kMalloc;
      for (const auto& open : thing->others) {
        if (open) bytes += sizeof(Open) + kMalloc + open->rows.HeapBytes() + kMalloc;
      }
    }
  }
  return bytes;
}

}  // namespace fleetward::telemetry
