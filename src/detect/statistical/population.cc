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

void ModelPart::Count(const ml::Summary& summary) {
  ++series;
  active += summary.status == ml::ModelStatus::kActive;
  expired += summary.status == ml::ModelStatus::kExpired;
  hundredths += static_cast<std::uint64_t>(summary.collected_percent * 100 + 0.5);
  if (summary.started_s) started_s = started_s == 0 ? *summary.started_s : std::min(started_s, *summary.started_s);
  if (summary.refreshed_s) refreshed_s = std::max(refreshed_s, *summary.refreshed_s);
}

void ModelPart::Merge(const ModelPart& other) {
  cohort.Merge(other.cohort);
  series += other.series;
  active += other.active;
  expired += other.expired;
  hundredths += other.hundredths;
  if (other.started_s != 0) started_s = started_s == 0 ? other.started_s : std::min(started_s, other.started_s);
  refreshed_s = std::max(refreshed_s, other.refreshed_s);
}

void ModelPart::Save(ByteWriter& out) const {
  for (std::uint32_t v : {cohort.members, cohort.above, cohort.below}) out.Varint(v);
  for (std::uint32_t bin : cohort.deviations) out.Varint(bin);
  for (std::uint64_t v : {series, active, expired, hundredths}) out.Varint(v);
  out.SignedVarint(started_s);
  out.SignedVarint(refreshed_s);
}

bool ModelPart::Load(ByteReader& in) {
  for (std::uint32_t* v : {&cohort.members, &cohort.above, &cohort.below}) *v = static_cast<std::uint32_t>(in.Varint());
  for (std::uint32_t& bin : cohort.deviations) bin = static_cast<std::uint32_t>(in.Varint());
  for (std::uint64_t* v : {&series, &active, &expired, &hundredths}) *v = in.Varint();
  started_s = in.SignedVarint();
  refreshed_s = in.SignedVarint();
  return in.ok();
}

void WindowPart::Save(ByteWriter& out) const {
  summary.Save(out);
  alarmed.Save(out);
  digest.Save(out);
  models.Save(out);
}

bool WindowPart::Load(ByteReader& in) {
  return summary.Load(in) && alarmed.Load(in) && digest.Load(in) && models.Load(in);
}

void Population::Save(ByteWriter& out) const {
  out.U8(threshold_end_ms != kNever);
  out.SignedVarint(threshold_end_ms != kNever ? threshold_end_ms : 0);
  threshold.Save(out);
  open_digest.Save(out);
  out.SignedVarint(peers.end_s);
  for (float share : {peers.members, peers.above, peers.below}) out.F64(share);
  for (float share : peers.deviations) out.F64(share);
  models.Save(out);
  out.Varint(closed.size());
  for (const auto& [end_ms, part] : closed) {
    out.SignedVarint(end_ms);
    part.Save(out);
  }
}

bool Population::Load(ByteReader& in) {
  bool known = in.U8() != 0;
  threshold_end_ms = in.SignedVarint();
  if (!known) threshold_end_ms = kNever;
  if (!threshold.Load(in) || !open_digest.Load(in)) return false;
  peers.end_s = in.SignedVarint();
  for (float* share : {&peers.members, &peers.above, &peers.below}) *share = static_cast<float>(in.F64());
  for (float& share : peers.deviations) share = static_cast<float>(in.F64());
  if (!models.Load(in)) return false;
  closed.clear();
  for (std::uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    std::int64_t end_ms = in.SignedVarint();
    WindowPart& part = closed[end_ms];
    if (!part.Load(in)) return false;
  }
  return in.ok();
}

Result<std::vector<WindowSummary>> MergeWindowSummaries(std::span<const WindowSummary> parts) {
  std::map<std::pair<std::int64_t, PopulationKey>, WindowPart> merged;
  for (const WindowSummary& part : parts) {
    ByteReader in(part.bytes);
    WindowPart window;
    if (!window.Load(in) || !in.AtEnd()) {
      return Error(Code::kCorrupt, "the summary of a window makes no sense");
    }
    auto [at, added] = merged.try_emplace({part.end_ms, part.population}, window);
    if (added) continue;
    at->second.summary.Merge(window.summary);
    at->second.alarmed.Merge(window.alarmed);
    at->second.digest.Merge(window.digest);
    at->second.models.Merge(window.models);
  }
  std::vector<WindowSummary> all;
  for (const auto& [key, window] : merged) {
    WindowSummary summary{key.second, key.first, {}};
    ByteWriter out(summary.bytes);
    window.Save(out);
    all.push_back(std::move(summary));
  }
  return all;
}

bool NeedsExchange(const model::SecurityProfile& profile) {
  return std::any_of(profile.behaviors.begin(), profile.behaviors.end(), [](const model::Behavior& behavior) {
    return behavior.criteria && (behavior.criteria->statistic || behavior.criteria->ml_confidence);
  });
}

}  // namespace fleetward::detect
