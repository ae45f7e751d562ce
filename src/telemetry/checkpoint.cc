#include "fleetward/telemetry/checkpoint.h"

#include <time.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "fleetward/base/encoding.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

constexpr std::string_view kAppliedPrefix = "applied/";  // shard: a round ended here
constexpr std::string_view kNewestPrefix = "newest/";    // shard: no slab is newer
constexpr double kMaxBudgetSeconds = 0.05;

double ThreadCpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::string MetaKey(std::string_view prefix, std::uint32_t shard) {
  std::string key(prefix);
  PutBigEndian(key, shard, 4);
  return key;
}

void PutPosition(store::Batch& batch, std::string_view prefix, std::uint32_t shard, LogPosition position) {
  std::string value;
  PutBigEndian(value, position, 8);
  batch.Put(kFamilyMeta, MetaKey(prefix, shard), value);
}

/// Calls fn(key, position) for the rows of all shards of the last run.
Status ForEachPosition(const store::BlockStore& store, std::string_view prefix,
                       const std::function<void(std::string_view, LogPosition)>& fn) {
  bool sane = true;
  std::string until(prefix);
  until.back() = static_cast<char>(until.back() + 1);
  FW_TRY(store.Scan(kFamilyMeta, prefix, until, [&](std::string_view key, std::string_view value) {
    sane = value.size() == 8;
    if (sane) fn(key, GetBigEndian(value));
    return sane;
  }));
  return sane ? Status() : Status(Error(Code::kCorrupt, "a stored log position makes no sense"));
}

/// Slabs of things are found whatever the number of shards; extra ones carry their shard.
std::string SlabKey(SlabId slab, std::uint32_t shard) {
  std::string key(1, slab < kSlabCount ? 't' : 'x');
  PutBigEndian(key, slab, 4);
  if (slab >= kSlabCount) PutBigEndian(key, shard, 4);
  return key;
}

}  // namespace

Result<AppliedTable> AppliedTable::Open(store::BlockStore& store, std::uint32_t shards) {
  AppliedTable table;
  bool any = false;
  store::Batch batch;
  FW_TRY(ForEachPosition(store, kAppliedPrefix, [&](std::string_view key, LogPosition position) {
    table.applied = any ? std::min(table.applied, position) : position;
    table.newest = std::max(table.newest, position);
    any = true;
    batch.Delete(kFamilyMeta, key);
  }));
  FW_TRY(ForEachPosition(store, kNewestPrefix, [&](std::string_view key, LogPosition position) {
    table.newest = std::max(table.newest, position);
    batch.Delete(kFamilyMeta, key);
  }));
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    PutPosition(batch, kAppliedPrefix, shard, table.applied);
    PutPosition(batch, kNewestPrefix, shard, table.newest);
  }
  Status written = store.Write(batch);
  // On a full disk the old rows stay, and say the same.
  if (!written.ok() && written.error().code() != Code::kUnavailable) return std::move(written).error();
  return table;
}

Checkpointer::Checkpointer(std::uint32_t shard, std::uint32_t shards, SlabCallbacks callbacks,
                           CheckpointOptions options)
    : shard_(shard), shards_(shards), callbacks_(std::move(callbacks)), options_(options), slabs_(kSlabCount),
      in_store_(kSlabCount) {}

Status Checkpointer::Load(const store::BlockStore& store, const AppliedTable& applied) {
  base_ = applied.applied;
  FW_ASSIGN(std::optional<std::string> row, store.Get(kFamilySlabs, SlabKey(own(), shard_)));
  if (row) {
    if (row->size() < 8) return Error(Code::kCorrupt, "a shard's row makes no sense");
    base_ = std::max(base_, GetBigEndian(std::string_view(*row).substr(0, 8)));
    FW_TRY(callbacks_.load(own(), std::string_view(*row).substr(8)));
  }
  applied_ = finished_ = base_;
  written_ = applied.applied;
  // A slab without a row saw nothing up to here.
  for (Slab& slab : slabs_) slab.saved = base_;
  for (auto& position : in_store_) position = base_;
  Status loaded;
  FW_TRY(store.Scan(kFamilySlabs, "t", "u", [&](std::string_view key, std::string_view value) {
    auto slab = key.size() == 5 ? static_cast<SlabId>(GetBigEndian(key.substr(1))) : kSlabCount;
    if (slab >= kSlabCount || value.size() < 8) {
      loaded = Error(Code::kCorrupt, "a slab's row makes no sense");
      return false;
    }
    if (ShardOf(slab, shards_) != shard_) return true;
    LogPosition position = GetBigEndian(value.substr(0, 8));
    if (position > base_) {
      slabs_[slab].saved = position;
      in_store_[slab] = position;
      held_.emplace_back(position, slab);
      if (callbacks_.hold) loaded = callbacks_.hold(slab, value.substr(8));
    } else {
      loaded = callbacks_.load(slab, value.substr(8));
    }
    return loaded.ok();
  }));
  std::sort(held_.rbegin(), held_.rend());
  return loaded;
}

/// The rows are read again then: together they may be as large as the memory of all things.
Status Checkpointer::LoadHeld(const store::BlockStore& store, LogPosition before) {
  for (; !held_.empty() && held_.back().first < before; held_.pop_back()) {
    SlabId slab = held_.back().second;
    FW_ASSIGN(std::optional<std::string> row, store.Get(kFamilySlabs, SlabKey(slab, shard_)));
    if (!row || row->size() < 8) return Error(Code::kCorrupt, "a slab's row is gone");
    FW_TRY(callbacks_.load(slab, std::string_view(*row).substr(8)));
  }
  return {};
}

void Checkpointer::Touch(SlabId slab) {
  if (std::exchange(slabs_[slab].changed, true)) return;
  changed_.push_back(slab);
}

void Checkpointer::Advance(LogPosition position) { applied_ = std::max(applied_, position); }

void Checkpointer::Begin() {
  round_.insert(round_.end(), changed_.begin(), changed_.end());
  changed_.clear();
  std::sort(round_.rbegin(), round_.rend());
  begun_ = applied_;
  active_ = true;
  own_row_.clear();
  PutBigEndian(own_row_, begun_, 8);
  store::Batch none;
  callbacks_.save(own(), own_row_, none);
}

void Checkpointer::SaveSlab(SlabId id, store::Batch& batch) {
  Slab& slab = slabs_[id];
  bytes_.clear();
  PutBigEndian(bytes_, applied_, 8);
  callbacks_.save(id, bytes_, batch);
  batch.Put(kFamilySlabs, SlabKey(id, shard_), bytes_);
  slab.saved = applied_;
  slab.changed = false;
  unwritten_.emplace_back(id, applied_);
  ++stats_.slabs;
  stats_.bytes += bytes_.size();
}

void Checkpointer::Step(std::int64_t monotonic_ms, Pace pace, store::Batch& batch) {
  double earned = static_cast<double>(std::max<std::int64_t>(0, monotonic_ms - budget_at_ms_)) / 1000 * options_.cpu_share;
  if (budget_at_ms_ == 0) earned = kMaxBudgetSeconds;
  budget_at_ms_ = monotonic_ms;
  budget_seconds_ = std::min(budget_seconds_ + earned, kMaxBudgetSeconds);
  if (!active_ || pace == Pace::kPaused || (pace == Pace::kSteady && budget_seconds_ <= 0)) return;
  double begun = ThreadCpuSeconds(), spent = 0;
  std::size_t bytes_before = batch.bytes();
  bool any = false;
  while (!round_.empty() && spent < options_.max_step_seconds &&
         batch.bytes() - bytes_before < options_.max_step_bytes) {
    SlabId slab = round_.back();
    round_.pop_back();
    SaveSlab(slab, batch);
    any = true;
    spent = ThreadCpuSeconds() - begun;
  }
  if (any) PutPosition(batch, kNewestPrefix, shard_, applied_);
  if (round_.empty()) End(batch);
  spent = ThreadCpuSeconds() - begun;
  budget_seconds_ -= spent;
  stats_.cpu_seconds += spent;
  stats_.longest_step_seconds = std::max(stats_.longest_step_seconds, spent);
}

void Checkpointer::End(store::Batch& batch) {
  batch.Put(kFamilySlabs, SlabKey(own(), shard_), own_row_);
  PutPosition(batch, kAppliedPrefix, shard_, begun_);
  finished_ = begun_;
  active_ = false;
  ++stats_.rounds;
}

void Checkpointer::Written() {
  for (auto [slab, position] : unwritten_) in_store_[slab].store(position, std::memory_order_release);
  unwritten_.clear();
  written_.store(finished_, std::memory_order_release);
}

LogPosition Checkpointer::SavedPosition(SlabId slab) const { return in_store_[slab].load(std::memory_order_acquire); }

Status LogTrimmer::Run(std::uint64_t at_least) {
  LogPosition applied = UINT64_MAX;
  for (const Checkpointer* shard : shards_) applied = std::min(applied, shard->written_position());
  if (applied == UINT64_MAX || log_.TrimmableBytes(applied + 1) < at_least) return {};
  FW_TRY(store_.Flush());
  return log_.TrimBefore(applied + 1);
}

}  // namespace fleetward::telemetry
