#include "attributes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::notify {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTags = 50;
constexpr std::size_t kMaxPolicy = 30 * 1024;

Error Bad(std::string why) { return Error(Code::kInvalidArgument, "Invalid parameter: " + std::move(why)); }

Status CheckAccessPolicy(const std::string& value) {
  json policy = value.size() <= kMaxPolicy ? json::parse(value, nullptr, false) : json();
  if (!policy.is_object()) return Bad("Policy Error: the policy must be a JSON object of at most 30720 bytes");
  auto statements = policy.find("Statement");
  if (statements == policy.end() || !(statements->is_array() || statements->is_object())) {
    return Bad("Policy Error: the policy has no Statement");
  }
  return {};
}

bool IsHttp(const Subscription& s) { return s.protocol == "http" || s.protocol == "https"; }

Status CheckRedrive(const std::string& value) {
  json policy = value.size() <= kMaxPolicy ? json::parse(value, nullptr, false) : json();
  bool right = policy.is_object() && policy.size() == 1 && policy.contains("deadLetterTargetArn") &&
               policy["deadLetterTargetArn"].is_string() &&
               policy["deadLetterTargetArn"].get_ref<const std::string&>().starts_with("arn:aws:sqs:");
  if (right) return {};
  return Bad(R"(RedrivePolicy: must be {"deadLetterTargetArn":"arn:aws:sqs:..."})");
}

FilterScope ScopeOf(const Subscription& s) {
  auto scope = s.attributes.find("FilterPolicyScope");
  bool body = scope != s.attributes.end() && scope->second == "MessageBody";
  return body ? FilterScope::kMessageBody : FilterScope::kMessageAttributes;
}

}  // namespace

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

bool IsTopicName(std::string_view name) {
  if (name.empty() || name.size() > 256) return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Status CheckTopicAttribute(const std::string& name, const std::string& value) {
  if (name == "DisplayName") {
    if (value.size() <= 100 && !HasControl(value) && IsUtf8(value)) return {};
    return Bad("DisplayName must be at most 100 characters without control characters");
  }
  if (name == "SignatureVersion") return value == "1" || value == "2" ? Status() : Bad("SignatureVersion must be 1 or 2");
  if (name == "Policy") return value.empty() ? Status() : CheckAccessPolicy(value);
  if (name == "DeliveryPolicy") {
    if (value.empty()) return {};
    auto parsed = ParseTopicDeliveryPolicy(value);
    return parsed.ok() ? Status() : Bad(parsed.error().message());
  }
  // What would be stored and not be done is refused: its user believes in it.
  if (name == "TracingConfig") {
    return value == "PassThrough" ? Status() : Bad("TracingConfig: only PassThrough is offered");
  }
  if (name == "KmsMasterKeyId") return value.empty() ? Status() : Bad("KmsMasterKeyId is not offered: there is no KMS");
  if (name == "FifoTopic") return value == "false" ? Status() : Bad("FifoTopic: FIFO topics are not offered");
  if (name == "ContentBasedDeduplication") return Bad("ContentBasedDeduplication can only be set for FIFO topics");
  return Bad("AttributeName " + name.substr(0, 100));
}

Status CheckTags(const Attributes& tags) {
  if (tags.size() > kMaxTags) {
    return Error(Code::kLimitExceeded, "Could not complete request: a topic can have at most 50 tags")
        .WithField("exception", "TagLimitExceeded");
  }
  for (const auto& [key, value] : tags) {
    if (key.empty() || key.size() > 128 || key.starts_with("aws:") || value.size() > 256) {
      return Bad("Tags Reason: a key has 1 to 128 characters and does not begin with aws:, a value has at most 256");
    }
  }
  return {};
}

Status SetAttribute(Subscription& s, const std::string& name, const std::string& value,
                    const DeliveryPolicy& topic_policy) {
  if (name == "RawMessageDelivery") {
    if (value != "true" && value != "false") return Bad("Attributes Reason: RawMessageDelivery must be true or false");
    if (value == "true" && !IsHttp(s)) {
      return Bad("Attributes Reason: Delivery protocol [" + s.protocol + "] does not support raw message delivery.");
    }
  } else if (name == "DeliveryPolicy") {
    if (!IsHttp(s)) return Bad("Attributes Reason: a DeliveryPolicy is for http and https subscriptions");
    auto parsed = value.empty() ? Result<DeliveryPolicy>(DeliveryPolicy()) : ParseSubscriptionDeliveryPolicy(value, topic_policy);
    if (!parsed.ok()) return Bad(parsed.error().message());
  } else if (name == "RedrivePolicy") {
    if (!value.empty()) FW_TRY(CheckRedrive(value));
  } else if (name == "FilterPolicyScope") {
    if (value != "MessageAttributes" && value != "MessageBody") {
      return Bad("FilterPolicyScope: must be MessageAttributes or MessageBody");
    }
  } else if (name == "SubscriptionRoleArn") {
    return Bad("Attributes Reason: SubscriptionRoleArn is for firehose subscriptions");
  } else if (name != "FilterPolicy") {
    return Bad("AttributeName " + name.substr(0, 100));
  }
  if (value.empty() || (name == "FilterPolicy" && value == "{}")) {
    s.attributes.erase(name);
  } else {
    s.attributes[name] = value;
  }
  return {};
}

Result<std::optional<FilterPolicy>> FilterOf(const Subscription& s) {
  auto policy = s.attributes.find("FilterPolicy");
  if (policy == s.attributes.end()) return std::optional<FilterPolicy>();
  FW_ASSIGN(FilterPolicy parsed, FilterPolicy::Parse(policy->second, ScopeOf(s)));
  return std::optional<FilterPolicy>(std::move(parsed));
}

Status CheckFilter(const Subscription& s) {
  auto parsed = FilterOf(s);
  return parsed.ok() ? Status() : Bad(parsed.error().message());
}

TopicDeliveryPolicy DeliveryPolicyOf(const Topic& topic) {
  auto stored = topic.attributes.find("DeliveryPolicy");
  if (stored == topic.attributes.end() || stored->second.empty()) return {};
  auto parsed = ParseTopicDeliveryPolicy(stored->second);
  return parsed.ok() ? *parsed : TopicDeliveryPolicy();  // stored by a release that checked less
}

}  // namespace fleetward::notify
