#include "watermark.h"

#include <algorithm>
#include <utility>

namespace fleetward::ingest {

std::optional<std::int64_t> Watermark::PutBack(std::int64_t clock_ms) {
  bool live = std::any_of(edges_.begin(), edges_.end(),
                          [](const auto& edge) { return edge.second.silent_ms < kSilentMs; });
  if (live || clock_ms > ms_ - kPutBackMs) return std::nullopt;
  return clock_ms - std::exchange(ms_, clock_ms);
}

void Watermark::Hear(bus::EdgeConnection edge, std::int64_t clock_ms, std::int64_t step_ms) {
  Edge& heard = edges_[edge];
  heard.silent_ms = 0;
  if (clock_ms != 0) heard.clock_ms = clock_ms;
  ms_ += step_ms;
}

std::optional<std::int64_t> Watermark::Advance(std::int64_t waited_ms, std::int64_t now_ms) {
  std::int64_t least = 0;
  bool live = false;
  for (auto& [connection, edge] : edges_) {
    edge.silent_ms += waited_ms;
    if (edge.silent_ms >= kSilentMs) continue;
    least = live ? std::min(least, edge.clock_ms) : edge.clock_ms;
    live = true;
  }
  without_edge_ms_ = live ? 0 : without_edge_ms_ + waited_ms;
  if (!live) {  // for a while, the server's own clock, each second
    if (without_edge_ms_ < kSilentMs || now_ms < ms_ + 1000) return std::nullopt;
    least = now_ms;
  }
  if (least <= ms_) return std::nullopt;
  ms_ = least;
  return least;
}

}  // namespace fleetward::ingest
