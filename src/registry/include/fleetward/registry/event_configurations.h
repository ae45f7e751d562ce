// Which registry events are published (core.md §7): off until somebody switches them on.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"

namespace fleetward::registry {

/// In the order of the API's enumeration. Values are stored: never change them.
enum class EventKind : std::uint8_t {
  kThing = 0, kThingGroup, kThingType, kThingGroupMembership, kThingGroupHierarchy, kThingTypeAssociation, kJob,
  kJobExecution, kPolicy, kCertificate, kCaCertificate,
};
inline constexpr std::array<std::string_view, 11> kEventKindNames = {
    "THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY", "THING_TYPE_ASSOCIATION",
    "JOB", "JOB_EXECUTION", "POLICY", "CERTIFICATE", "CA_CERTIFICATE"};
std::optional<EventKind> ParseEventKind(std::string_view name);

struct EventConfiguration {
  std::uint32_t enabled = 0;  // bit 1 << kind
  std::optional<Timestamp> created{};
  std::optional<Timestamp> modified{};

  bool Enabled(EventKind kind) const { return (enabled >> static_cast<unsigned>(kind) & 1) != 0; }
};

struct EventSwitch {
  EventKind kind{};
  bool enabled = false;
};

class EventConfigurations {
 public:
  explicit EventConfigurations(const Context& context) : context_(context) {}

  Result<EventConfiguration> Describe() const;
  /// Kinds that are not named stay as they are. In force, for changes made afterwards, when the call returns.
  Status Update(std::string_view actor, const std::vector<EventSwitch>& switches);

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
