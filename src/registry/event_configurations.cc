#include "fleetward/registry/event_configurations.h"

#include <algorithm>

#include "access.h"
#include "lookup.h"
#include "record_form.h"

namespace fleetward::registry {
namespace {

constexpr std::string_view kKey = "events";

Result<EventConfiguration> Stored(ConstReader reader) {
  FW_ASSIGN(auto found, Find<EventConfiguration>(reader, kAccountSettings, kKey, [](std::string_view row) {
              RecordReader in(row);
              EventConfiguration configuration;
              configuration.enabled = in.U32();
              configuration.created = in.Time();
              configuration.modified = in.Time();
              return in.Finish(std::move(configuration), "event configuration");
            }));
  return found.value_or(EventConfiguration{});
}

}  // namespace

std::optional<EventKind> ParseEventKind(std::string_view name) {
  const auto* found = std::find(kEventKindNames.begin(), kEventKindNames.end(), name);
  if (found == kEventKindNames.end()) return std::nullopt;
  return static_cast<EventKind>(found - kEventKindNames.begin());
}

Result<EventConfiguration> EventConfigurations::Describe() const {
  return store::ReadFor<EventConfiguration>(context_.store, [](ConstReader reader) { return Stored(reader); });
}

Status EventConfigurations::Update(std::string_view actor, const std::vector<EventSwitch>& switches) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(EventConfiguration now, Stored(tx));
    for (const EventSwitch& each : switches) {
      std::uint32_t bit = 1U << static_cast<unsigned>(each.kind);
      now.enabled = each.enabled ? now.enabled | bit : now.enabled & ~bit;
    }
    now.modified = context_.clock.Now();
    if (!now.created) now.created = now.modified;
    std::string record;
    RecordWriter out(record);
    out.U32(now.enabled);
    out.Time(*now.created);
    out.Time(*now.modified);
    changes.Add(EventConfigurationChanged{now.enabled});
    return tx.Put(kAccountSettings, kKey, record);
  });
}

}  // namespace fleetward::registry
