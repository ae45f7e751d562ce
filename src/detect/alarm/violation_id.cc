#include "alarm/violation_id.h"

#include <string>

#include "fleetward/base/encoding.h"

namespace fleetward::detect {
namespace {

Id128 FirstHalf(const Options& options, std::string_view bytes) {
  auto digest = options.sha256(bytes);
  auto half = Id128::FromBytes(std::string_view(reinterpret_cast<const char*>(digest.data()), 16));
  return half.value_or(Id128());
}

}  // namespace

Id128 MakeViolationId(const Options& options, const model::EntityId& thing, std::string_view profile,
                      std::string_view behavior, std::int64_t definition_version, std::int64_t first_violation_ms) {
  std::string bytes;
  ByteWriter out(bytes);
  out.Raw("fleetward.violation.1");
  out.Bytes(options.account.value());
  out.Bytes(profile);
  out.Bytes(behavior);
  out.Raw(thing.Bytes());
  out.U64(static_cast<std::uint64_t>(definition_version));
  out.U64(static_cast<std::uint64_t>(first_violation_ms));
  return FirstHalf(options, bytes);
}

Id128 MakeStormId(const Options& options, std::string_view profile, std::string_view behavior,
                  std::int64_t started_ms) {
  std::string bytes;
  ByteWriter out(bytes);
  out.Raw("fleetward.storm.1");
  out.Bytes(options.account.value());
  out.Bytes(profile);
  out.Bytes(behavior);
  out.U64(static_cast<std::uint64_t>(started_ms));
  return FirstHalf(options, bytes);
}

Id128 MakeDigestId(const Options& options, const PopulationKey& population, std::int64_t window_end_ms) {
  std::string bytes;
  ByteWriter out(bytes);
  out.Raw("fleetward.digest.1");
  out.Bytes(options.account.value());
  out.Bytes(population.profile);
  out.Bytes(population.behavior);
  out.U64(static_cast<std::uint64_t>(population.definition_version));
  out.U8(static_cast<std::uint8_t>(population.target.kind));
  out.Bytes(population.target.group.value());
  out.U64(static_cast<std::uint64_t>(window_end_ms));
  return FirstHalf(options, bytes);
}

}  // namespace fleetward::detect
