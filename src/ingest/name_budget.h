// How many names that are no things one certificate may make the server know (threats.md g). One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "fleetward/model/names.h"

namespace fleetward::ingest {

/// Distinct names of each certificate within a day of event time (silent names are forgotten after two). What it holds
/// itself is bounded in all.
class NameBudget {
 public:
  static constexpr std::size_t kNamesPerCertificate = 1000;
  static constexpr std::size_t kNames = 200'000;
  static constexpr std::int64_t kDayMs = 86'400'000;

  /// Whether events of this unregistered name are taken from this certificate (raw SHA-256, or empty).
  bool Allows(std::string_view fingerprint, const model::EntityId& entity) {
    std::uint64_t hash = std::hash<model::EntityId>()(entity);
    auto found = names_.find(std::string(fingerprint));
    if (found != names_.end() && found->second.contains(hash)) return true;
    if (total_ >= kNames) return false;
    if (found == names_.end()) found = names_.try_emplace(std::string(fingerprint)).first;
    if (found->second.size() >= kNamesPerCertificate) return false;
    found->second.insert(hash);
    ++total_;
    return true;
  }

  void Renew(std::int64_t event_ms) {
    if (since_ms_ == 0 || event_ms < since_ms_) since_ms_ = event_ms;  // the clock was put back: the day starts there
    if (event_ms - since_ms_ < kDayMs) return;
    since_ms_ = event_ms;
    names_.clear();
    total_ = 0;
  }

 private:
  std::unordered_map<std::string, std::unordered_set<std::uint64_t>> names_;
  std::size_t total_ = 0;
  std::int64_t since_ms_ = 0;
};

}  // namespace fleetward::ingest
