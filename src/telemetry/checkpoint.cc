#include "fleetward/telemetry/checkpoint.h"

#include <time.h>

#include <algorithm>

#include "fleetward/base/encoding.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

constexpr std::string_view kAppliedPrefix = "applied/";

double ThreadCpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::string AppliedKey(std::uint32_t shard) {
  std::string key(kAppliedPrefix);
  PutBigEndian(key, shard, 4);
  return key;
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
  bool any = false, sane = true;
  std::vector<std::string> stale;
  std::string until(kAppliedPrefix);
  until.back() = static_cast<char>(until.back() + 1);
  FW_TRY(store.Scan(kFamilyMeta, kAppliedPrefix, until, [&](std::string_view key, std::string_view value) {
    sane &= value.size() == 8;
    LogPosition position = GetBigEndian(value.substr(0, 8));
    table.applied = any ? std::min(table.applied, position) : position;
    any = true;
    stale.emplace_back(key);
    return true;
  }));
  if (!sane) return Error(Code::kCorrupt, "an applied position makes no sense");
  store::Batch batch;
  for (const std::string& key : stale) batch.Delete(kFamilyMeta, key);
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    std::string value;
    PutBigEndian(value, table.applied, 8);
    batch.Put(kFamilyMeta, AppliedKey(shard), value);
  }
  Status written = store.Write(batch);
  // On a full disk the old rows stay, and say the same.
  if (!written.ok() && written.error().code() != Code::kUnavailable) return std::move(written).error();
  return table;
}

Checkpointer::Checkpointer(std::uint32_t shard, std::uint32_t shards, SlabCallbacks callbacks,
                           CheckpointOptions options)
    : shard_(shard), shards_(shards), callbacks_(std::move(callbacks)), options_(options),
      slabs_(kSlabCount + kExtraSlabs), in_store_(kSlabCount) {}

Status Checkpointer::Load(const store::BlockStore& store, const AppliedTable& applied) {
  applied_ = finished_ = applied.applied;
  written_ = applied.applied;
  // A slab without a row saw nothing up to the applied position.
  for (Slab& slab : slabs_) slab.saved = applied.applied;
  for (auto& position : in_store_) position = applied.applied;
  Status loaded;
  FW_TRY(store.Scan(kFamilySlabs, {}, {}, [&](std::string_view key, std::string_view value) {
    if (key.size() < 5 || value.size() < 8) {
      loaded = Error(Code::kCorrupt, "a slab row makes no sense");
      return false;
    }
    auto slab = static_cast<SlabId>(GetBigEndian(key.substr(1, 4)));
    if (slab >= slabs_.size() || (key[0] == 'x') != (slab >= kSlabCount)) return true;
    bool ours = key[0] == 't' ? ShardOf(slab, shards_) == shard_
                              : key.size() == 9 && GetBigEndian(key.substr(5, 4)) == shard_;
    if (!ours) return true;
    LogPosition position = GetBigEndian(value.substr(0, 8));
    slabs_[slab].saved = std::max(applied_, position);
    if (slab < kSlabCount) in_store_[slab] = slabs_[slab].saved;
    loaded = callbacks_.load(slab, value.substr(8));
    return loaded.ok();
  }));
  return loaded;
}

bool Checkpointer::ShouldApply(SlabId slab, LogPosition position) const { return position > slabs_[slab].saved; }

void Checkpointer::Touch(SlabId slab, LogPosition position) {
  if (slabs_[slab].first_waiting == 0) {
    slabs_[slab].first_waiting = position;
    queue_.emplace_back(slab, budget_at_ms_);
  }
  applied_ = std::max(applied_, position);
}

void Checkpointer::MarkWaiting(SlabId slab) {
  if (std::exchange(slabs_[slab].marked, true)) return;
  marked_.push_back(slab);
}

void Checkpointer::Advance(LogPosition position) { applied_ = std::max(applied_, position); }

void Checkpointer::SaveSlab(SlabId id, store::Batch& batch) {
  Slab& slab = slabs_[id];
  bytes_.clear();
  PutBigEndian(bytes_, applied_, 8);
  callbacks_.save(id, bytes_, batch);
  batch.Put(kFamilySlabs, SlabKey(id, shard_), bytes_);
  slab.saved = applied_;
  slab.first_waiting = 0;
  slab.marked = false;
  unwritten_.emplace_back(id, applied_);
}

void Checkpointer::Step(std::int64_t monotonic_ms, bool urgent, store::Batch& batch) {
  double earned = static_cast<double>(std::max<std::int64_t>(0, monotonic_ms - budget_at_ms_)) / 1000 * options_.cpu_share;
  if (budget_at_ms_ == 0) earned = 0;
  budget_at_ms_ = monotonic_ms;
  budget_seconds_ = std::min(budget_seconds_ + earned, 0.05);
  urgent |= applied_ - Covered() > options_.max_lag_records;
  if (!urgent && budget_seconds_ <= 0) return;
  double begun = ThreadCpuSeconds();
  std::size_t bytes_before = batch.bytes();
  while (batch.bytes() - bytes_before < options_.max_step_bytes) {
    bool young = !queue_.empty() && monotonic_ms - queue_.front().second < options_.min_age_ms;
    if ((young && !urgent) || !SaveNext(batch)) break;
    if (!urgent && ThreadCpuSeconds() - begun > budget_seconds_) break;
  }
  budget_seconds_ -= ThreadCpuSeconds() - begun;
}

void Checkpointer::SaveAll(store::Batch& batch) {
  while (SaveNext(batch)) {
  }
}

/// False when nothing waits.
bool Checkpointer::SaveNext(store::Batch& batch) {
  if (!queue_.empty()) {
    SlabId slab = queue_.front().first;
    queue_.pop_front();
    SaveSlab(slab, batch);
    return true;
  }
  while (!marked_.empty()) {
    SlabId slab = marked_.front();
    marked_.pop_front();
    if (!slabs_[slab].marked) continue;  // saved meanwhile
    SaveSlab(slab, batch);
    return true;
  }
  return false;
}

LogPosition Checkpointer::Covered() const {
  // The queue is in order of the first waiting record.
  return queue_.empty() ? applied_ : slabs_[queue_.front().first].first_waiting - 1;
}

void Checkpointer::Finish(store::Batch& batch) {
  LogPosition covered = Covered();
  if (covered == finished_) return;  // its row is in the store, or in this batch since a write that failed
  finished_ = covered;
  std::string value;
  PutBigEndian(value, finished_, 8);
  batch.Put(kFamilyMeta, AppliedKey(shard_), value);
}

void Checkpointer::Written() {
  for (auto [slab, position] : unwritten_) {
    if (slab < kSlabCount) in_store_[slab].store(position, std::memory_order_release);
  }
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
