// At most so many new alarms a second and behavior become events; the rest is one incident (D12).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/base/time.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/sink.h"

namespace fleetward::detect {

/// Counts the alarms of all slabs together, although slabs are saved at different positions. So each alarm is also kept
/// with its slab: a replay that begins before a slab was saved counts the slab's alarms of that time where they stood.
class StormLimiter {
 public:
  StormLimiter(const Options& options, DecisionSink& sink) : options_(options), sink_(sink) {}

  /// Log position of the calls that follow.
  void SetPosition(std::uint64_t position) { position_ = position; }

  /// False: the alarm raised at `time` by a thing of `slab` goes into a storm. Seconds are those of event time.
  bool Admit(std::uint32_t slab, const model::SecurityProfileName& profile, const model::BehaviorName& behavior,
             Timestamp time);
  /// Reports grown storms; ends those without a new alarm for 10 s, and forgets behaviors that are quiet.
  void OnWatermark(Timestamp time);

  /// The slab's alarms behind the position given to Forget last.
  void SaveRaises(std::uint32_t slab, ByteWriter& out) const;
  /// Alarms of a slab that enters later; those up to `base` are counted already. Before any other call of the replay.
  bool HoldRaises(std::uint32_t slab, std::uint64_t base, ByteReader& in);
  /// No replay will begin before `position`.
  void Forget(std::uint64_t position);

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
  struct Raise {
    std::uint64_t position = 0;
    std::int64_t time_ms = 0;
    Key key;
  };
  struct HeldRaise {
    std::uint64_t position = 0;
    std::uint32_t slab = 0;
    std::int64_t time_ms = 0;
    Key key;
  };
  bool Count(const Key& key, std::int64_t time_ms);
  /// Counts the held alarms that came before the next one of `slab` at the present position.
  void CountHeld(std::uint32_t slab);
  void Tell(const Key& key, Entry& entry, bool ended);

  const Options& options_;
  DecisionSink& sink_;
  std::map<Key, Entry> entries_;
  std::map<std::uint32_t, std::deque<Raise>> raises_;   // by slab
  std::vector<HeldRaise> held_;                         // the next one last, once sorted
  bool held_sorted_ = true;
  std::uint64_t position_ = 0;
};

}  // namespace fleetward::detect
