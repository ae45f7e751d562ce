#include <nlohmann/json.hpp>

#include "handlers.h"

namespace fleetward::api {
namespace {

using namespace sns;
using notify::TopicService;

/// MessageStructure=json: a text for each protocol, with "default" for the others.
Result<std::map<std::string, std::string>> PerProtocol(const std::string& message) {
  nlohmann::json parsed = nlohmann::json::parse(message, nullptr, false);
  std::map<std::string, std::string> texts;
  if (parsed.is_object()) {
    for (const auto& [protocol, text] : parsed.items()) {
      if (text.is_string()) texts[protocol] = text.get<std::string>();
    }
  }
  if (!texts.contains("default")) {
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: Message Structure - the message must be a JSON object with an entry default");
  }
  return texts;
}

Result<std::string> TopicOf(const PublishInput& request) {
  if (request.phone_number) return Error(Code::kInvalidArgument, "Invalid parameter: PhoneNumber is not offered");
  if (request.topic_arn && request.target_arn) {
    return Error(Code::kInvalidArgument, "Invalid parameter: TopicArn and TargetArn cannot be given together");
  }
  if (request.topic_arn) return *request.topic_arn;
  if (request.target_arn) return *request.target_arn;
  return Error(Code::kInvalidArgument, "Invalid parameter: TopicArn or TargetArn is required");
}

Result<PublishResponse> Send(TopicService& topics, const PublishInput& request) {
  FW_ASSIGN(std::string arn, TopicOf(request));
  notify::Message message;
  message.subject = request.subject.value_or("");
  message.body = request.message;
  if (request.message_structure) {
    if (*request.message_structure != "json") {
      return Error(Code::kInvalidArgument, "Invalid parameter: MessageStructure must be json");
    }
    FW_ASSIGN(message.per_protocol, PerProtocol(request.message));
  }
  Id128 id = Id128::Random();
  FW_TRY(topics.Publish(arn, id, message));
  return PublishResponse{id.Uuid(), std::nullopt};
}

}  // namespace

void RegisterPublish(Router& router, TopicService& topics) {
  router.Handle<Publish>([&topics](auto&, auto& request) { return Send(topics, request); });
}

}  // namespace fleetward::api
