// Filter and delivery policies: "SCOPE\npolicy\nmessage" with SCOPE a or b. Whatever a policy says, one that parses keeps
// its bounds, and the answer for a message does not depend on how often it is asked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleetward/notify/delivery_policy.h"
#include "fleetward/notify/filter_policy.h"

using namespace fleetward::notify;

namespace {

std::string_view Next(std::string_view& text) {
  std::size_t end = text.find('\n');
  std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

void CheckDelays(std::string_view text) {
  auto policy = ParseSubscriptionDeliveryPolicy(text, {});
  if (!policy.ok()) return;
  std::int64_t total = 0;
  int retries = 0;
  while (auto wait = RetryDelay(*policy, retries)) {
    if (wait->count() < 0) std::abort();
    total += wait->count();
    ++retries;
  }
  if (retries > 100 || total > 3'600'000) std::abort();
  if (!(ParseSubscriptionDeliveryPolicy(SubscriptionDeliveryPolicyJson(*policy), {}).value() == *policy)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  FilterScope scope = Next(text) == "b" ? FilterScope::kMessageBody : FilterScope::kMessageAttributes;
  std::string_view policy = Next(text);
  CheckDelays(policy);
  (void)ParseTopicDeliveryPolicy(policy);
  auto parsed = FilterPolicy::Parse(policy, scope);
  if (!parsed.ok()) return 0;
  Message message;
  for (const char* type : {"String", "String.Array", "Number", "Binary"}) {
    message.attributes["k"] = {type, std::string(text)};
    bool wanted = parsed->Wants(message, text);
    if (wanted != parsed->Wants(message, text)) std::abort();
  }
  return 0;
}
