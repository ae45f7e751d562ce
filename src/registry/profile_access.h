// Typed access to security profiles, custom metrics and dimensions, and the links between them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access.h"
#include "fleetward/model/validate.h"

namespace fleetward::registry {

Result<std::optional<SecurityProfile>> FindSecurityProfile(ConstReader reader, std::string_view name);
Result<std::optional<CustomMetric>> FindCustomMetric(ConstReader reader, std::string_view name);
Result<std::optional<Dimension>> FindDimension(ConstReader reader, std::string_view name);
/// By name.
Result<std::vector<Dimension>> AllDimensions(ConstReader reader);

// The same, with kNotFound "The specified resource does not exist: …".
Result<SecurityProfile> GetSecurityProfile(ConstReader reader, std::string_view name);
Result<CustomMetric> GetCustomMetric(ConstReader reader, std::string_view name);
Result<Dimension> GetDimension(ConstReader reader, std::string_view name);

/// "all/things", "thinggroup/pumps": what follows the account in a target's ARN, and the key of its links.
std::string TargetKey(const model::ProfileTarget& target);
std::optional<model::ProfileTarget> ParseTargetKey(std::string_view key);
Result<std::vector<model::ProfileTarget>> TargetsOf(ConstReader reader, std::string_view profile);
/// Lets go of all profiles of a target and notes the changes.
Status DetachAllProfiles(Transaction& tx, ChangeSet& changes, std::string_view target_key);

/// Whether a behavior or a retained metric of the profile uses it.
bool UsesMetric(const SecurityProfile& profile, std::string_view metric);
bool UsesDimension(const SecurityProfile& profile, std::string_view dimension);
/// kInvalidArgument naming the profile when one `uses` it.
Status CheckUnused(ConstReader reader, std::string_view what, std::string_view name,
                   const std::function<bool(const SecurityProfile&)>& uses);

/// The rules under the quotas, with what is declared in `reader`, which must outlive them.
model::BehaviorRules RulesFor(ConstReader reader, const Quotas& quotas);

/// Tags as a resource of that ARN keeps them.
inline std::string ProfileResource(std::string_view name) { return "securityprofile/" + std::string(name); }
inline std::string CustomMetricResource(std::string_view name) { return "custommetric/" + std::string(name); }
inline std::string DimensionResource(std::string_view name) { return "dimension/" + std::string(name); }

}  // namespace fleetward::registry
