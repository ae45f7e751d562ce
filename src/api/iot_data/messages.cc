#include <algorithm>
#include <memory>

#include "fleetward/api/handlers/iot_data.h"
#include "fleetward/api/iot_data/messages.h"
#include "fleetward/policy/topic.h"
#include "properties.h"

namespace fleetward::api {
namespace {

constexpr std::int32_t kDefaultPage = 25;
constexpr std::size_t kMaxPayload = 128 * 1024;  // core.md §3

Status CheckPublish(const iot_data::PublishRequest& request) {
  auto bad = [](std::string message) { return Error(Code::kInvalidArgument, std::move(message)); };
  FW_TRY(policy::ValidateTopic(request.topic));
  // What the service itself says on reserved topics must not come from elsewhere.
  if (request.topic.starts_with('$')) return bad("topic: reserved topics cannot be published through the API");
  if (request.payload && request.payload->size() > kMaxPayload) return bad("payload is larger than 128 KB");
  if (request.qos.value_or(0) < 0 || request.qos.value_or(0) > 1) return bad("qos must be 0 or 1");
  return {};
}

Result<iot_data::GetRetainedMessageResponse> GetRetained(const DataPlane& plane,
                                                         const iot_data::GetRetainedMessageRequest& request) {
  if (!policy::ValidateTopic(request.topic).ok()) return Error(Code::kInvalidArgument, "topic: not a topic");
  FW_ASSIGN(auto found, plane.retained(request.topic));
  if (!found) return Error(Code::kNotFound, "No message is retained on the topic " + request.topic);
  iot_data::GetRetainedMessageResponse response;
  response.topic = request.topic;
  response.payload = std::move(found->second);
  response.qos = found->first.qos;
  response.last_modified_time = found->first.modified_ms;
  return response;
}

Result<iot_data::ListRetainedMessagesResponse> ListRetained(const DataPlane& plane, const CallContext& context,
                                                            const iot_data::ListRetainedMessagesRequest& request) {
  FW_ASSIGN(std::string after, context.ReadPageToken(request.next_token, ""));
  auto limit = static_cast<std::size_t>(std::max(1, request.max_results.value_or(kDefaultPage)));
  FW_ASSIGN(auto entries, plane.list_retained(after, limit));
  iot_data::ListRetainedMessagesResponse response;
  if (entries.size() > limit) {
    entries.resize(limit);
    response.next_token = context.MakePageToken(entries.back().topic, "");
  }
  response.retained_topics.emplace();
  for (const RetainedSummary& entry : entries) {
    response.retained_topics->push_back(
        {entry.topic, static_cast<std::int64_t>(entry.payload_bytes), entry.qos, entry.modified_ms});
  }
  return response;
}

Result<Empty> DeleteConnection(const DataPlane& plane, const iot_data::DeleteConnectionRequest& request) {
  FW_ASSIGN(bool found, plane.delete_connection(request.client_id, request.clean_session.value_or(false),
                                                !request.prevent_will_message.value_or(false)));
  if (!found) return Error(Code::kNotFound, "There is no client or session " + request.client_id);
  return Empty{};
}

}  // namespace

void RegisterIotDataHandlers(Router& router, DataPlane given) {
  auto plane = std::make_shared<const DataPlane>(std::move(given));
  router.Handle<iot_data::Publish>(
      [plane](const CallContext&, const iot_data::PublishRequest& request) -> Result<Empty> {
        FW_TRY(CheckPublish(request));
        FW_ASSIGN(MessageProperties properties, PropertiesOf(request));
        FW_TRY(plane->publish(request.topic, request.payload.value_or(""), request.qos.value_or(0),
                              request.retain.value_or(false), properties));
        return Empty{};
      });
  router.Handle<iot_data::GetRetainedMessage>([plane](auto&, auto& request) { return GetRetained(*plane, request); });
  router.Handle<iot_data::ListRetainedMessages>(
      [plane](auto& context, auto& request) { return ListRetained(*plane, context, request); });
  router.Handle<iot_data::DeleteConnection>(
      [plane](auto&, auto& request) { return DeleteConnection(*plane, request); });
}

}  // namespace fleetward::api
