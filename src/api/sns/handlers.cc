#include "handlers.h"

#include "fleetward/api/handlers/sns.h"

namespace fleetward::api {

Result<notify::Attributes> TagsOf(const std::vector<sns::Tag>& tags) {
  notify::Attributes result;
  for (const sns::Tag& tag : tags) {
    if (!result.emplace(tag.key, tag.value).second) {
      return Error(Code::kInvalidArgument, "Invalid parameter: Tags Reason: the key " + tag.key + " is given twice");
    }
  }
  return result;
}

void RegisterSnsHandlers(Router& router, notify::TopicService& topics) {
  RegisterTopics(router, topics);
  RegisterSubscriptions(router, topics);
  RegisterPublish(router, topics);
}

}  // namespace fleetward::api
