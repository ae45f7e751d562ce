#include "fleetward/policy/action.h"

#include <array>

#include "fleetward/policy/pattern.h"

namespace fleetward::policy {
namespace {

struct ActionInfo {
  std::string_view name;
  std::string_view resource_type;
};

constexpr std::array<ActionInfo, kActionCount> kActions{{
    {"iot:Connect", "client"},
    {"iot:Publish", "topic"},
    {"iot:Subscribe", "topicfilter"},
    {"iot:Receive", "topic"},
    {"iot:RetainPublish", "topic"},
    {"iot:GetRetainedMessage", "topic"},
    {"iot:ListRetainedMessages", "*"},
    {"iot:GetThingShadow", "thing"},
    {"iot:UpdateThingShadow", "thing"},
    {"iot:DeleteThingShadow", "thing"},
    {"iot:ListNamedShadowsForThing", "thing"},
    {"iot:DescribeJobExecution", "thing"},
    {"iot:GetPendingJobExecutions", "thing"},
    {"iot:StartNextPendingJobExecution", "thing"},
    {"iot:UpdateJobExecution", "thing"},
    {"iot:AssumeRoleWithCertificate", "rolealias"},
    {"iot:DeleteConnection", "client"},
    {"fleetward:ReadEvents", "topic"},
}};

const ActionInfo& InfoOf(Action action) {
  return kActions[static_cast<std::size_t>(action) % kActionCount];
}

}  // namespace

std::string_view ActionName(Action action) { return InfoOf(action).name; }

std::string_view ResourceType(Action action) { return InfoOf(action).resource_type; }

std::optional<Action> ParseAction(std::string_view name) {
  for (std::uint8_t i = 0; i < kActionCount; ++i) {
    if (EqualsIgnoringCase(kActions[i].name, name)) return static_cast<Action>(i);
  }
  return std::nullopt;
}

std::uint32_t ActionMask(std::string_view pattern) {
  PieceList pieces;
  AppendGlob(pattern, pieces);
  std::uint32_t mask = 0;
  for (std::uint8_t i = 0; i < kActionCount; ++i) {
    if (i == static_cast<std::uint8_t>(Action::kReadEvents)) {
      if (EqualsIgnoringCase(pattern, kActions[i].name)) mask |= std::uint32_t{1} << i;
    } else if (MatchPieces(pieces, kActions[i].name, CaseRule::kIgnore)) mask |= std::uint32_t{1} << i;
  }
  return mask;
}

}  // namespace fleetward::policy
