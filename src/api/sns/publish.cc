#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

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

Result<notify::MessageAttributes> AttributesOf(const std::map<std::string, MessageAttributeValue>& given) {
  notify::MessageAttributes attributes;
  for (const auto& [name, value] : given) {
    bool binary = value.data_type == "Binary";
    if ((binary ? value.string_value : value.binary_value).has_value()) {
      return Error(Code::kInvalidArgument, "Invalid parameter: The message attribute '" + name.substr(0, 64) +
                                               "' has a value that does not fit its type")
          .WithField("exception", "ParameterValueInvalid");
    }
    attributes[name] = {value.data_type, (binary ? value.binary_value : value.string_value).value_or("")};
  }
  return attributes;
}

/// A single message, or an entry of a batch: their members are the same.
template <class Request>
Result<notify::Message> MessageOf(const Request& request) {
  notify::Message message;
  message.subject = request.subject.value_or("");
  message.body = request.message;
  if (request.message_deduplication_id || request.message_group_id) {
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: MessageGroupId and MessageDeduplicationId are for FIFO topics, which are not offered");
  }
  if (request.message_structure) {
    if (*request.message_structure != "json") {
      return Error(Code::kInvalidArgument, "Invalid parameter: MessageStructure must be json");
    }
    FW_ASSIGN(message.per_protocol, PerProtocol(request.message));
  }
  if (request.message_attributes) {
    FW_ASSIGN(message.attributes, AttributesOf(*request.message_attributes));
  }
  return message;
}

Result<PublishResponse> Send(TopicService& topics, const PublishInput& request) {
  FW_ASSIGN(std::string arn, TopicOf(request));
  FW_ASSIGN(notify::Message message, MessageOf(request));
  Id128 id = Id128::Random();
  FW_TRY(topics.Publish(arn, id, message));
  return PublishResponse{id.Uuid(), std::nullopt};
}

// --- batches ---

constexpr std::size_t kMaxBatch = 10;

Error BatchFault(const char* exception, const char* message) {
  return Error(Code::kInvalidArgument, message).WithField("exception", exception);
}

bool IsEntryId(std::string_view id) {
  return !id.empty() && id.size() <= 80 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Status CheckBatch(const std::vector<PublishBatchRequestEntry>& entries) {
  if (entries.empty()) return BatchFault("EmptyBatchRequest", "The batch request doesn't contain any entries.");
  if (entries.size() > kMaxBatch) {
    return BatchFault("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.");
  }
  std::set<std::string_view> ids;
  std::size_t size = 0;
  for (const auto& entry : entries) {
    if (!IsEntryId(entry.id)) {
      return BatchFault("InvalidBatchEntryId", "The Id of a batch entry is not 1 to 80 letters, digits, - and _.");
    }
    if (!ids.insert(entry.id).second) {
      return BatchFault("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.");
    }
    auto message = MessageOf(entry);
    size += message.ok() ? SizeOf(*message) : entry.message.size();
  }
  if (size <= notify::kMaxMessageBytes) return {};
  return BatchFault("BatchRequestTooLong", "The length of all the batch messages put together is more than the limit.");
}

/// Each entry stands for itself: a faulty one is reported beside those that were taken.
Result<PublishBatchResponse> SendBatch(TopicService& topics, const PublishBatchInput& request) {
  FW_TRY(CheckBatch(request.publish_batch_request_entries));
  FW_TRY(topics.GetTopic(request.topic_arn));
  PublishBatchResponse response;
  response.successful.emplace();
  response.failed.emplace();
  for (const auto& entry : request.publish_batch_request_entries) {
    Id128 id = Id128::Random();
    auto message = MessageOf(entry);
    Status sent = message.ok() ? topics.Publish(request.topic_arn, id, *message) : Status(message.error());
    if (sent.ok()) {
      response.successful->push_back({entry.id, id.Uuid(), std::nullopt});
      continue;
    }
    bool caller = sent.error().code() == Code::kInvalidArgument || sent.error().code() == Code::kNotFound;
    response.failed->push_back({entry.id, caller ? "InvalidParameter" : "InternalError",
                                caller ? sent.error().message() : "An internal error occurred", caller});
  }
  return response;
}

}  // namespace

void RegisterPublish(Router& router, TopicService& topics) {
  router.Handle<Publish>([&topics](auto&, auto& request) { return Send(topics, request); });
  router.Handle<PublishBatch>([&topics](auto&, auto& request) { return SendBatch(topics, request); });
}

}  // namespace fleetward::api
