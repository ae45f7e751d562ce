#include "handlers.h"

namespace fleetward::api {
namespace {

using namespace sns;
using notify::TopicService;

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
  FW_ASSIGN(notify::TopicView view, topics.ViewTopic(request.topic_arn));
  notify::Attributes attributes = view.topic.attributes;
  attributes["TopicArn"] = topics.TopicArn(view.topic.name);
  attributes["Owner"] = context.account();
  attributes["SubscriptionsConfirmed"] = std::to_string(view.confirmed);
  attributes["SubscriptionsPending"] = std::to_string(view.pending);
  attributes["SubscriptionsDeleted"] = std::to_string(view.deleted);
  attributes["Policy"] = view.policy;
  attributes["EffectiveDeliveryPolicy"] = view.effective_delivery_policy;
  attributes.try_emplace("DisplayName", "");
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

void RegisterPermissions(Router& router, TopicService& topics) {
  router.Handle<AddPermission>([&topics](auto& context, const AddPermissionInput& request) -> Result<Empty> {
    FW_TRY(topics.AddPermission(ActorOf(context), request.topic_arn, request.label, request.aws_account_id,
                                request.action_name));
    return Empty{};
  });
  router.Handle<RemovePermission>([&topics](auto& context, const RemovePermissionInput& request) -> Result<Empty> {
    FW_TRY(topics.RemovePermission(ActorOf(context), request.topic_arn, request.label));
    return Empty{};
  });
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
  RegisterPermissions(router, topics);
}

}  // namespace fleetward::api
