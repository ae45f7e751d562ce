#include "fleetward/telemetry/layout.h"

namespace fleetward::telemetry {

std::vector<store::FamilySpec> TelemetryFamilies() {
  using store::FamilyUse;
  constexpr std::size_t kDay = 4;  // days expire one by one
  return {{"hours", FamilyUse::kArrivals},
          {"days", FamilyUse::kBlocks, kDay},
          {"events", FamilyUse::kRows},
          {"connections", FamilyUse::kArrivals, kDay},
          {"slabs", FamilyUse::kSlabs},
          {"meta", FamilyUse::kRows},
          {"long", FamilyUse::kBlocks, kDay}};
}

SlabId SlabOf(const model::EntityId& entity) {
  std::uint64_t x = entity.high * 0x9e3779b97f4a7c15ULL ^ entity.low;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9ULL;
  return static_cast<SlabId>((x ^ (x >> 29)) % kSlabCount);
}

}  // namespace fleetward::telemetry
