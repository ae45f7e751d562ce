// From a violation event to the alert that a person or program gets (reference: detect.md §5).
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"
#include "fleetward/model/violation.h"
#include "fleetward/notify/topics.h"

namespace fleetward::notify {

/// The alert's JSON, without spaces, members in the service's order.
std::string AlertMessage(const model::ViolationEvent& event, model::VerificationState verification);

/// Derived from the violation and the kind of event, so that a replay names the same message (D10).
Id128 AlertMessageId(const model::ViolationEvent& event);

/// Publishes an event's alert to its profile's SNS target. Suppressed behaviors publish nothing. A target that does
/// not exist is logged and counted, not an error: the service loses such a message silently (detect.md §5).
/// Errors: kUnavailable, when the alert could not be stored; call again.
Status PublishAlert(TopicService& topics, const model::ViolationEvent& event, model::VerificationState verification,
                    std::string_view topic_arn);

}  // namespace fleetward::notify
