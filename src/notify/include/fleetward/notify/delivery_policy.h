// How often and when a failed delivery to an http(s) endpoint is tried again (DeliveryPolicy; source: the service's
// developer guide, "Message delivery retries"). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"

namespace fleetward::notify {

enum class Backoff : std::uint8_t { kLinear, kArithmetic, kGeometric, kExponential };

struct DeliveryPolicy {
  int min_delay_seconds = 20;      // minDelayTarget
  int max_delay_seconds = 20;      // maxDelayTarget
  int retries = 3;                 // numRetries: all phases together
  int no_delay_retries = 0;        // numNoDelayRetries: the first phase, at once
  int min_delay_retries = 0;       // numMinDelayRetries: then, the minimum apart
  int max_delay_retries = 0;       // numMaxDelayRetries: the last phase, the maximum apart
  Backoff backoff = Backoff::kLinear;
  int max_receives_per_second = 0; // 0: as fast as it goes
  bool operator==(const DeliveryPolicy&) const = default;
};

/// The wait before retry `retry` (0 is the first); nothing when the policy is exhausted.
std::optional<Millis> RetryDelay(const DeliveryPolicy& policy, int retry);

/// A topic's policy: {"http": {"defaultHealthyRetryPolicy": …, "disableSubscriptionOverrides": …,
/// "defaultThrottlePolicy": …, "defaultRequestPolicy": …}}.
struct TopicDeliveryPolicy {
  DeliveryPolicy policy;
  bool disable_overrides = false;
};

/// Errors: kInvalidArgument (unknown members, bounds, more than 3,600 s of waiting in all).
Result<TopicDeliveryPolicy> ParseTopicDeliveryPolicy(std::string_view json);
/// {"healthyRetryPolicy": …, "throttlePolicy": …, "requestPolicy": …}; what it does not name is taken from `base`.
Result<DeliveryPolicy> ParseSubscriptionDeliveryPolicy(std::string_view json, const DeliveryPolicy& base);

/// Texts of EffectiveDeliveryPolicy.
std::string TopicDeliveryPolicyJson(const TopicDeliveryPolicy& policy);
std::string SubscriptionDeliveryPolicyJson(const DeliveryPolicy& policy);

}  // namespace fleetward::notify
