#include "statistical/population.h"

#include <algorithm>
#include <iterator>

namespace fleetward::detect {

void DigestPart::Raise(std::string_view name) {
  ++raised;
  names.emplace(name);
  if (names.size() > kNames) names.erase(std::prev(names.end()));
}

void DigestPart::Merge(const DigestPart& other) {
  raised += other.raised;
  cleared += other.cleared;
  names.insert(other.names.begin(), other.names.end());
  while (names.size() > kNames) names.erase(std::prev(names.end()));
}

void DigestPart::Save(ByteWriter& out) const {
  out.Varint(raised);
  out.Varint(cleared);
  out.Varint(names.size());
  for (const std::string& name : names) out.Bytes(name);
}

bool DigestPart::Load(ByteReader& in) {
  raised = in.Varint();
  cleared = in.Varint();
  names.clear();
  for (std::uint64_t n = in.Varint(); n > 0 && in.ok(); --n) names.emplace(in.Bytes());
  return in.ok() && names.size() <= kNames;
}

void Population::Save(ByteWriter& out) const {
  out.U8(threshold_end_ms != kNever);
  out.SignedVarint(threshold_end_ms != kNever ? threshold_end_ms : 0);
  threshold.Save(out);
  open_digest.Save(out);
  out.Varint(closed.size());
  for (const auto& [end_ms, part] : closed) {
    out.SignedVarint(end_ms);
    part.summary.Save(out);
    part.digest.Save(out);
  }
}

bool Population::Load(ByteReader& in) {
  bool known = in.U8() != 0;
  threshold_end_ms = in.SignedVarint();
  if (!known) threshold_end_ms = kNever;
  if (!threshold.Load(in) || !open_digest.Load(in)) return false;
  closed.clear();
  for (std::uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    std::int64_t end_ms = in.SignedVarint();
    WindowPart& part = closed[end_ms];
    if (!part.summary.Load(in) || !part.digest.Load(in)) return false;
  }
  return in.ok();
}

Result<std::vector<WindowSummary>> MergeWindowSummaries(std::span<const WindowSummary> parts) {
  std::map<std::pair<std::int64_t, PopulationKey>, WindowPart> merged;
  for (const WindowSummary& part : parts) {
    ByteReader in(part.bytes);
    WindowPart window;
    if (!window.summary.Load(in) || !window.digest.Load(in) || !in.AtEnd()) {
      return Error(Code::kCorrupt, "the summary of a window makes no sense");
    }
    auto [at, added] = merged.try_emplace({part.end_ms, part.population}, window);
    if (added) continue;
    at->second.summary.Merge(window.summary);
    at->second.digest.Merge(window.digest);
  }
  std::vector<WindowSummary> all;
  for (const auto& [key, window] : merged) {
    WindowSummary summary{key.second, key.first, {}};
    ByteWriter out(summary.bytes);
    window.summary.Save(out);
    window.digest.Save(out);
    all.push_back(std::move(summary));
  }
  return all;
}

bool IsStatistical(const model::SecurityProfile& profile) {
  return std::any_of(profile.behaviors.begin(), profile.behaviors.end(), [](const model::Behavior& behavior) {
    return behavior.criteria && behavior.criteria->statistic;
  });
}

}  // namespace fleetward::detect
