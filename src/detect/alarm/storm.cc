#include "alarm/storm.h"

#include "alarm/violation_id.h"

namespace fleetward::detect {
namespace {

constexpr std::int64_t kQuietMs = 10'000;

std::int64_t SecondOf(std::int64_t ms) { return ms >= 0 ? ms / 1000 : (ms - 999) / 1000; }

}  // namespace

bool StormLimiter::Admit(const model::SecurityProfileName& profile, const model::BehaviorName& behavior,
                         Timestamp time) {
  if (options_.max_new_alarms_per_second == 0) return true;
  Key key(profile.value(), behavior.value());
  Entry& entry = entries_[key];
  std::int64_t second = SecondOf(ToMillis(time));
  if (entry.second != second) {
    entry.second = second;
    entry.in_second = 0;
  }
  if (entry.in_second < options_.max_new_alarms_per_second) {
    ++entry.in_second;
    return true;
  }
  if (entry.count++ == 0) entry.started_ms = ToMillis(time);
  entry.last_ms = ToMillis(time);
  if (entry.count == 1) Tell(key, entry, false);
  return false;
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
