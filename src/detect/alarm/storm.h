// At most so many new alarms a second and behavior become events; the rest is one incident (D12).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "fleetward/base/encoding.h"
#include "fleetward/base/time.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/sink.h"

namespace fleetward::detect {

class StormLimiter {
 public:
  StormLimiter(const Options& options, DecisionSink& sink) : options_(options), sink_(sink) {}

  /// False: the alarm raised at `time` goes into a storm. Seconds are those of event time.
  bool Admit(const model::SecurityProfileName& profile, const model::BehaviorName& behavior, Timestamp time);
  /// Reports grown storms; ends those without a new alarm for 10 s, and forgets behaviors that are quiet.
  void OnWatermark(Timestamp time);

  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);

 private:
  struct Entry {
    std::int64_t second = 0;
    std::uint32_t in_second = 0;
    std::uint64_t count = 0;        // alarms in the storm; 0: none on
    std::uint64_t told = 0;
    std::int64_t started_ms = 0;
    std::int64_t last_ms = 0;
  };
  using Key = std::pair<std::string, std::string>;
  void Tell(const Key& key, Entry& entry, bool ended);

  const Options& options_;
  DecisionSink& sink_;
  std::map<Key, Entry> entries_;
};

}  // namespace fleetward::detect
