// What topics and subscriptions may be set to. Private; pure.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/notify/topics.h"

namespace fleetward::notify {

/// True for C0 controls and DEL: they could open a header in somebody's mail (threats.md t).
bool HasControl(std::string_view text);
bool IsTopicName(std::string_view name);
/// Errors: kInvalidArgument in the service's words.
Status CheckTopicAttribute(const std::string& name, const std::string& value);
/// Errors: kInvalidArgument, kLimitExceeded.
Status CheckTags(const Attributes& tags);
/// Checks one attribute and puts it into the subscription; an empty value takes a policy away. `topic_policy` is what a
/// delivery policy builds on. Errors: kInvalidArgument.
Status SetAttribute(Subscription& subscription, const std::string& name, const std::string& value,
                    const DeliveryPolicy& topic_policy);
/// FilterPolicy against FilterPolicyScope, once all attributes are set. Errors: kInvalidArgument.
Status CheckFilter(const Subscription& subscription);
/// The compiled filter, or nothing when there is none. Errors: kInvalidArgument.
Result<std::optional<FilterPolicy>> FilterOf(const Subscription& subscription);
/// The topic's delivery policy; the default when it has none.
TopicDeliveryPolicy DeliveryPolicyOf(const Topic& topic);

}  // namespace fleetward::notify
