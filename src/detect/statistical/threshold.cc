#include "statistical/threshold.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fleetward::detect {
namespace {

constexpr std::array<std::pair<std::string_view, std::int32_t>, 11> kPercentiles = {{
    {"p0", 0}, {"p0.01", 1}, {"p0.1", 10}, {"p1", 100}, {"p10", 1000}, {"p50", 5000}, {"p90", 9000},
    {"p99", 9900}, {"p99.9", 9990}, {"p99.99", 9999}, {"p100", 10000},
}};

/// Nearest rank, 1 to n: the least value that at least this share of n values does not exceed.
std::uint64_t RankOf(std::uint64_t n, std::int32_t percentile) {
  // Without a product of the two, which could overflow for huge n.
  auto p = static_cast<std::uint64_t>(percentile);
  std::uint64_t rank = n / 10000 * p + (n % 10000 * p + 9999) / 10000;
  return std::clamp<std::uint64_t>(rank, 1, std::max<std::uint64_t>(n, 1));
}

const Summary::Bucket& At(const std::vector<Summary::Bucket>& sorted, std::uint64_t rank) {
  for (const Summary::Bucket& bucket : sorted) {
    if (rank <= bucket.count) return bucket;
    rank -= bucket.count;
  }
  return sorted.back();
}

}  // namespace

std::optional<std::int32_t> ParsePercentile(std::string_view statistic) {
  for (const auto& [name, value] : kPercentiles) {
    if (name == statistic) return value;
  }
  return std::nullopt;
}

Threshold::Threshold(const Summary& all, const Summary& alarmed, std::int32_t percentile, bool upper)
    : count_(all.count()), alarmed_(std::min(alarmed.count(), all.count())), negatives_(all.negatives()) {
  if (count_ == 0) return;
  auto value = [&](const Summary::Bucket& bucket) { return upper ? bucket.greatest : bucket.least; };
  std::vector<Summary::Bucket> sorted = all.Sorted();
  all_ = value(At(sorted, RankOf(count_, percentile)));
  if (count_ >= 2) {
    std::uint64_t rank = RankOf(count_ - 1, percentile);
    below_ = value(At(sorted, rank));
    split_ = At(sorted, rank).greatest;
    above_ = value(At(sorted, rank + 1));
  }
  if (alarmed_ > 0) {
    Summary calm = all;
    calm.Subtract(alarmed);
    sorted = calm.Sorted();
  }
  const std::uint64_t calm = count_ - alarmed_;
  if (calm == 0) return;
  // `of` others, of whom `beyond` are in alarm and `among` are not.
  auto rank_of = [&](std::uint64_t of, std::uint64_t beyond, std::uint64_t among) {
    std::uint64_t rank = RankOf(of, percentile);
    if (!upper) rank = rank > beyond ? rank - beyond : 1;
    return std::clamp<std::uint64_t>(rank, 1, among);
  };
  calm_ = value(At(sorted, rank_of(count_, alarmed_, calm)));
  if (alarmed_ > 0) calm_beside_ = value(At(sorted, rank_of(count_ - 1, alarmed_ - 1, calm)));
  if (calm < 2) return;
  std::uint64_t rank = rank_of(count_ - 1, alarmed_, calm - 1);
  calm_below_ = value(At(sorted, rank));
  calm_split_ = At(sorted, rank).greatest;
  calm_above_ = value(At(sorted, rank + 1));
}

void Threshold::Save(ByteWriter& out) const {
  for (std::uint64_t v : {count_, alarmed_, negatives_, all_, below_, above_, split_, calm_, calm_beside_, calm_below_,
                          calm_above_, calm_split_}) {
    out.Varint(v);
  }
}

bool Threshold::Load(ByteReader& in) {
  for (std::uint64_t* v : {&count_, &alarmed_, &negatives_, &all_, &below_, &above_, &split_, &calm_, &calm_beside_,
                           &calm_below_, &calm_above_, &calm_split_}) {
    *v = in.Varint();
  }
  return in.ok();
}

}  // namespace fleetward::detect
