// What the families of sns handlers share.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fleetward/api/core/call_context.h"
#include "fleetward/api/core/router.h"
#include "fleetward/api/sns/sns.h"
#include "fleetward/notify/topics.h"

namespace fleetward::api {

void RegisterTopics(Router& router, notify::TopicService& topics);
void RegisterSubscriptions(Router& router, notify::TopicService& topics);
void RegisterPublish(Router& router, notify::TopicService& topics);

inline constexpr std::size_t kSnsPage = 100;  // core.md §9

/// Who acts, for the configuration's history.
inline std::string ActorOf(const CallContext& context) {
  return context.principal ? context.principal->access_key_id : "unsigned";
}

/// The token of the next page; nothing on the last.
inline std::optional<std::string> NextToken(const CallContext& context, const std::optional<std::string>& position,
                                            std::string_view binding = {}) {
  if (!position) return std::nullopt;
  return context.MakePageToken(*position, binding);
}

/// Errors: kInvalidArgument (a key given twice).
Result<notify::Attributes> TagsOf(const std::vector<sns::Tag>& tags);

}  // namespace fleetward::api
