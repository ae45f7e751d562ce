// From a violation event to the alert that a person or program gets (reference: detect.md §5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"
#include "fleetward/model/violation.h"
#include "fleetward/notify/topics.h"

namespace fleetward::notify {

/// The alert's JSON, without spaces, members in the service's order.
std::string AlertMessage(const model::ViolationEvent& event, model::VerificationState verification);

/// Derived from the violation and the kind of event, so that a replay names the same message (D10).
Id128 AlertMessageId(const model::ViolationEvent& event);

/// The message for an event's profile target; nothing when the behavior's alerts are suppressed. A topic that does not
/// exist loses the message silently, as at the service (detect.md §5).
std::optional<Publication> AlertFor(const model::ViolationEvent& event, model::VerificationState verification,
                                    std::string_view topic_arn);

/// One alert for all things whose alarm of a behavior began or ended in a window, instead of one for each.
struct Digest {
  Id128 id;
  std::string profile;
  model::Behavior behavior;
  Timestamp window_end{};
  std::uint64_t raised = 0;
  std::uint64_t cleared = 0;
  std::vector<std::string> names;   // of raised ones, the first few by name
};
std::optional<Publication> AlertFor(const Digest& digest, std::string_view topic_arn);

}  // namespace fleetward::notify
