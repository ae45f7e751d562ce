// For the module's tests and benchmark: a sink that writes decisions down as text, ids that need no crypto library.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/detect/engine.h"

namespace fleetward::detect {

/// Not SHA-256: a mixing function with its signature. The real one is injected where crypto is linked.
std::array<std::uint8_t, 32> MixDigest(std::string_view bytes);

/// One line per call, with every field.
class RecordingSink : public DecisionSink {
 public:
  void OnViolation(const Decision& decision) override;
  void OnActiveUpdated(const ActiveUpdate& update) override;
  void OnStorm(const StormUpdate& update) override;
  void OnDigest(const WindowDigest& digest) override;

  std::vector<std::string> lines;
  std::vector<Decision> decisions;   // alert_targets are not kept
  std::vector<StormUpdate> storms;
};

/// An id derived from a name.
model::EntityId EntityOf(std::string_view name);

/// What the log's owner does at the end of windows: merges what the engines have pending and gives it back. Returns it.
std::vector<WindowSummary> Exchange(std::span<Engine* const> engines);

/// Saves an engine, slab by slab, and restores it into a new one that writes to `sink`.
std::unique_ptr<Engine> Restart(const Engine& engine, const Options& options, DecisionSink& sink);

}  // namespace fleetward::detect
