// MQTT topics and topic filters: validation and matching (MQTT 3.1.1 §4.7, core.md §3 and §7).
#pragma once

#include <cstddef>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::policy {

struct TopicLimits {
  std::size_t max_bytes = 256;   // D43
  std::size_t max_slashes = 7;   // 0: no limit. The slashes of $share/{name}/ and $aws/rules/{rule}/ do not count
};

/// How `a/#` relates to `a` itself.
enum class HashRule {
  kStandard,  // MQTT: `sensor/#` matches `sensor`
  kAws,       // AWS: it does not (core.md §7)
};

/// A topic one can publish to: 1 to max_bytes bytes of UTF-8 without NUL, `+` or `#`. Error: kInvalidArgument.
Status ValidateTopic(std::string_view topic, const TopicLimits& limits = {});

/// A filter one can subscribe to: `+` and `#` fill a whole level, `#` only the last. `$share/{name}/{filter}` needs
/// a name of 1-128 bytes without `+`, `#`, and a filter. Error: kInvalidArgument.
Status ValidateTopicFilter(std::string_view filter, const TopicLimits& limits = {});

/// `$share/{name}/a/#` gives `a/#`; anything else is returned as it is (D31).
std::string_view StripShare(std::string_view filter);

/// True when a valid `filter` matches a valid `topic`. A wildcard on the first level matches no topic that begins
/// with `$`. Linear in the topic's length; never allocates. Used for TOPIC_FILTER dimensions as well.
bool TopicMatches(std::string_view filter, std::string_view topic, HashRule rule = HashRule::kAws);

}  // namespace fleetward::policy
