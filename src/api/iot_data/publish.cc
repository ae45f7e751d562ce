#include "fleetward/api/handlers/iot_data.h"
#include "fleetward/api/iot_data/messages.h"
#include "fleetward/policy/topic.h"

namespace fleetward::api {
namespace {

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

}  // namespace

void RegisterIotDataHandlers(Router& router, BrokerPublish publish) {
  router.Handle<iot_data::Publish>(
      [publish = std::move(publish)](const CallContext&, const iot_data::PublishRequest& request) -> Result<Empty> {
        FW_TRY(CheckPublish(request));
        FW_TRY(publish(request.topic, request.payload.value_or(""), request.qos.value_or(0),
                       request.retain.value_or(false)));
        return Empty{};
      });
}

}  // namespace fleetward::api
