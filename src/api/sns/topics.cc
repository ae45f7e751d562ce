#include "handlers.h"

namespace fleetward::api {
namespace {

using namespace sns;
using notify::TopicService;

/// What the service shows for a topic without a policy of its own: its owner may do everything.
std::string DefaultPolicy(const CallContext& context, const std::string& arn) {
  return R"({"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID",)"
         R"("Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes",)"
         R"("SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe",)"
         R"("SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":")" +
         arn + R"(","Condition":{"StringEquals":{"AWS:SourceOwner":")" + context.account() + R"("}}}]})";
}

constexpr const char* kDefaultDelivery =
    R"({"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,)"
    R"("numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},)"
    R"("disableSubscriptionOverrides":false}})";

Result<CreateTopicResponse> Create(TopicService& topics, const CallContext& context, const CreateTopicInput& request) {
  if (request.data_protection_policy) {
    return Error(Code::kInvalidArgument, "Invalid parameter: DataProtectionPolicy is not offered");
  }
  FW_ASSIGN(auto tags, TagsOf(request.tags.value_or(std::vector<Tag>())));
  FW_ASSIGN(std::string arn, topics.CreateTopic(ActorOf(context), request.name,
                                                request.attributes.value_or(notify::Attributes()), tags));
  return CreateTopicResponse{std::move(arn)};
}

Result<ListTopicsResponse> List(const TopicService& topics, const CallContext& context, const ListTopicsInput& request) {
  FW_ASSIGN(std::string from, context.ReadPageToken(request.next_token));
  FW_ASSIGN(auto page, topics.ListTopics(from, kSnsPage));
  ListTopicsResponse response;
  response.topics.emplace();
  for (std::string& arn : page.items) response.topics->push_back({std::move(arn)});
  response.next_token = NextToken(context, page.next);
  return response;
}

Result<GetTopicAttributesResponse> GetAttributes(const TopicService& topics, const CallContext& context,
                                                 const GetTopicAttributesInput& request) {
  FW_ASSIGN(notify::Topic topic, topics.GetTopic(request.topic_arn));
  FW_ASSIGN(auto counts, topics.CountSubscriptions(request.topic_arn));
  std::string arn = topics.TopicArn(topic.name);
  notify::Attributes attributes = topic.attributes;
  attributes["TopicArn"] = arn;
  attributes["Owner"] = context.account();
  attributes["SubscriptionsConfirmed"] = std::to_string(counts.first);
  attributes["SubscriptionsPending"] = std::to_string(counts.second);
  attributes["SubscriptionsDeleted"] = "0";
  attributes.try_emplace("DisplayName", "");
  attributes.try_emplace("Policy", DefaultPolicy(context, arn));
  auto delivery = attributes.find("DeliveryPolicy");
  bool own = delivery != attributes.end() && !delivery->second.empty();
  attributes["EffectiveDeliveryPolicy"] = own ? delivery->second : kDefaultDelivery;
  return GetTopicAttributesResponse{std::move(attributes)};
}

Result<ListTagsForResourceResponse> ListTags(const TopicService& topics, const ListTagsForResourceRequest& request) {
  FW_ASSIGN(notify::Topic topic, topics.GetTopic(request.resource_arn));
  ListTagsForResourceResponse response;
  response.tags.emplace();
  for (const auto& [key, value] : topic.tags) response.tags->push_back({key, value});
  return response;
}

void RegisterTags(Router& router, TopicService& topics) {
  router.Handle<TagResource>(
      [&topics](auto& context, const TagResourceRequest& request) -> Result<TagResourceResponse> {
        FW_ASSIGN(auto tags, TagsOf(request.tags));
        FW_TRY(topics.TagTopic(ActorOf(context), request.resource_arn, tags));
        return TagResourceResponse{};
      });
  router.Handle<UntagResource>(
      [&topics](auto& context, const UntagResourceRequest& request) -> Result<UntagResourceResponse> {
        FW_TRY(topics.UntagTopic(ActorOf(context), request.resource_arn, request.tag_keys));
        return UntagResourceResponse{};
      });
  router.Handle<ListTagsForResource>([&topics](auto&, auto& request) { return ListTags(topics, request); });
}

}  // namespace

void RegisterTopics(Router& router, TopicService& topics) {
  router.Handle<CreateTopic>([&topics](auto& context, auto& request) { return Create(topics, context, request); });
  router.Handle<DeleteTopic>([&topics](auto& context, const DeleteTopicInput& request) -> Result<Empty> {
    FW_TRY(topics.DeleteTopic(ActorOf(context), request.topic_arn));
    return Empty{};
  });
  router.Handle<ListTopics>([&topics](auto& context, auto& request) { return List(topics, context, request); });
  router.Handle<GetTopicAttributes>(
      [&topics](auto& context, auto& request) { return GetAttributes(topics, context, request); });
  router.Handle<SetTopicAttributes>([&topics](auto& context, const SetTopicAttributesInput& request) -> Result<Empty> {
    FW_TRY(topics.SetTopicAttribute(ActorOf(context), request.topic_arn, request.attribute_name,
                                    request.attribute_value.value_or("")));
    return Empty{};
  });
  RegisterTags(router, topics);
}

}  // namespace fleetward::api
