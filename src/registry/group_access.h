// What static and dynamic thing groups share, and the rows that tell dynamic ones. Private.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "access.h"
#include "fleetward/registry/thing_groups.h"

namespace fleetward::registry {

/// Error: kVersionConflict.
Status CheckVersion(const ThingGroup& group, std::optional<std::int64_t> expected);
/// Stores what an update makes of a group of either kind, one version on. Errors: kVersionConflict, kInvalidArgument.
Result<ThingGroup> PutUpdated(Transaction& tx, const ThingGroup& before, const ThingGroupUpdate& update,
                              const Quotas& quotas);

std::string Encode(const DynamicQuery& query);
/// Error: kCorrupt.
Result<DynamicQuery> DecodeDynamicQuery(std::string_view record);

Result<std::optional<DynamicQuery>> FindDynamicQuery(ConstReader reader, std::string_view group);
/// Error: kInvalidArgument "… is a dynamic thing group: <why>".
Status RefuseDynamic(ConstReader reader, std::string_view group, std::string_view why);

/// Makes room for one more group: the thing leaves its youngest dynamic group that was made after `younger_than`. False when
/// there is none.
Result<bool> LeaveYoungestDynamicGroup(Transaction& tx, ChangeSet& changes, const Thing& thing,
                                       Timestamp younger_than);

}  // namespace fleetward::registry
