#include <algorithm>
#include <cmath>

#include "fleetward/detect/ml.h"
#include "ml/model.h"
#include "ml/parameters.h"

namespace fleetward::detect::ml {

float PeersKept(std::int64_t elapsed_s) {
  constexpr float kMemorySeconds = 7200;
  return std::exp(-static_cast<float>(std::clamp<std::int64_t>(elapsed_s, 0, 86400)) / kMemorySeconds);
}

void CohortWindow::Add(const Series& series) {
  Model model = Read(series);
  if (model.version == 0) return;
  ++members;
  above += model.far > 0;
  below += model.far < 0;
  ++deviations[std::min<std::size_t>(model.deviation_bin, kBins - 1)];
}

void CohortWindow::Merge(const CohortWindow& other) {
  members += other.members;
  above += other.above;
  below += other.below;
  for (std::size_t i = 0; i < deviations.size(); ++i) deviations[i] += other.deviations[i];
}

void CohortState::Close(const CohortWindow& window, std::int64_t closed_s) {
  constexpr float kWeeks = 14 * 86400;
  std::int64_t elapsed = end_s == 0 ? 86400 : closed_s - end_s;
  float kept = PeersKept(elapsed);
  float old = std::exp(-static_cast<float>(std::clamp<std::int64_t>(elapsed, 0, 86400)) / kWeeks);
  end_s = closed_s;
  members = members * kept + static_cast<float>(window.members);
  above = above * kept + static_cast<float>(window.above);
  below = below * kept + static_cast<float>(window.below);
  for (std::size_t i = 0; i < deviations.size(); ++i) {
    deviations[i] = deviations[i] * old + static_cast<float>(window.deviations[i]);
  }
}

}  // namespace fleetward::detect::ml
