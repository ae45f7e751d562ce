// How far event time has come: the least clock of the live edges (D2).
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "fleetward/bus/frame_listener.h"

namespace fleetward::ingest {

/// Reads no clock; all times are milliseconds. One thread.
class Watermark {
 public:
  static constexpr std::int64_t kSilentMs = 5000;  // D2

  // Clocks of one machine are at most a second apart (plugins tell steps over a second), and who is behind by less than
  // this has caught up before anybody misses anything.
  static constexpr std::int64_t kPutBackMs = 10'000;

  /// `last_ms`: where the log ended; 0: it is new.
  void Start(std::int64_t last_ms) { ms_ = last_ms; }
  std::int64_t ms() const { return ms_; }

  /// A plugin that was not heard of before is about to join, with its clock at `clock_ms`. If that is well behind, and no
  /// other edge is live to know better, the wall clock was put back while no plugin saw it: the watermark goes there.
  /// The step in milliseconds, below 0; nothing if there was none.
  std::optional<std::int64_t> PutBack(std::int64_t clock_ms);
  /// Its clock is not known yet, which holds the watermark back: frames of before may follow, and they are not late.
  void Join(bus::EdgeConnection edge) { edges_.insert_or_assign(edge, Edge{}); }
  void Leave(bus::EdgeConnection edge) { edges_.erase(edge); }
  /// A frame came. `clock_ms` of a Clock frame, else 0; `step_ms` by which its wall clock was moved before.
  void Hear(bus::EdgeConnection edge, std::int64_t clock_ms, std::int64_t step_ms);

  /// After each round: how long it waited for frames, and the server's own wall clock. The new watermark, if it moved.
  std::optional<std::int64_t> Advance(std::int64_t waited_ms, std::int64_t now_ms);

 private:
  struct Edge {
    std::int64_t clock_ms = 0;
    std::int64_t silent_ms = 0;  // spent waiting, not wall time: a stopped server must not call edges silent
  };

  std::map<bus::EdgeConnection, Edge> edges_;
  std::int64_t ms_ = 0;
  std::int64_t without_edge_ms_ = 0;
};

}  // namespace fleetward::ingest
