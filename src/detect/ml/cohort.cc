#include <algorithm>
#include <cmath>

#include "fleetward/detect/ml.h"
#include "ml/model.h"

namespace fleetward::detect::ml {
namespace {

constexpr float kMemorySeconds = 7200;

}  // namespace

void CohortWindow::Add(const Series& series) {
  Model model = Read(series);
  if (model.version == 0) return;
  ++members;
  ++bins[std::min<std::size_t>(model.surprise_bin, kBins - 1)];
}

void CohortWindow::Merge(const CohortWindow& other) {
  members += other.members;
  for (std::size_t i = 0; i < bins.size(); ++i) bins[i] += other.bins[i];
}

void CohortState::Close(const CohortWindow& window, std::int64_t closed_s) {
  float elapsed = static_cast<float>(std::clamp<std::int64_t>(closed_s - end_s, 0, 86400));
  float kept = end_s == 0 ? 0 : std::exp(-elapsed / kMemorySeconds);
  end_s = closed_s;
  members = members * kept + static_cast<float>(window.members);
  for (std::size_t i = 0; i < recent.size(); ++i) recent[i] = recent[i] * kept + static_cast<float>(window.bins[i]);
}

}  // namespace fleetward::detect::ml
