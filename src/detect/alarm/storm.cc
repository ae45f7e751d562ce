#include "alarm/storm.h"

#include <algorithm>
#include <utility>

#include "alarm/violation_id.h"

namespace fleetward::detect {
namespace {

constexpr std::int64_t kQuietMs = 10'000;

std::int64_t SecondOf(std::int64_t ms) { return ms >= 0 ? ms / 1000 : (ms - 999) / 1000; }

}  // namespace

bool StormLimiter::Admit(std::uint32_t slab, const model::SecurityProfileName& profile,
                         const model::BehaviorName& behavior, Timestamp time) {
  if (options_.max_new_alarms_per_second == 0) return true;
  CountHeld(slab);
  Raise raise{position_, ToMillis(time), Key(profile.value(), behavior.value())};
  bool admitted = Count(raise.key, raise.time_ms);
  raises_[slab].push_back(std::move(raise));
  return admitted;
}

bool StormLimiter::Count(const Key& key, std::int64_t time_ms) {
  Entry& entry = entries_[key];
  std::int64_t second = SecondOf(time_ms);
  if (entry.second != second) {
    entry.second = second;
    entry.in_second = 0;
  }
  if (entry.in_second < options_.max_new_alarms_per_second) {
    ++entry.in_second;
    return true;
  }
  if (entry.count++ == 0) entry.started_ms = time_ms;
  entry.last_ms = time_ms;
  if (entry.count == 1) Tell(key, entry, false);
  return false;
}

void StormLimiter::CountHeld(std::uint32_t slab) {
  if (held_.empty()) return;
  auto order = [](const HeldRaise& a, const HeldRaise& b) {
    return std::pair(a.position, a.slab) > std::pair(b.position, b.slab);
  };
  // Stable over reversed input: alarms of one slab and position keep their order.
  if (!std::exchange(held_sorted_, true)) {
    std::reverse(held_.begin(), held_.end());
    std::stable_sort(held_.begin(), held_.end(), order);
  }
  while (!held_.empty() && std::pair(held_.back().position, held_.back().slab) < std::pair(position_, slab)) {
    HeldRaise raise = std::move(held_.back());
    held_.pop_back();
    Count(raise.key, raise.time_ms);
    raises_[raise.slab].push_back({raise.position, raise.time_ms, std::move(raise.key)});
  }
}

void StormLimiter::SaveRaises(std::uint32_t slab, ByteWriter& out) const {
  auto found = raises_.find(slab);
  out.Varint(found == raises_.end() ? 0 : found->second.size());
  if (found == raises_.end()) return;
  for (const Raise& raise : found->second) {
    out.Varint(raise.position);
    out.SignedVarint(raise.time_ms);
    out.Bytes(raise.key.first);
    out.Bytes(raise.key.second);
  }
}

bool StormLimiter::HoldRaises(std::uint32_t slab, std::uint64_t base, ByteReader& in) {
  for (std::uint64_t count = in.Varint(); count > 0 && in.ok(); --count) {
    HeldRaise raise;
    raise.position = in.Varint();
    raise.slab = slab;
    raise.time_ms = in.SignedVarint();
    raise.key.first = in.Bytes();
    raise.key.second = in.Bytes();
    if (in.ok() && raise.position > base) held_.push_back(std::move(raise));
  }
  held_sorted_ = false;
  return in.ok() && in.AtEnd();
}

void StormLimiter::Forget(std::uint64_t position) {
  for (auto at = raises_.begin(); at != raises_.end();) {
    std::deque<Raise>& raises = at->second;
    while (!raises.empty() && raises.front().position <= position) raises.pop_front();
    at = raises.empty() ? raises_.erase(at) : std::next(at);
  }
}

void StormLimiter::Tell(const Key& key, Entry& entry, bool ended) {
  entry.told = entry.count;
  StormUpdate update;
  update.id = MakeStormId(options_, key.first, key.second, entry.started_ms);
  update.profile = model::SecurityProfileName(key.first);
  update.behavior = model::BehaviorName(key.second);
  update.started = FromMillis(entry.started_ms);
  update.last = FromMillis(entry.last_ms);
  update.count = entry.count;
  update.ended = ended;
  update.reason = std::to_string(entry.count) + " further things violate " + key.second + " of " + key.first +
                  "; more than " + std::to_string(options_.max_new_alarms_per_second) +
                  " new alarms in a second are summed up";
  sink_.OnStorm(update);
}

void StormLimiter::OnWatermark(Timestamp time) {
  CountHeld(UINT32_MAX);
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    bool quiet = ToMillis(time) - (entry.count ? entry.last_ms : entry.second * 1000) > kQuietMs;
    if (entry.count && (quiet || entry.told != entry.count)) Tell(at->first, entry, quiet);
    at = quiet ? entries_.erase(at) : std::next(at);
  }
}

void StormLimiter::Save(ByteWriter& out) const {
  out.Varint(entries_.size());
  for (const auto& [key, entry] : entries_) {
    out.Bytes(key.first);
    out.Bytes(key.second);
    out.SignedVarint(entry.second);
    out.Varint(entry.in_second);
    out.Varint(entry.count);
    out.Varint(entry.told);
    out.SignedVarint(entry.started_ms);
    out.SignedVarint(entry.last_ms);
  }
}

bool StormLimiter::Load(ByteReader& in) {
  entries_.clear();
  std::uint64_t count = in.Varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string profile(in.Bytes());
    Key key(std::move(profile), std::string(in.Bytes()));
    Entry entry;
    entry.second = in.SignedVarint();
    entry.in_second = static_cast<std::uint32_t>(in.Varint());
    entry.count = in.Varint();
    entry.told = in.Varint();
    entry.started_ms = in.SignedVarint();
    entry.last_ms = in.SignedVarint();
    if (in.ok()) entries_[std::move(key)] = entry;
  }
  return in.ok();
}

}  // namespace fleetward::detect
