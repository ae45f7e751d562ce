#include "fleetward/notify/delivery_policy.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace fleetward::notify {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kMaxRetries = 100;
constexpr int kMaxDelay = 3600;
constexpr std::int64_t kMaxTotalSeconds = 3600;
constexpr std::size_t kMaxPolicyBytes = 16 * 1024;
constexpr std::string_view kBackoffNames[] = {"linear", "arithmetic", "geometric", "exponential"};

Error Bad(std::string why) { return Error(Code::kInvalidArgument, "DeliveryPolicy: " + std::move(why)); }

Status ReadInt(const json& object, const char* name, int low, int high, int& out) {
  auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_number_integer()) return Bad(std::string(name) + " must be an integer");
  // A number beyond 64 bits is stored unsigned; as signed it is out of bounds as well.
  auto value = found->get<std::int64_t>();
  if (value < low || value > high) {
    return Bad(std::string(name) + " must be from " + std::to_string(low) + " to " + std::to_string(high));
  }
  out = static_cast<int>(value);
  return {};
}

Status OnlyMembers(const json& object, std::string_view where, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Bad(std::string(where) + " must be an object");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Bad("Unexpected JSON member: " + name.substr(0, 64));
    }
  }
  return {};
}

Status ReadRetryPolicy(const json& object, DeliveryPolicy& policy) {
  FW_TRY(OnlyMembers(object, "the retry policy",
                     {"minDelayTarget", "maxDelayTarget", "numRetries", "numNoDelayRetries", "numMinDelayRetries",
                      "numMaxDelayRetries", "backoffFunction"}));
  FW_TRY(ReadInt(object, "minDelayTarget", 1, kMaxDelay, policy.min_delay_seconds));
  FW_TRY(ReadInt(object, "maxDelayTarget", 1, kMaxDelay, policy.max_delay_seconds));
  FW_TRY(ReadInt(object, "numRetries", 0, kMaxRetries, policy.retries));
  FW_TRY(ReadInt(object, "numNoDelayRetries", 0, kMaxRetries, policy.no_delay_retries));
  FW_TRY(ReadInt(object, "numMinDelayRetries", 0, kMaxRetries, policy.min_delay_retries));
  FW_TRY(ReadInt(object, "numMaxDelayRetries", 0, kMaxRetries, policy.max_delay_retries));
  auto function = object.find("backoffFunction");
  if (function == object.end()) return {};
  for (std::size_t i = 0; i < std::size(kBackoffNames); ++i) {
    if (*function == kBackoffNames[i]) {
      policy.backoff = static_cast<Backoff>(i);
      return {};
    }
  }
  return Bad("backoffFunction must be linear, arithmetic, geometric or exponential");
}

Status ReadThrottle(const json& object, DeliveryPolicy& policy) {
  FW_TRY(OnlyMembers(object, "the throttle policy", {"maxReceivesPerSecond"}));
  return ReadInt(object, "maxReceivesPerSecond", 1, 1000000, policy.max_receives_per_second);
}

// The one thing a request policy can set is the content type, which is fixed here: the service's own default.
Status CheckRequestPolicy(const json& object) {
  FW_TRY(OnlyMembers(object, "the request policy", {"headerContentType"}));
  auto type = object.find("headerContentType");
  if (type == object.end() || *type == "text/plain; charset=UTF-8" || *type == "text/plain") return {};
  return Bad("headerContentType other than text/plain is not offered");
}

Status CheckWhole(const DeliveryPolicy& policy) {
  if (policy.min_delay_seconds > policy.max_delay_seconds) return Bad("maxDelayTarget must not be below minDelayTarget");
  if (policy.no_delay_retries + policy.min_delay_retries + policy.max_delay_retries > policy.retries) {
    return Bad("numRetries must be at least the sum of the phases' retries");
  }
  std::int64_t total = 0;
  for (int retry = 0; retry < policy.retries; ++retry) total += RetryDelay(policy, retry)->count();
  if (total > kMaxTotalSeconds * 1000) return Bad("all retries together must end within 3600 seconds");
  return {};
}

Result<json> ParseObject(std::string_view text) {
  json parsed = text.size() <= kMaxPolicyBytes ? json::parse(text, nullptr, false) : json();
  if (!parsed.is_object()) return Bad("must be a JSON object");
  return parsed;
}

ordered_json RetryJson(const DeliveryPolicy& p) {
  return {{"minDelayTarget", p.min_delay_seconds},       {"maxDelayTarget", p.max_delay_seconds},
          {"numRetries", p.retries},                     {"numMaxDelayRetries", p.max_delay_retries},
          {"numNoDelayRetries", p.no_delay_retries},     {"numMinDelayRetries", p.min_delay_retries},
          {"backoffFunction", kBackoffNames[static_cast<std::size_t>(p.backoff)]}};
}

// From 0 at the first retry of the back-off phase to 1 at its last: each function's own curve between.
double Rise(Backoff backoff, double x) {
  switch (backoff) {
    case Backoff::kLinear: return x;
    case Backoff::kArithmetic: return x * (x + 1) / 2;  // waits whose steps grow by the same amount each time
    case Backoff::kGeometric: return x * x * x;
    case Backoff::kExponential: return (std::exp2(10 * x) - 1) / 1023;
  }
  return x;
}

}  // namespace

std::optional<Millis> RetryDelay(const DeliveryPolicy& policy, int retry) {
  if (retry < 0 || retry >= policy.retries) return std::nullopt;
  Millis low{policy.min_delay_seconds * 1000LL}, high{policy.max_delay_seconds * 1000LL};
  if (retry < policy.no_delay_retries) return Millis(0);
  retry -= policy.no_delay_retries;
  if (retry < policy.min_delay_retries) return low;
  retry -= policy.min_delay_retries;
  int steps = policy.retries - policy.no_delay_retries - policy.min_delay_retries - policy.max_delay_retries;
  if (retry >= steps) return high;
  if (steps < 2) return low;
  double rise = Rise(policy.backoff, static_cast<double>(retry) / (steps - 1));
  return low + Millis(std::llround(rise * static_cast<double>((high - low).count())));
}

Result<TopicDeliveryPolicy> ParseTopicDeliveryPolicy(std::string_view text) {
  TopicDeliveryPolicy out;
  FW_ASSIGN(json parsed, ParseObject(text));
  FW_TRY(OnlyMembers(parsed, "the policy", {"http"}));
  auto http = parsed.find("http");
  if (http == parsed.end()) return out;
  FW_TRY(OnlyMembers(*http, "http", {"defaultHealthyRetryPolicy", "disableSubscriptionOverrides",
                                     "defaultThrottlePolicy", "defaultRequestPolicy"}));
  if (http->contains("defaultHealthyRetryPolicy")) FW_TRY(ReadRetryPolicy((*http)["defaultHealthyRetryPolicy"], out.policy));
  if (http->contains("defaultThrottlePolicy")) FW_TRY(ReadThrottle((*http)["defaultThrottlePolicy"], out.policy));
  if (http->contains("defaultRequestPolicy")) FW_TRY(CheckRequestPolicy((*http)["defaultRequestPolicy"]));
  if (http->contains("disableSubscriptionOverrides")) {
    const json& disable = (*http)["disableSubscriptionOverrides"];
    if (!disable.is_boolean()) return Bad("disableSubscriptionOverrides must be true or false");
    out.disable_overrides = disable.get<bool>();
  }
  FW_TRY(CheckWhole(out.policy));
  return out;
}

Result<DeliveryPolicy> ParseSubscriptionDeliveryPolicy(std::string_view text, const DeliveryPolicy& base) {
  DeliveryPolicy out = base;
  FW_ASSIGN(json parsed, ParseObject(text));
  FW_TRY(OnlyMembers(parsed, "the policy", {"healthyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed",
                                            "sicklyRetryPolicy"}));
  auto has = [&](const char* name) { return parsed.contains(name) && !parsed[name].is_null(); };
  if (has("sicklyRetryPolicy")) return Bad("sicklyRetryPolicy is not offered");
  if (has("healthyRetryPolicy")) {
    // A retry policy is given whole: what it leaves out has the service's defaults, not the topic's values.
    int throttle = out.max_receives_per_second;
    out = DeliveryPolicy();
    out.max_receives_per_second = throttle;
    FW_TRY(ReadRetryPolicy(parsed["healthyRetryPolicy"], out));
  }
  if (has("throttlePolicy")) FW_TRY(ReadThrottle(parsed["throttlePolicy"], out));
  if (has("requestPolicy")) FW_TRY(CheckRequestPolicy(parsed["requestPolicy"]));
  FW_TRY(CheckWhole(out));
  return out;
}

std::string TopicDeliveryPolicyJson(const TopicDeliveryPolicy& policy) {
  ordered_json http = {{"defaultHealthyRetryPolicy", RetryJson(policy.policy)},
                       {"disableSubscriptionOverrides", policy.disable_overrides}};
  if (policy.policy.max_receives_per_second > 0) {
    http["defaultThrottlePolicy"] = {{"maxReceivesPerSecond", policy.policy.max_receives_per_second}};
  }
  return ordered_json{{"http", std::move(http)}}.dump();
}

std::string SubscriptionDeliveryPolicyJson(const DeliveryPolicy& policy) {
  ordered_json out = {{"healthyRetryPolicy", RetryJson(policy)}, {"throttlePolicy", nullptr}, {"guaranteed", false}};
  if (policy.max_receives_per_second > 0) out["throttlePolicy"] = {{"maxReceivesPerSecond", policy.max_receives_per_second}};
  return out.dump();
}

}  // namespace fleetward::notify
