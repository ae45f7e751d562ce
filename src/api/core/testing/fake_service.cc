#include "fake_service.h"

#include <charconv>
#include <cstdlib>

#include "fleetward/api/iot/account.h"
#include "fleetward/api/iot/certificates.h"
#include "fleetward/api/iot/detect.h"
#include "fleetward/api/iot/things.h"
#include "fleetward/api/iot_data/messages.h"
#include "fleetward/api/sns/sns.h"

namespace fleetward::api::testing {
namespace {

Result<iot::DescribeEndpointResponse> DescribeEndpoint(const CallContext& context,
                                                       const iot::DescribeEndpointRequest& request) {
  iot::DescribeEndpointResponse response;
  response.endpoint_address = context.region() + "/" + request.endpoint_type.value_or("default");
  return response;
}

Result<iot::CreateThingResponse> CreateThing(const CallContext& context, const iot::CreateThingRequest& request) {
  iot::CreateThingResponse response;
  response.thing_name = request.thing_name;
  response.thing_arn = context.arns.Thing(request.thing_name);
  return response;
}

Result<iot::DescribeThingResponse> DescribeThing(const CallContext&, const iot::DescribeThingRequest& request) {
  return Error(Code::kNotFound, "There is no thing " + request.thing_name).WithField("resourceId", request.thing_name);
}

Result<iot::ListThingsResponse> ListThings(const CallContext& context, const iot::ListThingsRequest& request) {
  std::string binding = request.attribute_value.value_or("");
  FW_ASSIGN(std::string position, context.ReadPageToken(request.next_token, binding));
  int at = std::atoi(position.c_str());
  int end = std::min(10, at + request.max_results.value_or(25));
  iot::ListThingsResponse response;
  response.things.emplace();
  for (; at < end; ++at) {
    iot::ThingAttribute thing;
    thing.thing_name = "thing-" + std::to_string(at) + binding;
    response.things->push_back(std::move(thing));
  }
  if (at < 10) response.next_token = context.MakePageToken(std::to_string(at), binding);
  return response;
}

Result<iot::ListThingTypesResponse> ListThingTypes(const CallContext& context,
                                                   const iot::ListThingTypesRequest& request) {
  FW_ASSIGN(std::string position, context.ReadPageToken(request.next_token));
  iot::ListThingTypesResponse response;
  return response;
}

Result<iot::UpdateThingResponse> UpdateThing(const CallContext&, const iot::UpdateThingRequest&) {
  return Error(Code::kIo, "writing /secret/place: disk on fire");
}

Result<iot::CreateSecurityProfileResponse> CreateSecurityProfile(const CallContext& context,
                                                                 const iot::CreateSecurityProfileRequest& request) {
  iot::CreateSecurityProfileResponse response;
  response.security_profile_name = ToJsonText(request.behaviors->at(0));
  response.security_profile_arn = context.arns.SecurityProfile(request.security_profile_name);
  return response;
}

Result<sns::CreateTopicResponse> CreateTopic(const CallContext& context, const sns::CreateTopicInput& request) {
  sns::CreateTopicResponse response;
  response.topic_arn = context.arns.Topic(request.name);
  return response;
}

Result<sns::PublishResponse> PublishTopic(const CallContext&, const sns::PublishInput& request) {
  sns::PublishResponse response;
  response.message_id = request.message + "|" + request.subject.value_or("-");
  if (request.message_attributes) {
    for (const auto& [name, value] : *request.message_attributes) {
      *response.message_id += "|" + name + ":" + value.data_type + ":" + value.string_value.value_or("");
    }
  }
  return response;
}

Result<sns::ConfirmSubscriptionResponse> ConfirmSubscription(const CallContext& context,
                                                             const sns::ConfirmSubscriptionInput& request) {
  sns::ConfirmSubscriptionResponse response;
  response.subscription_arn = request.topic_arn + (context.principal ? ":signed" : ":unsigned");
  return response;
}

Result<Empty> PublishMessage(const CallContext&, const iot_data::PublishRequest& request) {
  // Shows what arrived: the test reads it back as an error.
  return Error(Code::kInvalidArgument, request.topic + "|" + request.payload.value_or("") + "|" +
                                           std::to_string(request.qos.value_or(0)));
}

void RegisterHandlers(Router& router) {
  router.Handle<iot::DescribeEndpoint>(DescribeEndpoint);
  router.Handle<iot::CreateThing>(CreateThing);
  router.Handle<iot::DescribeThing>(DescribeThing);
  router.Handle<iot::ListThings>(ListThings);
  router.Handle<iot::ListThingTypes>(ListThingTypes);
  router.Handle<iot::UpdateThing>(UpdateThing);
  router.Handle<iot::CreateSecurityProfile>(CreateSecurityProfile);
  router.Handle<sns::CreateTopic>(CreateTopic);
  router.Handle<sns::Publish>(PublishTopic);
  router.Handle<sns::ConfirmSubscription>(ConfirmSubscription);
  router.Handle<iot_data::Publish>(PublishMessage);
}

}  // namespace

FakeService::FakeService(const Clock& c, access::AuthenticatorOptions auth_options)
    : clock(c), database(store::MemoryDatabase::Create(c)), store(database->Account(model::AccountId("123456789012"))) {
  keys = access::KeyStore::Open(*store, crypto::SecretBox(std::string(32, 'k')), clock).value();
  admin = *keys->CreateFirst().value();
  authenticator = std::make_unique<access::Authenticator>(*keys, clock, auth_options);
  RouterOptions options;
  options.account_id = "123456789012";
  options.region = "us-east-1";
  options.page_token_key = std::string(32, 'p');
  options.authenticator = authenticator.get();
  options.operator_log = &operator_log;
  options.clock = &clock;
  options.counters = &counters;
  router = std::make_unique<Router>(options);
  RegisterHandlers(*router);
}

}  // namespace fleetward::api::testing
