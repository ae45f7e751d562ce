#include "testing/support.h"

#include "fleetward/model/json.h"

namespace fleetward::detect {

std::array<std::uint8_t, 32> MixDigest(std::string_view bytes) {
  std::array<std::uint8_t, 32> digest{};
  for (std::size_t block = 0; block < 4; ++block) {
    std::uint64_t x = 0xcbf29ce484222325ULL + block * 0x9e3779b97f4a7c15ULL;
    for (unsigned char c : bytes) x = (x ^ c) * 0x100000001b3ULL, x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ULL;
    for (std::size_t i = 0; i < 8; ++i) digest[block * 8 + i] = static_cast<std::uint8_t>(x >> (8 * i));
  }
  return digest;
}

void RecordingSink::OnViolation(const Decision& decision) {
  const model::ViolationEvent& e = decision.event;
  lines.push_back(std::string(model::ViolationEventTypeName(e.type)) + " " + e.thing_name.value() + " " +
                  e.profile.value() + "/" + e.behavior.name.value() + " " + Iso8601(e.time) + " " +
                  e.violation_id.Hex() + " " + model::ToJsonText(e.metric_value) + " " +
                  std::string(CauseName(decision.cause)) + " " + e.reason);
  decisions.push_back(decision);
  decisions.back().alert_targets = nullptr;
}

void RecordingSink::OnActiveUpdated(const ActiveUpdate& update) {
  lines.push_back("update " + update.profile->value() + "/" + update.behavior->value() + " " + Iso8601(update.time) +
                  " " + update.violation_id.Hex() + " " + model::ToJsonText(*update.value));
}

void RecordingSink::OnStorm(const StormUpdate& update) {
  lines.push_back("storm " + update.profile.value() + "/" + update.behavior.value() + " " + Iso8601(update.last) + " " +
                  update.id.Hex() + " " + std::to_string(update.count) + (update.ended ? " ended " : " ") +
                  update.reason);
  storms.push_back(update);
}

void RecordingSink::OnDigest(const WindowDigest& digest) {
  std::string names;
  for (const std::string& name : digest.names) names += " " + name;
  lines.push_back("digest " + digest.profile.value() + "/" + digest.behavior.name.value() + " " +
                  Iso8601(digest.window_end) + " " + digest.id.Hex() + " " + std::to_string(digest.raised) + " raised " +
                  std::to_string(digest.cleared) + " cleared" + names);
}

std::vector<WindowSummary> Exchange(std::span<Engine* const> engines) {
  std::vector<WindowSummary> parts;
  for (Engine* engine : engines) {
    for (WindowSummary& part : engine->PendingSummaries()) parts.push_back(std::move(part));
  }
  auto merged = MergeWindowSummaries(parts);
  if (!merged.ok()) return {};
  for (Engine* engine : engines) {
    for (const WindowSummary& summary : *merged) engine->OnWindowSummary(summary);
  }
  return std::move(*merged);
}

model::EntityId EntityOf(std::string_view name) {
  auto digest = MixDigest(name);
  return *Id128::FromBytes({reinterpret_cast<const char*>(digest.data()), 16});
}

std::unique_ptr<Engine> Restart(const Engine& engine, const Options& options, DecisionSink& sink) {
  auto fresh = std::make_unique<Engine>(options, sink);
  bool ok = fresh->LoadConfig(engine.SaveConfig()).ok() && fresh->LoadCursor(engine.SaveCursor()).ok();
  for (std::uint32_t slab = 0; slab < options.slab_count && ok; ++slab) {
    std::string bytes, again;
    engine.SaveSlab(slab, bytes);
    ok = fresh->LoadSlab(slab, bytes).ok();
    if (ok) fresh->SaveSlab(slab, again);
    ok = ok && bytes == again;
  }
  return ok ? std::move(fresh) : nullptr;
}

}  // namespace fleetward::detect
