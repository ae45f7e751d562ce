// The actions a policy can allow or deny (core.md §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fleetward::policy {

/// Values are bit numbers in compiled policies, which are stored: never change them.
enum class Action : std::uint8_t {
  kConnect = 0,
  kPublish = 1,
  kSubscribe = 2,
  kReceive = 3,
  kRetainPublish = 4,
  kGetRetainedMessage = 5,
  kListRetainedMessages = 6,
  kGetThingShadow = 7,
  kUpdateThingShadow = 8,
  kDeleteThingShadow = 9,
  kListNamedShadowsForThing = 10,
  kDescribeJobExecution = 11,
  kGetPendingJobExecutions = 12,
  kStartNextPendingJobExecution = 13,
  kUpdateJobExecution = 14,
  kAssumeRoleWithCertificate = 15,
  kDeleteConnection = 16,
  kReadEvents = 17,
};
inline constexpr std::uint8_t kActionCount = 18;

/// "iot:Connect".
std::string_view ActionName(Action action);
/// Case-insensitive, full name.
std::optional<Action> ParseAction(std::string_view name);
/// The ARN's resource type: "client", "topic", "topicfilter", "thing", "rolealias", or "*" (kListRetainedMessages).
std::string_view ResourceType(Action action);

/// Bit mask of the actions that a policy's Action text covers: case-insensitive, `*` and `?` are wildcards
/// ("iot:*", "*", "iot:Pub*"). Zero for actions that no device can take here ("greengrass:Discover"). What is ours and not
/// the service's ("fleetward:ReadEvents") has to be named: no wildcard covers it.
std::uint32_t ActionMask(std::string_view pattern);
constexpr std::uint32_t BitOf(Action action) { return std::uint32_t{1} << static_cast<unsigned>(action); }

}  // namespace fleetward::policy
